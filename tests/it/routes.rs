//! The ways to a server: IPv6, Unix sockets, SOCKS5 proxies.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mongo_actors::{
    Client,
    bson::doc,
    error::{Error, ErrorKind, Result},
    event::{CommandListener, CommandStartedEvent, HeartbeatListener, ServerHeartbeatSucceededEvent},
    options::Socks5Proxy,
};
use mongo_actors_testkit::{
    CertificateSpec, OcspBehaviour, OcspResponder, OcspStatus, ReplicaSet, ScriptedServer, ServerTls, Socks5Server,
    Standalone, TlsAuthority,
};
use tokio::net::{TcpListener, TcpStream};

async fn hello(client: &Client) -> Result<()> {
    client.database("admin").run_command(doc! { "hello": 1 }).await.map(drop)
}

/// A client of `uri` says hello and closes.
async fn visit(uri: &str) -> Result<()> {
    let client = Client::with_uri_str(uri).await.unwrap();
    let outcome = hello(&client).await;
    client.close().await;
    outcome
}

/// Passes connections at `[::1]` on to `server`. None where the machine has no IPv6.
async fn at_ipv6(server: SocketAddr) -> Option<SocketAddr> {
    let listener = TcpListener::bind("[::1]:0").await.ok()?;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    Some(address)
}

#[tokio::test]
async fn ipv6_leads_there() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let Some(address) = at_ipv6(server.socket_address()).await else {
        eprintln!("this machine has no IPv6: nothing was tested");
        return;
    };
    visit(&format!("mongodb://[::1]:{}/", address.port())).await.unwrap();
    assert!(server.accepted() > 0);
}

#[tokio::test]
async fn a_name_of_both_families_leads_to_whichever_answers() {
    // The test kit listens on 127.0.0.1 alone; what `localhost` means first is the system's business.
    let server = ScriptedServer::builder().start().await.unwrap();
    visit(&format!("mongodb://localhost:{}/", server.socket_address().port())).await.unwrap();
    if let Some(address) = at_ipv6(server.socket_address()).await {
        let before = server.accepted();
        let started = Instant::now();
        let outcome = visit(&format!("mongodb://localhost:{}/?serverSelectionTimeoutMS=2000", address.port())).await;
        // Where `localhost` has no IPv6 address there is no way to this port.
        match outcome {
            Ok(()) => assert!(server.accepted() > before),
            Err(error) => assert!(error.is_timeout() && started.elapsed() < Duration::from_secs(10), "{error}"),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_leads_there() {
    let server = Standalone::builder().unix_socket().start().await.unwrap();
    visit(&server.member().socket_uri().unwrap()).await.unwrap();
}

/// Where no command and no heartbeat may say that there was a proxy.
#[derive(Default)]
struct Witness(Mutex<Vec<String>>);

impl CommandListener for Witness {
    fn command_started(&self, event: &CommandStartedEvent) {
        self.0.lock().unwrap().push(event.connection.address.to_string());
    }
}

impl HeartbeatListener for Witness {
    fn server_heartbeat_succeeded(&self, event: &ServerHeartbeatSucceededEvent) {
        self.0.lock().unwrap().push(event.server_address.to_string());
    }
}

const MAPPED: &str = "database.inside:12345";
const SHORT: &str = "serverSelectionTimeoutMS=1500";

/// The table of the SOCKS5 specification's prose tests, with options of the connection string and of the builder.
#[tokio::test]
async fn a_proxy_lets_in_whom_it_wants() {
    let set = ReplicaSet::start(2).await.unwrap();
    let members: Vec<String> = set.members().iter().map(|member| member.address().to_string()).collect();
    let mapped = members[0].parse().unwrap();
    let strict = Socks5Server::builder().auth("username", "p4ssw0rd").map(MAPPED, mapped).start().await.unwrap();
    let open = Socks5Server::builder().map(MAPPED, mapped).start().await.unwrap();
    let single = format!("mongodb://{MAPPED}/?directConnection=true&{SHORT}");
    let whole = format!("mongodb://{}/?{SHORT}", members.join(","));
    let (nobody, somebody) = (Some(("nonexistentuser", "badauth")), Some(("username", "p4ssw0rd")));
    for (uri, proxy, credentials, succeeds) in [
        (&single, &strict, None, false),
        (&single, &open, None, true),
        (&whole, &strict, None, false),
        (&whole, &open, None, true),
        (&single, &strict, nobody, false),
        (&single, &open, nobody, true),
        (&whole, &open, nobody, true),
        (&single, &strict, somebody, true),
        (&whole, &strict, somebody, true),
    ] {
        let port = proxy.address().port();
        let given = credentials
            .map_or_else(String::new, |(user, password)| format!("&proxyUsername={user}&proxyPassword={password}"));
        let in_uri = visit(&format!("{uri}&proxyHost=localhost&proxyPort={port}{given}")).await;
        let mut options = Socks5Proxy::new("localhost").with_port(port);
        if let Some((user, password)) = credentials {
            options = options.with_credentials(user, password);
        }
        let client = Client::builder().uri(uri).socks5_proxy(options).build().unwrap();
        let in_code = hello(&client).await;
        client.close().await;
        for outcome in [in_uri, in_code] {
            match outcome {
                Ok(()) => assert!(succeeds, "{uri} at {port} with {credentials:?} succeeded"),
                Err(error) => {
                    assert!(!succeeds, "{uri} at {port} with {credentials:?}: {error}");
                    let text = error.to_string();
                    assert!(text.contains("SOCKS5 proxy localhost") && !text.contains("badauth"), "{text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn names_are_the_proxys_to_resolve_and_events_do_not_name_it() {
    let server = ScriptedServer::builder().start().await.unwrap();
    let proxy = Socks5Server::builder().map(MAPPED, server.socket_address()).start().await.unwrap();
    let witness = Arc::new(Witness::default());
    let client = Client::builder()
        .uri(format!("mongodb://{MAPPED}/?proxyHost=127.0.0.1&proxyPort={}", proxy.address().port()))
        .command_listener(witness.clone())
        .heartbeat_listener(witness.clone())
        .build()
        .unwrap();
    hello(&client).await.unwrap();
    client.close().await;
    assert!(!proxy.requests().is_empty() && proxy.requests().iter().all(|request| request == MAPPED));
    let named = witness.0.lock().unwrap();
    assert!(named.len() >= 2 && named.iter().all(|address| address == MAPPED), "{named:?}");
}

async fn refused(uri: &str) -> Error {
    let uri = format!("{uri}&directConnection=true&serverSelectionTimeoutMS=1500&connectTimeoutMS=500");
    visit(&uri).await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_that_does_not_help_is_named_and_delays_nobody_for_long() {
    let refusing = Socks5Server::builder().refuse(2).start().await.unwrap();
    let silent = Socks5Server::builder().silent().start().await.unwrap();
    let uri = |port| format!("mongodb://{MAPPED}/?proxyHost=127.0.0.1&proxyPort={port}");
    let started = Instant::now();
    for (port, expected) in [
        (refusing.address().port(), format!("SOCKS5 proxy 127.0.0.1:{}", refusing.address().port())),
        (1, "SOCKS5 proxy 127.0.0.1:1".to_owned()),
        // Whoever notices first that none comes: a connection, or the monitor.
        (silent.address().port(), "answer".to_owned()),
    ] {
        let error = refused(&uri(port)).await;
        let text = error.to_string();
        assert!(text.contains(&expected), "{text}");
        assert!(matches!(error.kind(), ErrorKind::ServerSelectionTimeout), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(30), "it took {:?}", started.elapsed());
}

/// The name that only the proxy can resolve is the one that the certificate must be valid for.
#[tokio::test]
async fn encryption_goes_through_a_proxy_to_the_server_itself() {
    let (authority, other) = (TlsAuthority::new().unwrap(), TlsAuthority::new().unwrap());
    let named = authority.issue(CertificateSpec::server().names(["database.inside"])).unwrap();
    let stranger = authority.issue(CertificateSpec::server().names(["127.0.0.1", "localhost"])).unwrap();
    let server = |certificate| {
        let tls = ServerTls::with_certificate(&authority, certificate).unwrap();
        ScriptedServer::builder().tls(tls).start()
    };
    let (server, impostor) = (server(named).await.unwrap(), server(stranger).await.unwrap());
    let proxy = Socks5Server::builder()
        .auth("ada", "secret")
        .map(MAPPED, server.socket_address())
        .map("impostor.inside:1", impostor.socket_address())
        .start()
        .await
        .unwrap();
    let uri = |host: &str, authority: &TlsAuthority| {
        let (port, ca) = (proxy.address().port(), authority.ca_file().display());
        format!(
            "mongodb://{host}/?directConnection=true&{SHORT}&tlsCAFile={ca}&proxyHost=127.0.0.1&proxyPort={port}\
             &proxyUsername=ada&proxyPassword=secret"
        )
    };
    visit(&uri(MAPPED, &authority)).await.unwrap();
    assert!(server.handshakes().iter().all(|handshake| handshake.server_name.as_deref() == Some("database.inside")));
    let asked = proxy.requests();
    assert!(!asked.is_empty() && asked.iter().all(|request| request == MAPPED), "{asked:?}");

    let error = visit(&uri("impostor.inside:1", &authority)).await.unwrap_err().to_string();
    assert!(error.contains("impostor.inside"), "{error}");
    let error = visit(&uri(MAPPED, &other)).await.unwrap_err().to_string();
    assert!(error.contains("tlsCAFile"), "{error}");
    assert!(impostor.received().is_empty());
}

/// Whoever can reach nothing but the proxy still learns that a certificate was revoked.
#[tokio::test]
async fn responders_are_asked_through_the_proxy() {
    let authority = TlsAuthority::new().unwrap();
    let responder = OcspResponder::start(&authority, OcspStatus::Revoked.into()).unwrap();
    let real = responder.url().trim_start_matches("http://").trim_end_matches("/ocsp").parse().unwrap();
    let spec = CertificateSpec::server().names(["database.inside"]).responder("http://responder.inside/ocsp");
    let tls = ServerTls::with_certificate(&authority, authority.issue(spec).unwrap()).unwrap();
    let server = ScriptedServer::builder().tls(tls).start().await.unwrap();
    let proxy = Socks5Server::builder()
        .map(MAPPED, server.socket_address())
        .map("responder.inside:80", real)
        .start()
        .await
        .unwrap();
    let uri = format!(
        "mongodb://{MAPPED}/?directConnection=true&{SHORT}&tlsCAFile={}&proxyHost=127.0.0.1&proxyPort={}",
        authority.ca_file().display(),
        proxy.address().port(),
    );
    let error = visit(&uri).await.unwrap_err().to_string();
    assert!(error.contains("its certificate is revoked"), "{error}");
    assert!(responder.requests() > 0 && proxy.requests().iter().any(|request| request == "responder.inside:80"));
    assert!(server.received().is_empty());

    responder.behave(OcspBehaviour::from(OcspStatus::Good));
    visit(&uri).await.unwrap();
}
