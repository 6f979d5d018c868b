//! MONGODB-AWS with keys that a container's agent or an instance hands out, both of them pretended.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bson::{Binary, DateTime, Document, doc, rawdoc, spec::BinarySubtype};
use mongo_actors_engine::{Engine, EngineSettings, Operation};
use mongo_actors_protocol::options::ClientOptions;
use mongo_actors_testkit::{Received, Reply, ScriptedServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{command, run};

/// What is asked for, and the answer: a status, and a body.
type Answer = Box<dyn Fn(&str) -> (u16, String) + Send>;

/// An HTTP server that keeps the heads of the requests it got.
struct Endpoint {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Endpoint {
    async fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (kept, answering) = (heads.clone(), answer.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone(), answering.clone()));
            }
        });
        Self { url, heads, answer }
    }

    fn answer_with(&self, answer: impl Fn(&str) -> (u16, String) + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, answer: Arc<Mutex<Answer>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let (status, body) = answer.lock().unwrap()(&head);
    heads.lock().unwrap().push(head);
    let answer =
        format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Keys for so long.
fn keys(id: &str, left: Duration) -> (u16, String) {
    let expiration = DateTime::from_system_time(SystemTime::now() + left).try_to_rfc3339_string().unwrap();
    let keys = format!(
        r#"{{ "AccessKeyId": "{id}", "SecretAccessKey": "s3cr3t", "Token": "t0ken", "Expiration": "{expiration}" }}"#
    );
    (200, keys)
}

const HOUR: Duration = Duration::from_secs(3600);

fn payload(command: &Received) -> Document {
    Document::from_reader(command.body.get_binary_generic("payload").unwrap().as_slice()).unwrap()
}

fn sasl(done: bool, payload: Vec<u8>) -> Reply {
    let payload = Binary { subtype: BinarySubtype::Generic, bytes: payload };
    Reply::document(doc! { "conversationId": 1, "done": done, "payload": payload, "ok": 1 })
}

/// A server that takes every signature.
async fn server() -> ScriptedServer {
    let challenge = |command: &Received| {
        let nonce = [payload(command).get_binary_generic("r").unwrap().as_slice(), &[7; 32]].concat();
        let nonce = Binary { subtype: BinarySubtype::Generic, bytes: nonce };
        sasl(false, doc! { "s": nonce, "h": "sts.amazonaws.com" }.to_vec().unwrap())
    };
    let builder = ScriptedServer::builder().with("saslStart", challenge);
    builder.on("saslContinue", sasl(true, Vec::new())).start().await.unwrap()
}

/// Whose signatures the server got.
fn signers(server: &ScriptedServer) -> Vec<String> {
    let signer = |command: &Received| {
        let payload = payload(command);
        assert_eq!(payload.get_str("t").unwrap(), "t0ken");
        let authorization = payload.get_str("a").unwrap().to_owned();
        authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
    };
    server.received_named("saslContinue").iter().map(signer).collect()
}

fn client(server: &ScriptedServer, variables: &[(&str, &str)]) -> Engine {
    let uri = format!("{}?authMechanism=MONGODB-AWS&connectTimeoutMS=2000", server.uri());
    let mut settings = EngineSettings::new(ClientOptions::parse(&uri).unwrap());
    settings.placement = Some(mongo_actors_engine::Placement::Dedicated);
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings.conformance.variables = Some(Arc::new(variables.collect()));
    Engine::start(settings).unwrap()
}

fn ping() -> Operation {
    command("ping", rawdoc! { "ping": 1 })
}

/// Runs a command on a connection of its own.
async fn reconnect(server: &ScriptedServer, engine: &Engine) {
    let known = signers(server).len();
    server.close_connections().await;
    while signers(server).len() == known {
        drop(run(engine, ping()).await);
    }
}

#[tokio::test]
async fn keys_of_a_container_are_fetched_once_and_kept_until_they_are_about_to_end() {
    let endpoint = Endpoint::start(|_| keys("first", HOUR)).await;
    let (server, url) = (server().await, format!("{}/v1/credentials?x=1", endpoint.url));
    let variables =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in\n")];
    let engine = client(&server, &variables);
    run(&engine, ping()).await.unwrap();
    let head = endpoint.heads().remove(0);
    assert!(head.starts_with("GET /v1/credentials?x=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: let-me-in\r\n"), "{head}");
    reconnect(&server, &engine).await;
    assert_eq!((signers(&server), endpoint.heads().len()), (vec!["first".to_owned(); 2], 1));
    engine.close(None).await;

    // Four minutes are too few to be kept for another connection.
    endpoint.answer_with(|_| keys("second", Duration::from_secs(240)));
    server.forget_received();
    let engine = client(&server, &variables);
    run(&engine, ping()).await.unwrap();
    endpoint.answer_with(|_| keys("third", HOUR));
    reconnect(&server, &engine).await;
    assert_eq!(signers(&server), ["second", "third"]);
    engine.close(None).await;
}

#[tokio::test]
async fn keys_that_a_server_refuses_are_not_tried_again() {
    let endpoint = Endpoint::start(|_| keys("old", HOUR)).await;
    let server = server().await;
    let engine = client(&server, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.url)]);
    run(&engine, ping()).await.unwrap();
    endpoint.answer_with(|_| keys("new", HOUR));
    server.once("saslContinue", Reply::error(18, "AuthenticationFailed", "Authentication failed."));
    server.close_connections().await;
    let mut refusals = 0;
    while signers(&server).last().is_some_and(|signer| signer == "old") {
        refusals += usize::from(run(&engine, ping()).await.is_err());
    }
    assert!(refusals > 0, "the refusal was seen");
    assert_eq!(signers(&server), ["old", "old", "new"]);
    engine.close(None).await;
}

#[tokio::test]
async fn an_instance_is_asked_with_a_token_for_its_role_and_the_roles_keys() {
    let endpoint = Endpoint::start(|head| {
        let with_token = head.to_lowercase().contains("x-aws-ec2-metadata-token: tok-1\r\n");
        match head.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["PUT", "/latest/api/token"] => (200, "tok-1".to_owned()),
            ["GET", "/latest/meta-data/iam/security-credentials/"] if with_token => (200, "my-role\n".to_owned()),
            ["GET", "/latest/meta-data/iam/security-credentials/my-role"] if with_token => keys("of-role", HOUR),
            _ => (401, String::new()),
        }
    })
    .await;
    let server = server().await;
    let engine = client(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint.url)]);
    run(&engine, ping()).await.unwrap();
    assert_eq!(signers(&server), ["of-role"]);
    let first = endpoint.heads().remove(0).to_lowercase();
    assert!(first.contains("x-aws-ec2-metadata-token-ttl-seconds: 30\r\n"), "{first}");
    engine.close(None).await;
}

#[tokio::test]
async fn the_environment_goes_before_whoever_could_be_asked() {
    let endpoint = Endpoint::start(|_| keys("of-agent", HOUR)).await;
    let server = server().await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "of-environment"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_SESSION_TOKEN", "t0ken"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.url),
    ];
    let engine = client(&server, &variables);
    run(&engine, ping()).await.unwrap();
    assert_eq!((signers(&server), endpoint.heads().len()), (vec!["of-environment".to_owned()], 0));
    engine.close(None).await;
}

#[tokio::test]
async fn whoever_has_no_keys_is_named_and_bounded_in_time() {
    let server = server().await;
    let refusing = Endpoint::start(|_| (404, String::new())).await;
    let talking = Endpoint::start(|_| (200, "s3cr3t and no JSON".to_owned())).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")];
    let agent = |url| [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)];
    for (variables, expected) in [
        (&agent(refusing.url.as_str())[..], "404"),
        (&agent(&talking.url), "not JSON"),
        (&agent(&silent), "2000 ms"),
        (&agent("http://evil.example/"), "http://evil.example/"),
        (&web, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ] {
        let engine = client(&server, variables);
        let failure = run(&engine, ping()).await.unwrap_err().failure;
        let text = failure.cause.to_string();
        assert!(text.contains(expected) && !text.contains("s3cr3t"), "\"{expected}\" is not in: {text}");
        engine.close(None).await;
    }
    assert!(server.received_named("saslContinue").is_empty());
}
