//! Prose tests of the handshake specification.

use std::{process::Command, sync::Arc, time::Duration};

use mongo_actors::{
    Client,
    bson::{Document, doc},
    options::DriverInfo,
};
use mongo_actors_testkit::ScriptedServer;

use crate::kit::Recorder;

/// Names the server to which `the_child_of_handshake_1` says hello.
const SERVER: &str = "MONGO_ACTORS_PROSE_SERVER";

/// Variables that tell of a platform, none of which a test inherits.
const VARIABLES: [&str; 13] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_REGION",
    "FUNCTIONS_WORKER_RUNTIME",
    "K_SERVICE",
    "FUNCTION_NAME",
    "FUNCTION_MEMORY_MB",
    "FUNCTION_TIMEOUT_SEC",
    "FUNCTION_REGION",
    "VERCEL",
    "VERCEL_REGION",
    "KUBERNETES_SERVICE_HOST",
];

#[tokio::test]
#[ignore = "a process of its own, which handshake_1 starts"]
async fn the_child_of_handshake_1() {
    let uri = std::env::var(SERVER).expect("handshake_1 says where to go");
    let client = Client::with_uri_str(&uri).await.unwrap();
    client.database("admin").run_command("ping").await.unwrap();
    client.close().await;
}

/// What a client in such an environment says of it: `client.env`.
async fn environment(variables: &[(&str, String)]) -> Option<Document> {
    let server = ScriptedServer::builder().start().await.unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "prose::handshake::the_child_of_handshake_1"]);
    for name in VARIABLES {
        child.env_remove(name);
    }
    child.envs(variables.iter().map(|(name, value)| (name, value))).env(SERVER, server.uri());
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    last_metadata(&server).get_document("env").ok().cloned()
}

/// The metadata of the newest connection.
fn last_metadata(server: &ScriptedServer) -> Document {
    let received = server.received();
    received.iter().rev().find_map(|sent| sent.body.get_document("client").ok().cloned()).expect("a client said hello")
}

#[tokio::test]
async fn handshake_1_the_environment_is_reported() {
    let lambda = ("AWS_EXECUTION_ENV", "AWS_Lambda_java8".to_owned());
    let region = |region: &str| ("AWS_REGION", region.to_owned());
    let memory = |memory: &str| ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_owned());
    let of = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let cases = [
        (
            vec![lambda.clone(), region("us-east-2"), memory("1024")],
            Some(doc! { "name": "aws.lambda", "region": "us-east-2", "memory_mb": 1024 }),
        ),
        (of(&[("FUNCTIONS_WORKER_RUNTIME", "node")]), Some(doc! { "name": "azure.func" })),
        (
            of(&[
                ("K_SERVICE", "servicename"),
                ("FUNCTION_MEMORY_MB", "1024"),
                ("FUNCTION_TIMEOUT_SEC", "60"),
                ("FUNCTION_REGION", "us-central1"),
            ]),
            Some(doc! { "name": "gcp.func", "memory_mb": 1024, "timeout_sec": 60, "region": "us-central1" }),
        ),
        (of(&[("VERCEL", "1"), ("VERCEL_REGION", "cdg1")]), Some(doc! { "name": "vercel", "region": "cdg1" })),
        (vec![lambda.clone(), ("FUNCTIONS_WORKER_RUNTIME", "node".to_owned())], None),
        (vec![lambda.clone(), region(&"a".repeat(512))], Some(doc! { "name": "aws.lambda" })),
        (vec![lambda.clone(), memory("big")], Some(doc! { "name": "aws.lambda" })),
        (of(&[("AWS_EXECUTION_ENV", "EC2")]), None),
        (
            vec![lambda, region("us-east-2"), memory("1024"), ("KUBERNETES_SERVICE_HOST", "1".to_owned())],
            Some(doc! {
                "name": "aws.lambda", "region": "us-east-2", "memory_mb": 1024,
                "container": { "orchestrator": "kubernetes" },
            }),
        ),
    ];
    for (number, (variables, expected)) in (1..).zip(cases) {
        let mut found = environment(&variables).await;
        // Where the tests run in a container, that is reported beside.
        if let Some(container) = found.as_mut().and_then(|found| found.get_document_mut("container").ok()) {
            container.remove("runtime");
        }
        let bare = |env: &Document| env.get_document("container").is_ok_and(Document::is_empty);
        if let Some(found) = found.as_mut().filter(|found| bare(found)) {
            found.remove("container");
        }
        let found = found.filter(|env| !env.is_empty());
        let sorted = |env: Document| env.into_iter().collect::<std::collections::BTreeMap<_, _>>();
        assert_eq!(found.map(sorted), expected.map(sorted), "case {number}");
    }
}

#[tokio::test]
async fn handshake_2_any_mechanism_may_be_offered() {
    let hello = doc! { "saslSupportedMechs": ["ARBITRARY-MECHANISM"] };
    let server = ScriptedServer::builder().hello(hello).start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    client.database("admin").run_command("ping").await.unwrap();
    client.close().await;
}

/// A client whose connections live for a millisecond, so that each ping makes a new one.
struct Scene {
    server: ScriptedServer,
    client: Client,
    connections: Arc<Recorder>,
}

fn info(name: &str, version: Option<&str>, platform: Option<&str>) -> DriverInfo {
    let mut info = DriverInfo::new(name);
    (info.version, info.platform) = (version.map(str::to_owned), platform.map(str::to_owned));
    info
}

fn library() -> DriverInfo {
    info("library", Some("1.2"), Some("Library Platform"))
}

impl Scene {
    async fn new(initial: Option<DriverInfo>) -> Self {
        let server = ScriptedServer::builder().start().await.unwrap();
        let builder = Client::builder().uri(server.uri()).max_idle_time(Duration::from_millis(1));
        let builder = match initial {
            Some(info) => builder.driver_info(info),
            None => builder,
        };
        let (connections, builder) = Recorder::listen(builder);
        Self { client: builder.build().unwrap(), server, connections }
    }

    fn append(&self, info: DriverInfo) {
        self.client.append_metadata(info).unwrap();
    }

    /// What the connection says of itself that the next command is sent on.
    async fn metadata(&self) -> Document {
        let before = self.server.accepted();
        self.client.database("admin").run_command("ping").await.unwrap();
        assert!(self.server.accepted() > before, "the old connection was used");
        // Only what was checked in becomes old.
        self.connections.expect_all_checked_in(&self.client).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        last_metadata(&self.server)
    }
}

/// Name, version and platform, without what the driver says of itself.
fn appended(metadata: &Document) -> [String; 3] {
    let driver = metadata.get_document("driver").unwrap();
    let fields = [driver.get_str("name"), driver.get_str("version"), metadata.get_str("platform")];
    fields.map(|field| field.unwrap().split_once('|').map_or("", |(_, appended)| appended).to_owned())
}

fn with_driver_removed(mut metadata: Document) -> Document {
    metadata.remove("driver");
    metadata.remove("platform");
    metadata
}

#[tokio::test]
async fn handshake_metadata_1_and_2_what_is_appended_comes_behind() {
    for at_first in [true, false] {
        for (version, platform) in [
            (Some("2.0"), Some("Framework Platform")),
            (Some("2.0"), None),
            (None, Some("Framework Platform")),
            (None, None),
        ] {
            let scene = Scene::new(at_first.then(library)).await;
            if !at_first {
                scene.append(library());
            }
            let before = scene.metadata().await;
            scene.append(info("framework", version, platform));
            let after = scene.metadata().await;
            let both =
                |first: &str, then: Option<&str>| then.map_or(first.to_owned(), |then| format!("{first}|{then}"));
            let expected =
                [both("library", Some("framework")), both("1.2", version), both("Library Platform", platform)];
            assert_eq!(appended(&after), expected);
            assert_eq!(with_driver_removed(before), with_driver_removed(after));
            scene.client.close().await;
        }
    }
}

#[tokio::test]
async fn handshake_metadata_3_only_the_very_same_is_not_appended_again() {
    for (name, version, platform) in [
        ("library", "1.2", "Library Platform"),
        ("framework", "1.2", "Library Platform"),
        ("library", "2.0", "Library Platform"),
        ("library", "1.2", "Framework Platform"),
        ("framework", "2.0", "Library Platform"),
        ("framework", "1.2", "Framework Platform"),
        ("library", "2.0", "Framework Platform"),
    ] {
        let scene = Scene::new(None).await;
        scene.append(library());
        let before = scene.metadata().await;
        scene.append(info(name, Some(version), Some(platform)));
        let after = scene.metadata().await;
        let same = (name, version, platform) == ("library", "1.2", "Library Platform");
        let expected = match same {
            true => ["library", "1.2", "Library Platform"].map(str::to_owned),
            false => [format!("library|{name}"), format!("1.2|{version}"), format!("Library Platform|{platform}")],
        };
        assert_eq!(appended(&after), expected);
        assert_eq!(with_driver_removed(before), with_driver_removed(after));
        scene.client.close().await;
    }
}

#[tokio::test]
async fn handshake_metadata_4_to_6_what_was_there_before_is_not_appended_again() {
    for (initial, between) in [
        (None, Some(info("framework", Some("2.0"), Some("Framework Platform")))),
        (Some(library()), None),
        (Some(library()), Some(info("framework", Some("1.2"), Some("Library Platform")))),
    ] {
        let scene = Scene::new(initial.clone()).await;
        if initial.is_none() {
            scene.append(library());
            scene.metadata().await;
        }
        if let Some(between) = between {
            scene.metadata().await;
            scene.append(between);
        }
        let before = scene.metadata().await;
        scene.append(library());
        assert_eq!(scene.metadata().await, before);
        scene.client.close().await;
    }
}

/// Case 1 of both is struck out: a library always has a name.
#[tokio::test]
async fn handshake_metadata_7_and_8_empty_texts_are_none() {
    for at_first in [true, false] {
        for (first, then) in [
            (info("library", None, Some("Library Platform")), info("library", Some(""), Some("Library Platform"))),
            (info("library", Some("1.2"), None), info("library", Some("1.2"), Some(""))),
        ] {
            let scene = Scene::new(at_first.then(|| first.clone())).await;
            if !at_first {
                scene.append(first);
            }
            let before = scene.metadata().await;
            scene.append(then);
            assert_eq!(scene.metadata().await, before);
            scene.client.close().await;
        }
    }
}

#[tokio::test]
async fn handshake_metadata_9_every_connection_knows_backpressure() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    client.database("admin").run_command("ping").await.unwrap();
    client.close().await;
    let received = server.received();
    let handshakes: Vec<_> = received.iter().filter(|sent| sent.body.contains_key("client")).collect();
    assert!(handshakes.len() >= 2, "that of the monitor, and that of a connection");
    assert!(
        handshakes.iter().all(|sent| sent.body.get_str("backpressure").is_ok_and(|version| version == "2")),
        "{handshakes:?}"
    );
}
