//! Initial DNS seedlist discovery, against a name server with the records that the specification's tests name.
//!
//! `hosts` and `ping` are about what a deployment at fixed ports of one machine says of itself, for which
//! [pretended ones](deployments) stand; `tests/it/srv.rs` has real servers, at free ports.

mod deployments;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

use libtest_mimic::Failed;
use mongo_actors_engine::resolve_seedlist;
use mongo_actors_protocol::{
    address::ServerAddress,
    options::{ClientOptions, ClientOptionsBuilder, ResolverConfig},
};
use mongo_actors_testkit::DnsServer;
use serde_json::Value;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Mutex,
};

use self::deployments::Deployment;
use super::{Case, connection_string::text, uri_options};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let test = file.json.clone();
    let folder = file.name.rsplit('/').nth(1).unwrap_or_default().to_owned();
    vec![Case::new(file, "file", move || run(&test, &folder))]
}

fn run(test: &Value, folder: &str) -> Result<(), Failed> {
    let uri = text(test, "uri")?;
    let discovered = discover(ClientOptions::builder().uri(uri));
    if test["error"].as_bool() == Some(true) {
        return match discovered {
            Ok(options) => Err(format!("no error, but the seeds {:?}", options.hosts).into()),
            Err(_) => Ok(()),
        };
    }
    let options = discovered?;
    check_seeds(test, &options.hosts)?;
    check_options(test, uri, &options)?;
    check_parsed(&test["parsed_options"], &options)?;
    check_deployment(test, folder, uri, options.tls().is_some())
}

/// Deployments by their folder, and whether they speak TLS.
type Deployments = Mutex<HashMap<(String, bool), Arc<Deployment>>>;

fn check_deployment(test: &Value, folder: &str, uri: &str, encrypted: bool) -> Result<(), Failed> {
    static DEPLOYMENTS: LazyLock<Deployments> = LazyLock::new(Mutex::default);
    let resolver = ResolverConfig::name_servers([name_server().address()]);
    runtime().block_on(async {
        let mut all = DEPLOYMENTS.lock().await;
        let key = (folder.to_owned(), encrypted);
        let deployment = match all.get(&key) {
            Some(deployment) => deployment.clone(),
            None => {
                let started = Arc::new(Deployment::start(folder, encrypted).await?);
                all.entry(key).or_insert(started).clone()
            }
        };
        drop(all);
        deployment.verify(test, uri, resolver).await
    })
}

fn check_seeds(test: &Value, seeds: &[ServerAddress]) -> Result<(), Failed> {
    let mut actual: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    if let Some(count) = test["numSeeds"].as_u64()
        && count != actual.len() as u64
    {
        return Err(format!("expected {count} seeds, got {actual:?}").into());
    }
    let Some(expected) = test["seeds"].as_array() else { return Ok(()) };
    let mut expected: Vec<&str> = expected.iter().filter_map(Value::as_str).collect();
    expected.sort_unstable();
    actual.sort_unstable();
    if actual == expected { Ok(()) } else { Err(format!("expected the seeds {expected:?}, got {actual:?}").into()) }
}

/// A source of users means nothing without a user: where a case gives none, one from code shows it.
fn check_options(test: &Value, uri: &str, options: &ClientOptions) -> Result<(), Failed> {
    if test["options"]["authSource"].is_string() && options.credential.is_none() {
        let with_user = discover(ClientOptions::builder().uri(uri).username("user").password("secret"))?;
        return uri_options::check(test, &with_user);
    }
    uri_options::check(test, options)
}

fn check_parsed(expected: &Value, options: &ClientOptions) -> Result<(), Failed> {
    let credential = options.credential.as_ref();
    for (key, expected) in expected.as_object().into_iter().flatten() {
        let actual = match key.as_str() {
            "user" => credential.and_then(|credential| credential.username.as_deref()),
            "password" => credential.and_then(|credential| credential.password.as_ref()).map(|secret| secret.expose()),
            "db" | "auth_database" => options.default_database.as_deref(),
            other => return Err(format!("this runner does not know the part {other}").into()),
        };
        if expected.as_str() != actual {
            return Err(format!("expected {key} {expected}, got {actual:?}").into());
        }
    }
    Ok(())
}

fn discover(builder: ClientOptionsBuilder) -> Result<ClientOptions, Failed> {
    let config = ResolverConfig::name_servers([name_server().address()]);
    Ok(runtime().block_on(resolve_seedlist(builder.resolver_config(config).build()?))?)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().enable_all().build().expect("a runtime"))
}

fn name_server() -> &'static DnsServer {
    static DNS: OnceLock<DnsServer> = OnceLock::new();
    DNS.get_or_init(|| runtime().block_on(start_name_server()).expect("a name server"))
}

/// The records of the specification's `tests/README.md`. The second one of `test22` is in its test file alone.
async fn start_name_server() -> std::io::Result<DnsServer> {
    const DOMAIN: &str = "test.build.10gen.cc";
    let dns = DnsServer::start().await?;
    let local = format!("localhost.{DOMAIN}");
    for (name, ports) in
        [("test1", &[27017, 27018][..]), ("test2", &[27018, 27019]), ("test23", &[8000]), ("test24", &[8000])]
    {
        ports.iter().for_each(|port| dns.srv(&format!("_mongodb._tcp.{name}.{DOMAIN}"), *port, &local));
    }
    for number in [3, 5, 6, 7, 8, 10, 11, 20, 21] {
        dns.srv(&format!("_mongodb._tcp.test{number}.{DOMAIN}"), 27017, &local);
    }
    for (number, target) in [
        (12, "localhost.build.10gen.cc"),
        (13, "test.build.10gen.cc"),
        (14, "localhost.not-test.build.10gen.cc"),
        (15, "localhost.test.not-build.10gen.cc"),
        (16, "localhost.test.build.not-10gen.cc"),
        (17, "localhost.test.build.10gen.not-cc"),
        (18, "localhost.sub.test.build.10gen.cc"),
        (19, "localhost.evil.build.10gen.cc"),
        (19, "localhost.test.build.10gen.cc"),
    ] {
        dns.srv(&format!("_mongodb._tcp.test{number}.{DOMAIN}"), 27017, target);
    }
    for port in [27017, 27018] {
        dns.srv(&format!("_customname._tcp.test22.{DOMAIN}"), port, &local);
    }
    for (number, strings) in [
        (5, &["replicaSet=repl0&authSource=thisDB"][..]),
        (6, &["replicaSet=repl0"]),
        (6, &["authSource=otherDB"]),
        (7, &["ssl=false"]),
        (8, &["authSource"]),
        (10, &["socketTimeoutMS=500"]),
        (11, &["replicaS", "et=rep", "l0"]),
        (20, &["loadBalanced=true"]),
        (21, &["loadBalanced=false"]),
        (24, &["loadBalanced=true"]),
    ] {
        dns.txt(&format!("test{number}.{DOMAIN}"), strings);
    }
    Ok(dns)
}
