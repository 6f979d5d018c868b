//! Proving who we are: to real servers, and to pretended ones that cheat or forget.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mongo_actors::{
    Client,
    bson::{Binary, Document, doc, spec::BinarySubtype},
    error::{ErrorKind, Outcome, Result},
    event::{CommandFailedEvent, CommandListener, CommandStartedEvent},
    options::TlsOptions,
};
use mongo_actors_testkit::{
    CertificateSpec, Received, Reply, ScriptedServer, ServerTls, Standalone, TlsAuthority, TlsCertificate,
};

async fn ping(client: &Client) -> Result<()> {
    client.database("admin").run_command(doc! { "ping": 1 }).await.map(drop)
}

/// Who the server takes the client for.
async fn identity(client: &Client) -> (String, String) {
    let status = client.database("admin").run_command(doc! { "connectionStatus": 1 }).await.unwrap();
    let users = status.get_document("authInfo").unwrap().get_array("authenticatedUsers").unwrap();
    let user = users[0].as_document().unwrap();
    (user.get_str("user").unwrap().to_owned(), user.get_str("db").unwrap().to_owned())
}

fn binary(bytes: impl Into<Vec<u8>>) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.into() }
}

/// How often the mechanism succeeded, and how often of these in the first hello.
async fn successes(server: &Standalone, mechanism: &str) -> (i64, i64) {
    let status = server.member().server_status().await.unwrap();
    let mechanisms = status.get_document("security").unwrap().get_document("authentication").unwrap();
    let counters = mechanisms.get_document("mechanisms").unwrap().get_document(mechanism).unwrap();
    let of = |kind| counters.get_document(kind).unwrap().get_i64("successful").unwrap();
    (of("authenticate"), of("speculativeAuthenticate"))
}

async fn x509_server() -> (Standalone, TlsCertificate) {
    let authority = TlsAuthority::new().unwrap();
    let client = authority.issue(CertificateSpec::client("alice")).unwrap();
    let server = Standalone::builder().auth("root", "secret").tls(ServerTls::new(&authority).unwrap());
    let server = server.start().await.unwrap();
    let role = doc! { "role": "readWriteAnyDatabase", "db": "admin" };
    server.member().command("$external", doc! { "createUser": client.subject(), "roles": [role] }).await.unwrap();
    (server, client)
}

/// The options of the server's connection string, without its user.
fn x509_uri(server: &Standalone, certificate: &TlsCertificate, user: &str) -> String {
    let uri = server.uri();
    let (_, rest) = uri.split_once('@').unwrap();
    let file = certificate.file().display();
    format!("mongodb://{user}{rest}&authMechanism=MONGODB-X509&tlsCertificateKeyFile={file}")
}

#[tokio::test]
async fn a_certificate_names_its_user() {
    let (server, certificate) = x509_server().await;
    let client = Client::with_uri_str(&x509_uri(&server, &certificate, "")).await.unwrap();
    assert_eq!(identity(&client).await, (certificate.subject().to_owned(), "$external".to_owned()));
    client.database("it").collection("things").insert_one(doc! { "_id": 1 }).await.unwrap();
    client.close().await;
    let (all, speculative) = successes(&server, "MONGODB-X509").await;
    assert!(speculative >= 1, "{all}, {speculative}");

    let user = certificate.subject().replace('=', "%3D").replace(',', "%2C") + "@";
    let client = Client::with_uri_str(&x509_uri(&server, &certificate, &user)).await.unwrap();
    assert_eq!(identity(&client).await.0, certificate.subject());
    client.close().await;
}

#[tokio::test]
async fn a_certificate_of_nobody_or_of_somebody_else_is_refused() {
    let (server, certificate) = x509_server().await;
    for uri in [x509_uri(&server, &certificate, "CN%3Dmallory@"), {
        let authority_less = server.uri();
        let (_, rest) = authority_less.split_once('@').unwrap();
        format!("mongodb://{rest}&authMechanism=MONGODB-X509")
    }] {
        let client = Client::with_uri_str(&uri).await.unwrap();
        let error = ping(&client).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
        assert!(error.to_string().contains("authentication failed"), "{error}");
        client.close().await;
    }
}

#[tokio::test]
async fn scram_of_both_kinds_is_negotiated_and_sent_in_the_first_hello() {
    let server = Standalone::builder().auth("root", "secret").start().await.unwrap();
    let create = |name: &str, mechanisms: &[&str]| {
        doc! { "createUser": name, "pwd": "pencil", "roles": ["root"], "mechanisms": mechanisms.to_vec() }
    };
    for (name, mechanisms) in
        [("old", &["SCRAM-SHA-1"][..]), ("new", &["SCRAM-SHA-256"]), ("both", &["SCRAM-SHA-1", "SCRAM-SHA-256"])]
    {
        server.member().admin(create(name, mechanisms)).await.unwrap();
    }
    let host = server.member().address();
    let uri = |user: &str, rest: &str| format!("mongodb://{user}@{host}/{rest}");
    for (uri, succeeds) in [
        (uri("old:pencil", ""), true),
        (uri("new:pencil", ""), true),
        (uri("both:pencil", "?authSource=admin"), true),
        (uri("both:pencil", "?authMechanism=SCRAM-SHA-1"), true),
        (uri("both:pencil", "?authMechanism=SCRAM-SHA-256"), true),
        (uri("old:pencil", "?authMechanism=SCRAM-SHA-256"), false),
        (uri("both:Pencil", ""), false),
        (uri("both:pencil", "elsewhere"), false),
        (uri("both:pencil", "elsewhere?authSource=admin"), true),
    ] {
        let client = Client::with_uri_str(&uri).await.unwrap();
        let outcome = client.database("admin").run_command(doc! { "usersInfo": 1 }).await;
        match outcome {
            Ok(_) => assert!(succeeds, "{uri}"),
            Err(error) => {
                assert!(!succeeds, "{uri}: {error}");
                assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
                assert!(!error.to_string().contains("encil"), "{error}");
            }
        }
        client.close().await;
    }
    let (_, speculative) = successes(&server, "SCRAM-SHA-256").await;
    assert!(speculative >= 3, "{speculative}");
}

#[tokio::test]
async fn names_and_passwords_are_prepared_as_the_specification_says() {
    let server = Standalone::builder().auth("root", "secret").start().await.unwrap();
    // The prose test: "IX" and "IV" in several notations.
    for (name, password) in [("IX", "IX"), ("\u{2168}", "\u{2163}")] {
        let create = doc! {
            "createUser": name, "pwd": password, "roles": ["root"], "mechanisms": ["SCRAM-SHA-256"],
        };
        server.member().admin(create).await.unwrap();
    }
    let host = server.member().address().to_string();
    for (name, password) in
        [("IX", "IX"), ("IX", "I\u{ad}X"), ("\u{2168}", "IV"), ("\u{2168}", "I\u{ad}V"), ("\u{2168}", "\u{2163}")]
    {
        let client = Client::builder().hosts([host.as_str()]).username(name).password(password).build().unwrap();
        client.database("admin").run_command(doc! { "usersInfo": 1 }).await.unwrap();
        client.close().await;
    }
}

/// A server that answers to what was not asked gets no operation before it got the proof.
#[tokio::test]
async fn a_promise_that_all_is_well_does_not_stand_for_the_conversation() {
    let answer = doc! { "conversationId": 1, "done": true, "payload": binary(""), "ok": 1 };
    let server = ScriptedServer::builder()
        .hello(doc! { "speculativeAuthenticate": answer.clone() })
        .on("saslStart", Reply::document(answer))
        .start()
        .await
        .unwrap();
    let uri = server.uri().replace("mongodb://", "mongodb://alice:pencil@") + "?authMechanism=PLAIN";
    let client = Client::with_uri_str(&uri).await.unwrap();
    ping(&client).await.unwrap();
    client.close().await;
    assert!(!server.received_named("saslStart").is_empty(), "nothing was proved");
}

/// What a pretended server got as PLAIN.
fn plain_payload(command: &Received) -> Vec<u8> {
    command.body.get_binary_generic("payload").unwrap().clone()
}

fn plain_reply(command: &Received) -> Reply {
    match plain_payload(command) == b"\0alice\0pencil" {
        true => Reply::document(doc! { "conversationId": 1, "done": true, "payload": binary(""), "ok": 1 }),
        false => Reply::error(18, "AuthenticationFailed", "Authentication failed."),
    }
}

#[tokio::test]
async fn plain_is_sent_after_the_handshake_and_encrypted() {
    let authority = TlsAuthority::new().unwrap();
    let server = ScriptedServer::builder()
        .tls(ServerTls::new(&authority).unwrap())
        .with("saslStart", plain_reply)
        .start()
        .await
        .unwrap();
    let uri = server.uri().replace("mongodb://", "mongodb://alice:pencil@") + "&authMechanism=PLAIN";
    let client = Client::with_uri_str(&uri).await.unwrap();
    assert!(client.options().notices().is_empty(), "{:?}", client.options().notices());
    ping(&client).await.unwrap();
    client.close().await;
    let start = &server.received_named("saslStart")[0];
    assert_eq!((start.database.as_str(), start.body.get_str("mechanism").unwrap()), ("$external", "PLAIN"));
    let hello = &server.received().into_iter().find(|command| command.name.to_lowercase() == "ismaster").unwrap();
    assert!(!hello.body.contains_key("speculativeAuthenticate") && !hello.body.contains_key("saslSupportedMechs"));

    let wrong = uri.replace("pencil", "pen");
    let client = Client::with_uri_str(&wrong).await.unwrap();
    let error = ping(&client).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
    client.close().await;
}

#[tokio::test]
async fn plain_without_tls_draws_a_warning() {
    let uri = "mongodb://alice:pencil@localhost/?authMechanism=PLAIN";
    let client = Client::with_uri_str(uri).await.unwrap();
    assert!(client.options().notices().iter().any(|notice| notice.to_string().contains("PLAIN")));
    client.close().await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    for mechanism in ["GSSAPI", "MONGODB-OIDC"] {
        let properties = if mechanism == "GSSAPI" { "" } else { "&authMechanismProperties=ENVIRONMENT:k8s" };
        let uri = format!("mongodb://alice@localhost/?authMechanism={mechanism}{properties}");
        let error = Client::with_uri_str(&uri).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Configuration { .. }), "{error:?}");
        assert!(error.to_string().contains("authMechanism"), "{error}");
    }
}

#[tokio::test]
async fn aws_signs_what_the_server_asks_for() {
    let server = ScriptedServer::builder()
        .with("saslStart", |command| {
            let first = Document::from_reader(plain_payload(command).as_slice()).unwrap();
            let nonce = [first.get_binary_generic("r").unwrap().as_slice(), &[7; 32]].concat();
            let challenge = doc! { "s": binary(nonce), "h": "sts.eu-west-1.amazonaws.com" }.to_vec().unwrap();
            Reply::document(doc! { "conversationId": 1, "done": false, "payload": binary(challenge), "ok": 1 })
        })
        .on("saslContinue", Reply::document(doc! { "conversationId": 1, "done": true, "payload": binary(""), "ok": 1 }))
        .start()
        .await
        .unwrap();
    let uri = server.uri().replace("mongodb://", "mongodb://AKIDEXAMPLE:c3cr3t@")
        + "?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:t0ken";
    let client = Client::with_uri_str(&uri).await.unwrap();
    ping(&client).await.unwrap();
    client.close().await;
    let second = server.received_named("saslContinue").remove(0);
    assert_eq!(second.database, "$external");
    let second = Document::from_reader(plain_payload(&second).as_slice()).unwrap();
    let authorization = second.get_str("a").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/sts/aws4_request") && !authorization.contains("c3cr3t"));
    assert_eq!(second.get_str("t").unwrap(), "t0ken");
}

/// Commands and their failures, by name.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl CommandListener for Diary {
    fn command_started(&self, event: &CommandStartedEvent) {
        self.0.lock().unwrap().push(event.command_name.to_string());
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        self.0.lock().unwrap().push(format!("{} failed", event.command_name));
    }
}

fn expired() -> Reply {
    Reply::error(391, "ReauthenticationRequired", "the credentials have expired")
}

async fn plain_server() -> (ScriptedServer, Client, Arc<Diary>) {
    let server = ScriptedServer::builder()
        .with("saslStart", plain_reply)
        .on("insert", Reply::document(doc! { "n": 1, "ok": 1 }))
        .start()
        .await
        .unwrap();
    let diary = Arc::new(Diary::default());
    let client = Client::builder()
        .uri(server.uri().replace("mongodb://", "mongodb://alice:pencil@") + "?authMechanism=PLAIN&retryWrites=false")
        .command_listener(diary.clone())
        .build()
        .unwrap();
    (server, client, diary)
}

#[tokio::test]
async fn expired_credentials_are_renewed_and_the_command_repeated_on_the_same_connection() {
    let (server, client, diary) = plain_server().await;
    let things = client.database("it").collection::<Document>("things");
    server.once("insert", expired());
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let inserts = server.received_named("insert");
    assert_eq!(inserts.len(), 2);
    assert_eq!(inserts[0].connection, inserts[1].connection);
    assert_eq!(inserts[0].body, inserts[1].body);
    let starts = server.received_named("saslStart");
    assert_eq!(starts.len(), 2);
    assert!(starts.iter().all(|start| start.connection == inserts[0].connection));
    client.flush_events().await;
    let diary: Vec<_> = diary.0.lock().unwrap().iter().filter(|line| line.contains("insert")).cloned().collect();
    assert_eq!(diary, ["insert", "insert failed", "insert"]);
    things.insert_one(doc! { "_id": 2 }).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn credentials_are_renewed_once_for_an_operation() {
    let (server, client, _) = plain_server().await;
    server.once("insert", expired());
    server.once("insert", expired());
    let things = client.database("it").collection::<Document>("things");
    let error = things.insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert_eq!(error.code(), Some(391));
    assert_eq!(error.outcome(), Outcome::Rejected);
    assert_eq!(server.received_named("insert").len(), 2);
    client.close().await;
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_end_the_connection() {
    let (server, client, _) = plain_server().await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    server.once("insert", expired());
    server.once("saslStart", Reply::error(18, "AuthenticationFailed", "Authentication failed."));
    let error = things.insert_one(doc! { "_id": 2 }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Authentication { .. }), "{error:?}");
    assert_ne!(error.outcome(), Outcome::Unknown);
    let old = server.received_named("insert")[0].connection;
    things.insert_one(doc! { "_id": 3 }).await.unwrap();
    assert_ne!(server.received_named("insert").last().unwrap().connection, old);
    client.close().await;
}

#[tokio::test]
async fn a_renewal_that_is_never_answered_ends_with_the_operation() {
    let (server, client, _) = plain_server().await;
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    server.once("insert", expired());
    server.once("saslStart", Reply::Never);
    let started = Instant::now();
    let timed = client
        .database_with_options("it", mongo_actors::options::DatabaseOptions::new().timeout(Duration::from_millis(300)));
    let error = timed.collection::<Document>("things").insert_one(doc! { "_id": 2 }).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    things.insert_one(doc! { "_id": 3 }).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn scram_is_renewed_too() {
    let server = Standalone::builder().auth("root", "secret").start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    things.insert_one(doc! { "_id": 1 }).await.unwrap();
    let fail = mongo_actors_testkit::FailPoint::fail_command(["insert"]).times(1).error_code(391);
    let _enabled = server.member().enable(fail).await.unwrap();
    let (before, _) = successes(&server, "SCRAM-SHA-256").await;
    things.insert_one(doc! { "_id": 2 }).await.unwrap();
    let (after, _) = successes(&server, "SCRAM-SHA-256").await;
    assert!(after > before, "{before}, {after}");
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
    client.close().await;
}

#[tokio::test]
async fn an_explicit_session_goes_on_after_credentials_were_renewed() {
    let server = Standalone::builder().auth("root", "secret").start().await.unwrap();
    let client = Client::with_uri_str(&server.uri()).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    let mut session = client.start_session().await.unwrap();
    let fail = mongo_actors_testkit::FailPoint::fail_command(["insert"]).times(1).error_code(391);
    let _enabled = server.member().enable(fail).await.unwrap();
    things.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    let found = things.find_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    assert_eq!(found, Some(doc! { "_id": 1 }));
    client.close().await;
}

#[tokio::test]
async fn credentials_in_code_complete_and_replace_those_of_the_uri() {
    let server = Standalone::builder().auth("root", "secret").start().await.unwrap();
    let host = server.member().address();
    let complete = Client::builder().uri(format!("mongodb://root@{host}/")).password("secret").build().unwrap();
    assert_eq!(identity(&complete).await, ("root".to_owned(), "admin".to_owned()));
    complete.close().await;
    let replace = Client::builder()
        .uri(format!("mongodb://nobody:wrong@{host}/db?authSource=elsewhere"))
        .username("root")
        .password("secret")
        .auth_source("admin")
        .build()
        .unwrap();
    assert_eq!(identity(&replace).await.0, "root");
    replace.close().await;
}

#[tokio::test]
async fn the_client_certificate_alone_authenticates_nobody() {
    let (server, certificate) = x509_server().await;
    let ca = server.uri();
    let ca = ca.split("tlsCAFile=").nth(1).unwrap();
    let ca = ca.split('&').next().unwrap().replace("%2F", "/");
    let options = TlsOptions::new().with_ca_file(ca).with_cert_key_file(certificate.file());
    let client = Client::builder().uri(server.uri_without_credentials()).tls(options).build().unwrap();
    let error = client.database("it").collection("things").insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert_eq!(error.code(), Some(13), "{error}");
    client.close().await;
}
