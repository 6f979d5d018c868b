//! What the specification's deployments say of themselves, at the ports that it names.
//!
//! Its ports are fixed and may be taken here; so the servers are pretended ones at other ports, and a SOCKS5 proxy leads
//! to them under the names and ports that the specification gives them. The rest of the way is real: names from DNS,
//! TLS with certificates for these names, hello and ping.

use std::{collections::BTreeSet, io, time::Duration};

use bson::{doc, oid::ObjectId};
use libtest_mimic::Failed;
use mongo_actors::{
    Client,
    options::{ResolverConfig, Socks5Proxy, TlsOptions},
};
use mongo_actors_testkit::{CertificateSpec, Role, ScriptedServer, ServerTls, Socks5Server, TlsAuthority};
use serde_json::Value;

/// How long until a topology is what a case says.
const LIMIT: Duration = Duration::from_secs(20);

/// The names under which the records of the specification know the servers.
const NAMES: &[&str] = &["localhost", "localhost.test.build.10gen.cc", "localhost.sub.test.build.10gen.cc"];

/// Servers that are reached through a proxy.
pub(super) struct Deployment {
    proxy: Socks5Server,
    authority: Option<TlsAuthority>,
    _servers: Vec<ScriptedServer>,
}

impl Deployment {
    /// The one that the files of `folder` are about.
    pub(super) async fn start(folder: &str, encrypted: bool) -> Result<Self, Failed> {
        let authority = if encrypted { Some(TlsAuthority::new()?) } else { None };
        let tls = authority.as_ref().map(|authority| {
            let certificate = authority.issue(CertificateSpec::server().names(NAMES.iter().copied()))?;
            ServerTls::with_certificate(authority, certificate)
        });
        let tls = tls.transpose()?;
        let mut proxy = Socks5Server::builder();
        let mut servers = Vec::new();
        for port in ports(folder)? {
            let server = pretended(folder, *port, tls.clone()).await?;
            for name in NAMES {
                proxy = proxy.map(format!("{name}:{port}"), server.socket_address());
            }
            servers.push(server);
        }
        Ok(Self { proxy: proxy.start().await?, authority, _servers: servers })
    }

    /// Sees that a client which is given `uri` finds the hosts that the case says, and can ping if it is to.
    pub(super) async fn verify(&self, test: &Value, uri: &str, resolver: ResolverConfig) -> Result<(), Failed> {
        let proxy = Socks5Proxy::new("127.0.0.1").with_port(self.proxy.address().port());
        let mut builder = Client::builder().uri(uri).resolver_config(resolver).socks5_proxy(proxy);
        if let Some(authority) = &self.authority {
            builder = builder.tls(TlsOptions::new().with_ca_file(authority.ca_file()));
        }
        let client = builder.connect().await?;
        let verified = verify(&client, test).await;
        client.close().await;
        verified
    }
}

async fn verify(client: &Client, test: &Value) -> Result<(), Failed> {
    if test["ping"].as_bool() != Some(false) {
        client.database("admin").run_command(doc! { "ping": 1 }).await?;
    } else {
        // To look at servers needs no user.
        client.is_primary().await?;
    }
    let expected: Option<BTreeSet<&str>> =
        test["hosts"].as_array().map(|hosts| hosts.iter().filter_map(Value::as_str).collect());
    let count = test["numHosts"].as_u64();
    let is_expected = |hosts: &BTreeSet<String>| {
        expected.as_ref().is_none_or(|expected| hosts.iter().map(String::as_str).eq(expected.iter().copied()))
            && count.is_none_or(|count| hosts.len() as u64 == count)
    };
    let found = || client.topology_description().servers.keys().map(ToString::to_string).collect();
    let eventually = async {
        while !is_expected(&found()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(LIMIT, eventually).await {
        Ok(()) => Ok(()),
        Err(_) => Err(format!("expected the hosts {expected:?} ({count:?}), found {:?}", found()).into()),
    }
}

fn ports(folder: &str) -> Result<&'static [u16], Failed> {
    match folder {
        "replica-set" => Ok(&[27017, 27018, 27019]),
        "sharded" => Ok(&[27017, 27018]),
        "load-balanced" => Ok(&[8000]),
        _ => Err(format!("this runner does not know the deployment of {folder}").into()),
    }
}

async fn pretended(folder: &str, port: u16, tls: Option<ServerTls>) -> io::Result<ScriptedServer> {
    let mut server = ScriptedServer::builder();
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    let server = match folder {
        "replica-set" => server.role(Role::Primary("repl0".into())).hello(member(port)),
        "sharded" => server.role(Role::Mongos),
        _ => server.role(Role::Mongos).hello(doc! { "serviceId": ObjectId::new() }),
    };
    server.start().await
}

/// What a member says that is at this port.
fn member(port: u16) -> bson::Document {
    const PRIMARY: u16 = 27017;
    doc! {
        "hosts": ["localhost:27017", "localhost:27018", "localhost:27019"],
        "me": format!("localhost:{port}"),
        "primary": format!("localhost:{PRIMARY}"),
        "isWritablePrimary": port == PRIMARY,
        "ismaster": port == PRIMARY,
        "secondary": port != PRIMARY,
    }
}
