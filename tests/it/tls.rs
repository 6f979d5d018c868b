//! Encrypted connections: to real servers, and to pretended ones with certificates good and bad.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use mongo_actors::{
    Client,
    bson::{Document, doc},
    error::{Error, ErrorKind, Result},
    options::{ServerMonitoringMode, TlsOptions},
};
use mongo_actors_testkit::{CertificateSpec, ReplicaSet, Reply, ScriptedServer, ServerTls, TlsAuthority};

const PASSWORD: &str = "open-sesame";

/// Keys that OpenSSL has written and, but for the first, encrypted with [`PASSWORD`].
const KEY: &str = include_str!("../../actors/src/net/tls/fixtures/ec.pkcs8.pem");
const ENCRYPTED_KEYS: [(&str, &str); 4] = [
    ("PKCS#8, AES", include_str!("../../actors/src/net/tls/fixtures/ec.pkcs8-aes256.pem")),
    ("PKCS#8, 3DES", include_str!("../../actors/src/net/tls/fixtures/ec.pkcs8-des3.pem")),
    ("PKCS#8, scrypt", include_str!("../../actors/src/net/tls/fixtures/ec.pkcs8-scrypt.pem")),
    ("legacy, AES", include_str!("../../actors/src/net/tls/fixtures/ec.legacy-aes256.pem")),
];

async fn scripted(tls: ServerTls) -> ScriptedServer {
    ScriptedServer::builder().tls(tls).start().await.unwrap()
}

/// A server whose certificate is what `spec` says.
async fn showing(authority: &TlsAuthority, spec: CertificateSpec) -> ScriptedServer {
    scripted(ServerTls::with_certificate(authority, authority.issue(spec).unwrap()).unwrap()).await
}

fn plain_uri(server: &ScriptedServer) -> String {
    format!("mongodb://{}/?serverSelectionTimeoutMS=2000", server.address())
}

/// Pings with nothing but these options.
async fn ping(server: &ScriptedServer, options: TlsOptions) -> Result<()> {
    ping_with(Client::builder().uri(plain_uri(server)).tls(options).build()?).await
}

async fn ping_with(client: Client) -> Result<()> {
    let outcome = client.database("admin").run_command(doc! { "ping": 1 }).await;
    client.close().await;
    outcome.map(drop)
}

fn trusting(authority: &TlsAuthority) -> TlsOptions {
    TlsOptions::new().with_ca_file(authority.ca_file())
}

/// The error says this, and no command has reached the server.
#[track_caller]
fn assert_refused(outcome: Result<()>, server: &ScriptedServer, expected: &str) {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expected), "\"{expected}\" is not in: {text}");
    assert!(server.received().is_empty(), "{:?}", server.received());
}

#[tokio::test]
async fn a_replica_set_that_demands_certificates_and_passwords_is_reached_by_a_uri_alone() {
    let authority = TlsAuthority::new().unwrap();
    let tls = ServerTls::new(&authority).unwrap().require_client_certificates();
    let set = ReplicaSet::builder(3).auth("alice", "pa:ss").tls(tls).start().await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    let text = "x".repeat(12 << 20);
    things.insert_one(doc! { "_id": 1, "text": &text }).await.unwrap();
    let found = things.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(found.get_str("text").unwrap(), text);
    things.insert_many((2..5000).map(|id| doc! { "_id": id })).await.unwrap();
    assert_eq!(things.count_documents(doc! {}).await.unwrap(), 4999);
    let status = client.database("admin").run_command(doc! { "connectionStatus": 1 }).await.unwrap();
    let users = status.get_document("authInfo").unwrap().get_array("authenticatedUsers").unwrap();
    assert_eq!(users[0].as_document().unwrap().get_str("user").unwrap(), "alice");
    client.close().await;
}

#[tokio::test]
async fn only_servers_of_a_trusted_authority_are_spoken_to() {
    let (ours, other) = (TlsAuthority::new().unwrap(), TlsAuthority::rsa().unwrap());
    let server = showing(&ours, CertificateSpec::server()).await;
    let (platform, foreign) = tokio::join!(ping(&server, TlsOptions::new()), ping(&server, trusting(&other)));
    assert_refused(platform, &server, "name the authority's certificates with tlsCAFile");
    assert_refused(foreign, &server, "name the authority's certificates with tlsCAFile");
    ping(&server, trusting(&ours)).await.unwrap();
    ping(&server, TlsOptions::new().with_ca_pem(ours.ca_pem().unwrap())).await.unwrap();
    ping(&server, TlsOptions::insecure()).await.unwrap();
    ping(&server, TlsOptions::new().with_allow_invalid_certificates(true)).await.unwrap();

    let both = format!("{}{}", other.ca_pem().unwrap(), ours.ca_pem().unwrap());
    ping(&server, TlsOptions::new().with_ca_pem(both)).await.unwrap();
    let rsa = showing(&other, CertificateSpec::server()).await;
    ping(&rsa, trusting(&other)).await.unwrap();
}

#[tokio::test]
async fn an_intermediate_authority_is_known_by_its_root() {
    let root = TlsAuthority::new().unwrap();
    let server = showing(&root.intermediate().unwrap(), CertificateSpec::server()).await;
    ping(&server, trusting(&root)).await.unwrap();
}

#[tokio::test]
async fn a_server_may_show_the_trusted_certificate_itself() {
    let (authority, other) = (TlsAuthority::new().unwrap(), TlsAuthority::new().unwrap());
    let tls = ServerTls::with_certificate(&authority, authority.own_certificate().unwrap()).unwrap();
    let server = scripted(tls).await;
    assert_refused(ping(&server, trusting(&other)).await, &server, "certificate");
    let list = authority.revocation_list(&[]).unwrap();
    assert_refused(ping(&server, trusting(&authority).with_crl_file(list)).await, &server, "certificate");
    ping(&server, trusting(&authority)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_must_be_that_of_the_host() {
    let authority = TlsAuthority::new().unwrap();
    let other = TlsAuthority::new().unwrap();
    let server = showing(&authority, CertificateSpec::server().names(["db.example"])).await;
    assert_refused(ping(&server, trusting(&authority)).await, &server, "127.0.0.1");
    // The chain is checked still.
    let allowed = TlsOptions::new().with_allow_invalid_hostnames(true);
    let foreign = allowed.clone().with_ca_file(other.ca_file());
    assert_refused(ping(&server, foreign).await, &server, "tlsCAFile");
    ping(&server, allowed.with_ca_file(authority.ca_file())).await.unwrap();
    ping(&server, TlsOptions::insecure()).await.unwrap();
}

#[tokio::test]
async fn a_certificate_must_be_of_today() {
    let authority = TlsAuthority::new().unwrap();
    for (spec, expected) in [
        (CertificateSpec::server().expired(), "expired"),
        (CertificateSpec::server().not_yet_valid(), "not valid yet"),
        (CertificateSpec::client("somebody").names(["127.0.0.1"]), "certificate"),
    ] {
        let server = showing(&authority, spec).await;
        let lenient = trusting(&authority).with_allow_invalid_hostnames(true);
        let (strict, lenient) = tokio::join!(ping(&server, trusting(&authority)), ping(&server, lenient));
        assert_refused(strict, &server, expected);
        assert_refused(lenient, &server, expected);
        ping(&server, TlsOptions::new().with_allow_invalid_certificates(true)).await.unwrap();
    }
}

#[tokio::test]
async fn revocation_lists_are_obeyed() {
    let authority = TlsAuthority::new().unwrap();
    let other = TlsAuthority::new().unwrap();
    let tls = ServerTls::new(&authority).unwrap();
    let revoked = tls.certificate().clone();
    let innocent = authority.issue(CertificateSpec::server()).unwrap();
    let server = scripted(tls).await;
    let with = |list: std::path::PathBuf| ping(&server, trusting(&authority).with_crl_file(list));
    let stale = authority.stale_revocation_list(&[]).unwrap();
    let (pem, der, foreign, stale) = tokio::join!(
        with(authority.revocation_list(&[&innocent, &revoked]).unwrap()),
        with(authority.revocation_list_der(&[&revoked]).unwrap()),
        with(other.revocation_list(&[]).unwrap()),
        with(stale),
    );
    assert_refused(pem, &server, "revoked");
    assert_refused(der, &server, "revoked");
    assert_refused(foreign, &server, "no list in tlsCRLFile covers its certificate");
    assert_refused(stale, &server, "has expired: fetch a newer one");
    with(authority.revocation_list(&[&innocent]).unwrap()).await.unwrap();
    with(authority.revocation_list_der(&[]).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_is_shown_whatever_hides_its_key() {
    let authority = TlsAuthority::new().unwrap();
    let server = scripted(ServerTls::new(&authority).unwrap().require_client_certificates()).await;
    assert_refused(ping(&server, trusting(&authority)).await, &server, "name one with tlsCertificateKeyFile");

    let client = authority.issue(CertificateSpec::client("alice").key_pem(KEY)).unwrap();
    ping(&server, trusting(&authority).with_cert_key_file(client.file())).await.unwrap();
    let pem = format!("{}{KEY}", client.certificate_pem());
    ping(&server, trusting(&authority).with_cert_key_pem(pem)).await.unwrap();
    for (form, key) in ENCRYPTED_KEYS {
        let options = trusting(&authority).with_cert_key_file(client.file_with(key).unwrap());
        let error = ping(&server, options.clone()).await.unwrap_err();
        assert_option(&error, "tlsCertificateKeyFilePassword", form);
        let error = ping(&server, options.clone().with_cert_key_password("wrong")).await.unwrap_err();
        assert_option(&error, "tlsCertificateKeyFilePassword", form);
        ping(&server, options.with_cert_key_password(PASSWORD)).await.expect(form);
    }
    // The key first, as some tools write it; and apart, as others do.
    let key_first = client.write("swapped.pem", &format!("{KEY}{}", client.certificate_pem())).unwrap();
    ping(&server, trusting(&authority).with_cert_key_file(key_first)).await.unwrap();
    let mut apart = trusting(&authority).with_cert_key_file(client.file_with("").unwrap());
    apart.key_file = Some(client.write("key.pem", ENCRYPTED_KEYS[0].1).unwrap());
    ping(&server, apart.with_cert_key_password(PASSWORD)).await.unwrap();
    assert!(server.handshakes().iter().all(|handshake| handshake.client_certificate));

    let stranger = TlsAuthority::new().unwrap().issue(CertificateSpec::client("mallory")).unwrap();
    let before = server.received().len();
    let refused = ping(&server, trusting(&authority).with_cert_key_file(stranger.file())).await.unwrap_err();
    assert!(refused.to_string().contains("tlsCertificateKeyFile"), "{refused}");
    assert_eq!(server.received().len(), before);
}

#[track_caller]
fn assert_option(error: &Error, option: &str, context: &str) {
    let ErrorKind::Configuration { options, .. } = error.kind() else { panic!("{context}: {error}") };
    assert_eq!(options, &[option], "{context}: {error}");
}

#[tokio::test]
async fn what_cannot_be_used_is_an_error_of_the_builder() {
    let authority = TlsAuthority::new().unwrap();
    let client = authority.issue(CertificateSpec::client("alice")).unwrap();
    let other = authority.issue(CertificateSpec::client("bob")).unwrap();
    let build = |options: &[(&str, &Path)]| {
        let options: Vec<_> = options.iter().map(|(name, path)| format!("{name}={}", path.display())).collect();
        Client::builder().uri(format!("mongodb://localhost/?{}", options.join("&"))).build().unwrap_err()
    };
    let missing = Path::new("/nowhere/at/all.pem");
    for option in ["tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile"] {
        let error = build(&[(option, missing)]);
        assert_option(&error, option, "missing");
        assert!(error.to_string().contains("/nowhere/at/all.pem"), "{error}");
    }
    let mismatch = client.file_with(&other.key_pem()).unwrap();
    let error = build(&[("tlsCertificateKeyFile", &mismatch)]);
    assert!(error.to_string().contains("does not belong"), "{error}");
    assert_option(&build(&[("tlsCertificateKeyFile", authority.ca_file())]), "tlsCertificateKeyFile", "no key");
    assert_option(&build(&[("tlsCRLFile", authority.ca_file())]), "tlsCRLFile", "no list");
    let garbage = client.write("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let error = build(&[("tlsCAFile", &garbage)]);
    assert!(error.to_string().contains("garbage"), "{error}");
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_sessions_resumed() {
    let authority = TlsAuthority::new().unwrap();
    let tls = ServerTls::new(&authority).unwrap();
    for (tls, is_13) in [(tls.clone().tls12(), false), (tls.tls13(), true)] {
        let found = Reply::cursor("it.things", [doc! { "_id": 1 }]);
        let server = ScriptedServer::builder().tls(tls).on("find", found).start().await.unwrap();
        let client =
            Client::builder().uri(server.uri()).server_monitoring_mode(ServerMonitoringMode::Poll).build().unwrap();
        for _ in 0..3 {
            // A read is repeated if the end of the connection is noticed too late.
            client.database("it").collection::<Document>("things").find_one(doc! {}).await.unwrap();
            server.close_connections().await;
        }
        client.close().await;
        let handshakes = server.handshakes();
        assert!(handshakes.iter().all(|handshake| handshake.tls13 == is_13), "{handshakes:?}");
        assert!(!handshakes[0].resumed && handshakes.iter().any(|handshake| handshake.resumed), "{handshakes:?}");
    }
}

#[tokio::test]
async fn the_host_is_named_in_the_handshake_as_the_seed_names_it() {
    let authority = TlsAuthority::new().unwrap();
    let server = showing(&authority, CertificateSpec::server()).await;
    let port = server.socket_address().port();
    for (host, expected) in [("localhost", Some("localhost")), ("127.0.0.1", None)] {
        let before = server.handshakes().len();
        let client = Client::builder().uri(format!("mongodb://{host}:{port}")).tls(trusting(&authority)).build();
        ping_with(client.unwrap()).await.unwrap();
        let handshakes = server.handshakes();
        let names = handshakes[before..].iter().map(|handshake| handshake.server_name.as_deref());
        assert!(
            handshakes.len() > before && names.clone().all(|name| name == expected),
            "{:?}",
            names.collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_client_that_is_to_use_tls_never_speaks_in_the_clear() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let error = ping(&server, TlsOptions::insecure()).await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_client_without_tls_gets_an_error_from_a_server_with_it() {
    let authority = TlsAuthority::new().unwrap();
    let server = showing(&authority, CertificateSpec::server()).await;
    let outcome = ping_with(Client::with_uri_str(&plain_uri(&server)).await.unwrap()).await;
    assert_refused(outcome, &server, "closed the connection");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_connect_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let uri = format!("mongodb://{address}/?connectTimeoutMS=200&serverSelectionTimeoutMS=1500");
    let started = Instant::now();
    let client = Client::builder().uri(uri).tls(TlsOptions::insecure()).build().unwrap();
    let error = ping_with(client).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(error.to_string().contains("no answer within 200 ms"), "{error}");
}

#[tokio::test]
async fn connections_that_break_in_the_middle_are_replaced() {
    let authority = TlsAuthority::new().unwrap();
    let server = ScriptedServer::builder()
        .tls(ServerTls::new(&authority).unwrap())
        .nth("find", 0, Reply::Reset)
        .nth("find", 1, Reply::Truncated { document: doc! { "ok": 1 }, bytes: 20 })
        .on("find", Reply::cursor("it.things", [doc! { "_id": 1 }]))
        .start()
        .await
        .unwrap();
    let client = Client::with_uri_str(&server.uri_with(&[("retryReads", "false")])).await.unwrap();
    let things = client.database("it").collection::<Document>("things");
    for _ in 0..2 {
        let error = things.find_one(doc! {}).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::AutoReconnect { .. }), "{error:?}");
    }
    assert_eq!(things.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1 }));
    client.close().await;
}

/// The platform's trust store is read once per process and named by its environment: so this one runs as another
/// process, below.
#[tokio::test]
#[ignore = "run by the_trust_store_of_the_platform_is_the_default"]
async fn with_the_trust_store_of_the_environment() {
    let uri = std::env::var("IT_TLS_URI").unwrap();
    ping_with(Client::with_uri_str(uri).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_trust_store_of_the_platform_is_the_default() {
    let authority = TlsAuthority::new().unwrap();
    let server = showing(&authority, CertificateSpec::server()).await;
    let run = |store: &Path| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "tls::with_the_trust_store_of_the_environment", "--ignored"]);
        child.env("SSL_CERT_FILE", store).env("SSL_CERT_DIR", "/nowhere");
        child.env("IT_TLS_URI", format!("{}&tls=true", plain_uri(&server)));
        tokio::task::spawn_blocking(move || child.output().unwrap())
    };
    let trusted = run(authority.ca_file()).await.unwrap();
    assert!(trusted.status.success(), "{}", String::from_utf8_lossy(&trusted.stdout));
    let other = TlsAuthority::new().unwrap();
    let foreign = run(other.ca_file()).await.unwrap();
    assert!(!foreign.status.success());
    assert!(String::from_utf8_lossy(&foreign.stdout).contains("tlsCAFile"));
    let empty = run(Path::new("/nowhere.pem")).await.unwrap();
    assert!(String::from_utf8_lossy(&empty.stdout).contains("trust store cannot be used"));
}
