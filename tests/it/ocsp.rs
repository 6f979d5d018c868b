//! Revoked certificates: the whole table of the OCSP specification on real servers, and every lie a pretended one, or
//! a responder, can tell.

use std::time::{Duration, Instant};

use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use mongo_actors::{
    Client,
    bson::doc,
    error::Result,
    options::{ServerMonitoringMode, TlsOptions},
};
use mongo_actors_testkit::{
    CertificateSpec, OcspAnswer, OcspBehaviour, OcspResponder, OcspStatus, ScriptedServer, ServerTls, Standalone,
    TlsAuthority,
};

async fn ping(uri: &str) -> Result<()> {
    let client = Client::builder().uri(uri).server_monitoring_mode(ServerMonitoringMode::Poll).build()?;
    let outcome = client.database("admin").run_command(doc! { "ping": 1 }).await;
    client.close().await;
    outcome.map(drop)
}

/// One column of the specification's table.
#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    /// What the responder says; none when there is no responder.
    status: Option<OcspStatus>,
    staples: bool,
    must_staple: bool,
    /// Whether a client with the default options may connect.
    accepted: bool,
}

const COLUMNS: [Column; 7] = {
    use OcspStatus::{Good, Revoked};
    [
        Column { name: "test 1", status: Some(Good), staples: true, must_staple: true, accepted: true },
        Column { name: "test 2", status: Some(Revoked), staples: true, must_staple: true, accepted: false },
        Column { name: "test 3", status: Some(Good), staples: false, must_staple: false, accepted: true },
        Column { name: "test 4", status: Some(Revoked), staples: false, must_staple: false, accepted: false },
        Column { name: "soft fail", status: None, staples: false, must_staple: false, accepted: true },
        Column { name: "malicious 1", status: Some(Revoked), staples: false, must_staple: true, accepted: false },
        Column { name: "malicious 2", status: None, staples: false, must_staple: true, accepted: false },
    ]
};

/// Starts the column's server, and checks every row.
async fn check(column: Column, rsa: bool, delegated: bool) {
    let authority = if rsa { TlsAuthority::rsa() } else { TlsAuthority::new() }.unwrap();
    let delegate = authority.issue(CertificateSpec::ocsp_delegate()).unwrap();
    let answer = OcspAnswer::new(column.status.unwrap_or(OcspStatus::Good));
    let answer = if delegated { answer.signed_by(&delegate) } else { answer };
    let responder = OcspResponder::start(&authority, OcspBehaviour::Answer(answer)).unwrap();
    let spec = CertificateSpec::server().responder(responder.url());
    let spec = if column.must_staple { spec.must_staple() } else { spec };
    let responder = column.status.map(|_| responder);
    let tls = ServerTls::with_certificate(&authority, authority.issue(spec).unwrap()).unwrap();
    let mut builder = Standalone::builder().tls(tls);
    if !column.staples {
        builder = builder.parameter("failpoint.disableStapling", "{\"mode\":\"alwaysOn\"}");
    }
    let server = builder.start().await.unwrap();
    let context = format!("{}, rsa {rsa}, delegated {delegated}", column.name);

    let timeout = ("serverSelectionTimeoutMS", if column.accepted { "20000" } else { "3000" });
    let asked = responder.as_ref().map(OcspResponder::requests);
    let default = ping(&server.uri_with(&[timeout])).await;
    assert_eq!(default.is_ok(), column.accepted, "{context}: {default:?}");
    if let Err(error) = default {
        let text = error.to_string();
        assert!(text.contains("revoked"), "{context}: {text}");
    }
    if let (Some(responder), Some(before)) = (&responder, asked) {
        // Whoever gets a stapled answer, or misses one, need not ask.
        assert_eq!(responder.requests() > before, !column.staples && !column.must_staple, "{context}");
    }
    for relaxed in ["tlsInsecure", "tlsAllowInvalidCertificates"] {
        let outcome = ping(&server.uri_with(&[(relaxed, "true")])).await;
        assert!(outcome.is_ok(), "{context}, {relaxed}: {outcome:?}");
    }
}

async fn check_all(rsa: bool, delegated: bool) {
    // Without a responder it does not matter who signs for it.
    let columns = COLUMNS.into_iter().filter(|column| column.status.is_some() || !delegated);
    // Some at a time: they wait for their servers, and for errors, more than they compute.
    stream::iter(columns).for_each_concurrent(3, |column| check(column, rsa, delegated)).await;
}

#[tokio::test]
async fn the_table_with_rsa_and_answers_of_the_authority() {
    check_all(true, false).await;
}

#[tokio::test]
async fn the_table_with_rsa_and_answers_of_a_delegate() {
    check_all(true, true).await;
}

#[tokio::test]
async fn the_table_with_ecdsa_and_answers_of_the_authority() {
    check_all(false, false).await;
}

#[tokio::test]
async fn the_table_with_ecdsa_and_answers_of_a_delegate() {
    check_all(false, true).await;
}

/// A pretended server whose certificate names these responders, and that staples nothing.
async fn server_with(authority: &TlsAuthority, responders: &[&OcspResponder]) -> ScriptedServer {
    let spec = responders.iter().fold(CertificateSpec::server(), |spec, responder| spec.responder(responder.url()));
    let tls = ServerTls::with_certificate(authority, authority.issue(spec).unwrap()).unwrap();
    ScriptedServer::builder().tls(tls).start().await.unwrap()
}

fn uri(server: &ScriptedServer) -> String {
    server.uri_with(&[("serverSelectionTimeoutMS", "3000")])
}

#[tokio::test]
async fn a_responder_that_is_of_no_use_keeps_nobody_out() {
    let authority = TlsAuthority::new().unwrap();
    let stranger = TlsAuthority::new().unwrap();
    let good = || OcspAnswer::new(OcspStatus::Good);
    let revoked = || OcspAnswer::new(OcspStatus::Revoked);
    let not_appointed = authority.issue(CertificateSpec::client("mallory")).unwrap();
    let appointed_by_another = stranger.issue(CertificateSpec::ocsp_delegate()).unwrap();
    let retired = authority.issue(CertificateSpec::ocsp_delegate().expired()).unwrap();
    let behaviours = [
        OcspBehaviour::Answer(OcspAnswer::new(OcspStatus::Unknown)),
        OcspBehaviour::Answer(revoked().expired()),
        OcspBehaviour::Answer(revoked().of_the_future()),
        OcspBehaviour::Answer(revoked().without_end(Duration::from_secs(2 * 24 * 60 * 60))),
        OcspBehaviour::Answer(revoked().damaged()),
        OcspBehaviour::Answer(revoked().with_extension(true)),
        OcspBehaviour::Answer(revoked().signed_by(&not_appointed)),
        OcspBehaviour::Answer(revoked().signed_by(&appointed_by_another)),
        OcspBehaviour::Answer(revoked().signed_by(&retired)),
        OcspBehaviour::AboutAnother(revoked()),
        OcspBehaviour::TryLater,
        OcspBehaviour::Bytes(Vec::new()),
        OcspBehaviour::Bytes(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        OcspBehaviour::Bytes(vec![0x30; 300_000]),
        OcspBehaviour::Http(404),
        OcspBehaviour::Http(500),
        OcspBehaviour::Raw(b"\0\0 no HTTP \r\n\r\n".to_vec()),
        OcspBehaviour::Raw(Vec::new()),
        OcspBehaviour::Never,
        OcspBehaviour::Delayed(Duration::from_secs(60), good()),
    ];
    let responder = OcspResponder::start(&authority, OcspBehaviour::Never).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    for behaviour in behaviours {
        let described = format!("{behaviour:.60?}");
        responder.behave(behaviour);
        let (before, started) = (responder.requests(), Instant::now());
        // Half of the time for connecting is for the responder.
        let outcome = ping(&server.uri_with(&[("connectTimeoutMS", "2000")])).await;
        assert!(outcome.is_ok(), "{described}: {outcome:?}");
        assert!(responder.requests() > before, "{described}");
        assert!(started.elapsed() < Duration::from_secs(15), "{described}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn answers_that_hold_are_believed() {
    let authority = TlsAuthority::new().unwrap();
    let delegate = authority.issue(CertificateSpec::ocsp_delegate()).unwrap();
    let responder = OcspResponder::start(&authority, OcspBehaviour::Never).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    let revoked = || OcspAnswer::new(OcspStatus::Revoked);
    for answer in [revoked(), revoked().signed_by(&delegate), revoked().without_end(Duration::from_secs(60))] {
        responder.behave(OcspBehaviour::Answer(answer));
        let error = ping(&uri(&server)).await.unwrap_err();
        assert!(error.to_string().contains("its certificate is revoked"), "{error}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn an_answer_is_asked_for_once_and_kept() {
    let authority = TlsAuthority::new().unwrap();
    let responder = OcspResponder::start(&authority, OcspStatus::Good.into()).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    let client = Client::with_uri_str(&uri(&server)).await.unwrap();
    client.database("admin").run_command(doc! { "ping": 1 }).await.unwrap();
    let asked = responder.requests();
    // Monitor, measurement and pool may have asked at the same time, before anybody had an answer.
    assert!((1..=3).contains(&asked), "{asked}");
    // Whatever it says now: the answer holds for an hour.
    responder.behave(OcspStatus::Revoked.into());
    let accepted = server.accepted();
    for _ in 0..3 {
        server.close_connections().await;
        let _ = client.database("admin").run_command(doc! { "ping": 1 }).await;
    }
    client.database("admin").run_command(doc! { "ping": 1 }).await.unwrap();
    assert!(server.accepted() > accepted);
    assert_eq!(responder.requests(), asked);
    client.close().await;
}

#[tokio::test]
async fn responders_are_asked_at_the_same_time() {
    let authority = TlsAuthority::new().unwrap();
    let start = |behaviour| OcspResponder::start(&authority, behaviour).unwrap();
    let (silent, useless) = (start(OcspBehaviour::Never), start(OcspBehaviour::TryLater));
    let knowing = start(OcspStatus::Revoked.into());
    let server = server_with(&authority, &[&silent, &useless, &knowing]).await;
    let error = ping(&uri(&server)).await.unwrap_err();
    assert!(error.to_string().contains("its certificate is revoked"), "{error}");
    assert!(silent.requests() > 0 && useless.requests() > 0);
}

#[tokio::test]
async fn options_say_who_is_asked() {
    let authority = TlsAuthority::new().unwrap();
    let responder = OcspResponder::start(&authority, OcspStatus::Revoked.into()).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    for option in ["tlsDisableOCSPEndpointCheck", "tlsDisableCertificateRevocationCheck"] {
        ping(&server.uri_with(&[(option, "true")])).await.unwrap();
    }
    assert_eq!(responder.requests(), 0);
    // A list of the application's own settles the matter.
    let list = authority.revocation_list(&[]).unwrap();
    ping(&server.uri_with(&[("tlsCRLFile", &list.to_string_lossy())])).await.unwrap();
    assert_eq!(responder.requests(), 0);
    assert!(ping(&server.uri_with(&[("serverSelectionTimeoutMS", "2000")])).await.is_err());
    assert!(responder.requests() > 0);
}

/// A pretended server that staples this.
async fn stapling(authority: &TlsAuthority, must_staple: bool, answer: &OcspAnswer) -> ScriptedServer {
    let spec = CertificateSpec::server();
    let certificate = authority.issue(if must_staple { spec.must_staple() } else { spec }).unwrap();
    let staple = authority.ocsp_response(&certificate, answer).unwrap();
    let tls = ServerTls::with_certificate(authority, certificate).unwrap().staple(staple);
    ScriptedServer::builder().tls(tls).start().await.unwrap()
}

#[tokio::test]
async fn a_stapled_answer_must_be_in_order() {
    let authority = TlsAuthority::new().unwrap();
    let delegate = authority.issue(CertificateSpec::ocsp_delegate()).unwrap();
    let other = TlsAuthority::new().unwrap().issue(CertificateSpec::ocsp_delegate()).unwrap();
    let good = || OcspAnswer::new(OcspStatus::Good);
    let cases = [
        (good(), None),
        (good().signed_by(&delegate), None),
        (good().without_end(Duration::from_secs(60)), None),
        (OcspAnswer::new(OcspStatus::Unknown), None),
        (OcspAnswer::new(OcspStatus::Revoked), Some("its certificate is revoked")),
        (good().expired(), Some("it has expired")),
        (good().of_the_future(), Some("it is not valid yet")),
        (good().damaged(), Some("its signature is wrong")),
        (good().with_extension(false), None),
        (good().with_certificate_extension(false), None),
        (good().with_extension(true), Some("a critical extension that is not known")),
        (good().with_certificate_extension(true), Some("a critical extension that is not known")),
        (good().signed_by(&other), Some("nor by a delegate")),
    ];
    // All at once: each error takes as long as the selection of a server may.
    join_all(cases.map(|(answer, expected)| judge_staple(&authority, answer, expected))).await;
}

async fn judge_staple(authority: &TlsAuthority, answer: OcspAnswer, expected: Option<&str>) {
    let server = stapling(authority, true, &answer).await;
    let outcome = ping(&uri(&server)).await;
    match expected {
        None => outcome.unwrap(),
        Some(expected) => {
            let text = outcome.unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
            // Stapled answers count even if responders may not be asked, but not if nothing is to be checked.
            let disabled = ("tlsDisableOCSPEndpointCheck", "true");
            assert!(ping(&server.uri_with(&[disabled, ("serverSelectionTimeoutMS", "2000")])).await.is_err());
            ping(&server.uri_with(&[("tlsDisableCertificateRevocationCheck", "true")])).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_about_another_certificate_is_no_staple() {
    let authority = TlsAuthority::new().unwrap();
    let (shown, meant) = (CertificateSpec::server(), CertificateSpec::server());
    let (shown, meant) = (authority.issue(shown).unwrap(), authority.issue(meant).unwrap());
    let staple = authority.ocsp_response(&meant, &OcspAnswer::new(OcspStatus::Good)).unwrap();
    let tls = ServerTls::with_certificate(&authority, shown).unwrap();
    for (staple, expected) in [(staple, "about another certificate"), (b"\x30\x03abc".to_vec(), "malformed")] {
        let server = ScriptedServer::builder().tls(tls.clone().staple(staple)).start().await.unwrap();
        let error = ping(&uri(&server)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_intermediate_authority_answers_for_its_own_certificates() {
    let root = TlsAuthority::new().unwrap();
    let authority = root.intermediate().unwrap();
    let responder = OcspResponder::start(&authority, OcspStatus::Revoked.into()).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    let error = ping(&uri(&server)).await.unwrap_err();
    assert!(error.to_string().contains("its certificate is revoked"), "{error}");
    // The root does not answer for them.
    let responder = OcspResponder::start(&root, OcspStatus::Revoked.into()).unwrap();
    let server = server_with(&authority, &[&responder]).await;
    ping(&uri(&server)).await.unwrap();
    assert!(responder.requests() > 0);
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused() {
    for (first, second) in [
        ("tlsInsecure", "tlsDisableOCSPEndpointCheck"),
        ("tlsInsecure", "tlsDisableCertificateRevocationCheck"),
        ("tlsAllowInvalidCertificates", "tlsDisableOCSPEndpointCheck"),
        ("tlsAllowInvalidCertificates", "tlsDisableCertificateRevocationCheck"),
        ("tlsDisableOCSPEndpointCheck", "tlsDisableCertificateRevocationCheck"),
    ] {
        let error = Client::with_uri_str(format!("mongodb://localhost/?{first}=true&{second}=true")).await.unwrap_err();
        assert!(error.to_string().contains(first) && error.to_string().contains(second), "{error}");
    }
    let mut options = TlsOptions::insecure();
    options.disable_certificate_revocation_check = Some(false);
    assert!(Client::builder().tls(options).build().is_err());
}
