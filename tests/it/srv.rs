//! `mongodb+srv`: seeds from DNS, and following them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mongo_actors::{
    Client,
    bson::doc,
    error::{Error, ErrorKind},
    options::{ClientOptions, ResolverConfig},
};
use mongo_actors_engine::{Engine, EngineSettings, Role as ActorRole, resolve_seedlist};
use mongo_actors_protocol::{
    address::ServerAddress,
    event::{TopologyDescriptionChangedEvent, TopologyListener},
};
use mongo_actors_testkit::{DnsMood, DnsServer, ReplicaSet, Role, ScriptedServer, Standalone};
use tokio::sync::watch;

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn resolver(dns: &DnsServer) -> ResolverConfig {
    ResolverConfig::name_servers([dns.address()])
}

async fn refused(dns: &DnsServer, uri: &str) -> Error {
    Client::builder().uri(uri).resolver_config(resolver(dns)).connect().await.map(drop).unwrap_err()
}

/// Addresses that look like names let the system resolve what DNS names, without any name of its own.
async fn cluster_at(ports: &[u16]) -> DnsServer {
    let dns = DnsServer::start().await.unwrap();
    ports.iter().for_each(|port| dns.srv("_mongodb._tcp.cluster.0.0.1", *port, "127.0.0.1"));
    dns
}

fn port(server: &ScriptedServer) -> u16 {
    server.socket_address().port()
}

#[tokio::test]
async fn a_name_is_all_that_a_client_needs() {
    let server = Standalone::builder().auth("ada", "secret").start().await.unwrap();
    let address = server.member().address().to_string();
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let dns = cluster_at(&[port]).await;
    dns.txt("cluster.0.0.1", &["authSou", "rce=admin"]);
    let uri = "mongodb+srv://ada:secret@cluster.0.0.1/shop?tls=false";
    let client = Client::builder().uri(uri).resolver_config(resolver(&dns)).connect().await.unwrap();
    assert_eq!(client.options().hosts, [address.parse().unwrap()]);
    assert_eq!(client.options().credential.as_ref().unwrap().source.as_deref(), Some("admin"));
    client.default_database().unwrap().run_command(doc! { "ping": 1 }).await.unwrap();
    client.close().await;

    let mut options = ClientOptions::parse(uri).unwrap();
    options.resolver_config = resolver(&dns);
    let client = Client::connect(options).await.unwrap();
    client.warm_up().await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn without_asking_dns_there_is_no_client() {
    let error = Client::builder().uri("mongodb+srv://cluster0.example.com").build().map(drop).unwrap_err();
    assert!(error.is_configuration() && error.to_string().contains("connect()"), "{error}");
}

#[tokio::test]
async fn failures_name_what_was_asked_and_what_came_back() {
    let dns = DnsServer::start().await.unwrap();
    let name = "_mongodb._tcp.cluster0.example.com";
    let uri = "mongodb+srv://cluster0.example.com/?connectTimeoutMS=500";
    let dns_error = |error: &Error| matches!(error.kind(), ErrorKind::Dns { .. });
    let says = |error: &Error, expected: &[&str]| {
        let text = error.to_string();
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    };

    let error = refused(&dns, uri).await;
    assert!(dns_error(&error), "{error:?}");
    says(&error, &["SRV", name, "NXDOMAIN"]);

    dns.txt(name, &["only a text"]);
    says(&refused(&dns, uri).await, &["SRV", name, "no such records"]);

    dns.set_mood(DnsMood::Failing);
    let error = refused(&dns, uri).await;
    assert!(dns_error(&error), "{error:?}");
    says(&error, &["SRV", name]);
    assert!(error.to_string().to_lowercase().contains("fail"), "{error}");

    dns.set_mood(DnsMood::Silent);
    let started = Instant::now();
    let error = refused(&dns, uri).await;
    assert!(started.elapsed() < Duration::from_secs(4), "it took {:?}", started.elapsed());
    assert!(dns_error(&error), "{error:?}");
    says(&error, &["SRV", name, "500 ms", "connectTimeoutMS"]);

    let text = "mongodb+srv://cluster0.example.com";
    let nobody = ResolverConfig::name_servers(["127.0.0.1:1".parse().unwrap()]);
    let client = Client::builder().uri(text).connect_timeout(Duration::from_secs(2)).resolver_config(nobody);
    says(&client.connect().await.map(drop).unwrap_err(), &["SRV", name]);
}

/// What DNS would say, without DNS: the resolver keeps names below `localhost` to itself (RFC 6761).
fn stubbed(host: &str, target: &str) -> Result<ClientOptions, Error> {
    let options = ClientOptions::parse(&format!("mongodb+srv://{host}/?tls=false")).unwrap();
    let hosts = vec![format!("{target}:27017").parse().unwrap()];
    options.apply_txt_and_hosts(hosts, &[], &mut rand::rng()).map_err(Error::from)
}

async fn answered(host: &str, target: &str) -> Result<ClientOptions, Error> {
    let dns = DnsServer::start().await.unwrap();
    dns.srv(&format!("_mongodb._tcp.{host}"), 27017, target);
    let uri = format!("mongodb+srv://{host}/?tls=false");
    let client = Client::builder().uri(uri).resolver_config(resolver(&dns)).connect().await?;
    client.close().await;
    Ok(client.options().clone())
}

/// Prose tests 1 to 4 of initial DNS seedlist discovery.
#[tokio::test]
async fn only_targets_below_the_domain_are_trusted() {
    for (host, target) in [
        ("localhost", "localhost.mongodb"),
        ("mongo.local", "test_1.evil.local"),
        ("blogs.mongodb.com", "blogs.evil.com"),
        ("localhost", "localhost"),
        ("mongo.local", "mongo.local"),
        ("localhost", "test_1.cluster_1localhost"),
        ("mongo.local", "test_1.my_hostmongo.local"),
        ("blogs.mongodb.com", "cluster.testmongodb.com"),
    ] {
        let mut errors = vec![stubbed(host, target).unwrap_err()];
        if host != "localhost" {
            errors.push(answered(host, target).await.unwrap_err());
        }
        for error in errors {
            assert!(error.is_configuration() && error.to_string().contains(target), "{error:?}");
        }
    }
    let seeds = |options: Result<ClientOptions, Error>| options.unwrap().hosts[0].to_string();
    assert_eq!(seeds(stubbed("localhost", "a.localhost")), "a.localhost:27017");
    assert_eq!(seeds(answered("mongo.local", "db0.mongo.local").await), "db0.mongo.local:27017");
}

/// What a topology consists of, as its listeners are told.
struct Hosts(watch::Sender<Vec<String>>);

impl TopologyListener for Hosts {
    fn topology_description_changed(&self, event: &TopologyDescriptionChangedEvent) {
        self.0.send_replace(event.new_description.servers.keys().map(ToString::to_string).collect());
    }
}

/// A client's actors that look the records up again every few milliseconds.
pub(crate) struct Follower {
    pub(crate) engine: Engine,
    hosts: watch::Receiver<Vec<String>>,
}

impl Follower {
    pub(crate) async fn start(dns: &DnsServer, uri: &str, monitors: bool) -> Self {
        let options = ClientOptions::builder().uri(uri).resolver_config(resolver(dns)).build().unwrap();
        let mut settings = EngineSettings::new(resolve_seedlist(options).await.unwrap());
        settings.conformance.srv_rescan_interval = Duration::from_millis(20);
        settings.conformance.monitors = monitors;
        let (sender, hosts) = watch::channel(Vec::new());
        settings.listeners.topology.push(Arc::new(Hosts(sender)));
        Self { engine: Engine::start(settings).unwrap(), hosts }
    }

    async fn wait_for(&mut self, expected: &[&str]) {
        let waiting = self.hosts.wait_for(|hosts| hosts == expected);
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("the hosts are {:?} and not {expected:?}", self.hosts.borrow());
        }
    }

    fn polls(&self) -> bool {
        self.engine.actors().iter().any(|actor| actor.role == ActorRole::SrvPoller)
    }
}

pub(crate) const TEST1: &str = "_mongodb._tcp.test1.test.build.10gen.cc";
const LOCAL: &str = "localhost.test.build.10gen.cc";

pub(crate) fn set_records(dns: &DnsServer, name: &str, ports: &[u16]) {
    dns.forget(name);
    ports.iter().for_each(|port| dns.srv(name, *port, LOCAL));
}

/// A name server that lets its answers be believed for no time, with the two records of `test1`.
pub(crate) async fn test1() -> DnsServer {
    let dns = DnsServer::start().await.unwrap();
    dns.set_ttl(0);
    set_records(&dns, TEST1, &[27017, 27018]);
    dns
}

fn addresses(ports: &[u16]) -> Vec<String> {
    ports.iter().map(|port| format!("{LOCAL}:{port}")).collect()
}

pub(crate) async fn expect(follower: &mut Follower, ports: &[u16]) {
    let expected = addresses(ports);
    follower.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// Prose tests 1 to 5 of polling.
#[tokio::test]
async fn hosts_follow_the_records() {
    let uri = "mongodb+srv://test1.test.build.10gen.cc/?tls=false";
    for ports in [&[27017, 27018, 27019][..], &[27017], &[27017, 27019], &[27019], &[27019, 27020]] {
        let dns = test1().await;
        let mut follower = Follower::start(&dns, uri, false).await;
        expect(&mut follower, &[27017, 27018]).await;
        set_records(&dns, TEST1, ports);
        expect(&mut follower, ports).await;
        follower.engine.close(None).await;
    }
}

/// Prose tests 6 to 8 of polling, and that polling goes on afterwards.
#[tokio::test]
async fn hosts_stay_when_dns_is_of_no_use() {
    let uri = "mongodb+srv://test1.test.build.10gen.cc/?tls=false&heartbeatFrequencyMS=500&connectTimeoutMS=200";
    let dns = test1().await;
    let mut follower = Follower::start(&dns, uri, false).await;
    expect(&mut follower, &[27017, 27018]).await;
    for spoil in [
        &(|dns: &DnsServer| dns.set_mood(DnsMood::Silent)) as &dyn Fn(&DnsServer),
        &|dns| dns.set_mood(DnsMood::Failing),
        &|dns| dns.set_mood(DnsMood::Refusing),
        &|dns| set_records(dns, TEST1, &[]),
        &|dns| {
            dns.forget(TEST1);
            dns.srv(TEST1, 27019, "localhost.evil.build.10gen.cc");
        },
    ] {
        spoil(&dns);
        // The first may have been on its way; the second has seen it, and the third came after its outcome.
        let seen = dns.queries();
        tokio::time::timeout(PATIENCE, dns.wait_for_queries(seen + 3)).await.unwrap();
        assert_eq!(*follower.hosts.borrow(), addresses(&[27017, 27018]));
        dns.set_mood(DnsMood::Helpful);
        set_records(&dns, TEST1, &[27017, 27018, 27020]);
        expect(&mut follower, &[27017, 27018, 27020]).await;
        set_records(&dns, TEST1, &[27017, 27018]);
        expect(&mut follower, &[27017, 27018]).await;
    }
    follower.engine.close(None).await;
}

#[tokio::test]
async fn a_record_outside_of_the_domain_is_skipped_and_the_others_count() {
    let dns = test1().await;
    let mut follower = Follower::start(&dns, "mongodb+srv://test1.test.build.10gen.cc/?tls=false", false).await;
    dns.srv(TEST1, 27020, "localhost.evil.build.10gen.cc");
    dns.srv(TEST1, 27019, LOCAL);
    expect(&mut follower, &[27017, 27018, 27019]).await;
    follower.engine.close(None).await;
}

/// Prose test 9 of polling: behind a load balancer nobody looks for other hosts.
#[tokio::test]
async fn a_load_balancer_is_not_followed() {
    let (dns, name) = (DnsServer::start().await.unwrap(), "_mongodb._tcp.test20.test.build.10gen.cc");
    dns.set_ttl(0);
    set_records(&dns, name, &[27017]);
    dns.txt("test20.test.build.10gen.cc", &["loadBalanced=true"]);
    let uri = "mongodb+srv://test20.test.build.10gen.cc/?tls=false";
    let mut follower = Follower::start(&dns, uri, false).await;
    expect(&mut follower, &[27017]).await;
    assert!(!follower.polls(), "somebody follows the records");
    follower.engine.close(None).await;

    // Elsewhere somebody does from the moment that the hosts are known.
    let dns = test1().await;
    let mut other = Follower::start(&dns, "mongodb+srv://test1.test.build.10gen.cc/?tls=false", false).await;
    expect(&mut other, &[27017, 27018]).await;
    assert!(other.polls());
    other.engine.close(None).await;
}

/// Prose tests 10 to 12 of polling.
#[tokio::test]
async fn no_more_hosts_than_asked_for() {
    for (limit, ports) in [(0, &[27017, 27019, 27020][..]), (2, &[27019, 27020])] {
        let dns = test1().await;
        let uri = format!("mongodb+srv://test1.test.build.10gen.cc/?tls=false&srvMaxHosts={limit}");
        let mut follower = Follower::start(&dns, &uri, false).await;
        set_records(&dns, TEST1, ports);
        expect(&mut follower, ports).await;
        follower.engine.close(None).await;
    }
    let dns = test1().await;
    let uri = "mongodb+srv://test1.test.build.10gen.cc/?tls=false&srvMaxHosts=2";
    let mut follower = Follower::start(&dns, uri, false).await;
    set_records(&dns, TEST1, &[27017, 27019, 27020]);
    let new = |hosts: &Vec<String>| !hosts.contains(&format!("{LOCAL}:27018")) && hosts.len() == 2;
    let hosts = tokio::time::timeout(PATIENCE, follower.hosts.wait_for(new)).await.unwrap().unwrap().clone();
    assert!(hosts.contains(&format!("{LOCAL}:27017")), "{hosts:?}");
    follower.engine.close(None).await;
}

/// Prose test 13 of polling.
#[tokio::test]
async fn the_service_may_have_another_name() {
    let (dns, name) = (DnsServer::start().await.unwrap(), "_customname._tcp.test22.test.build.10gen.cc");
    dns.set_ttl(0);
    set_records(&dns, name, &[27017]);
    let uri = "mongodb+srv://test22.test.build.10gen.cc/?tls=false&srvServiceName=customname";
    let mut follower = Follower::start(&dns, uri, false).await;
    expect(&mut follower, &[27017]).await;
    set_records(&dns, name, &[27019, 27020]);
    expect(&mut follower, &[27019, 27020]).await;
    follower.engine.close(None).await;
}

/// DNS names one member of a set, whose other members the set tells: what the discovery tests call `hosts`.
#[tokio::test]
async fn members_that_dns_does_not_name_are_found_through_those_it_names() {
    let set = ReplicaSet::start(2).await.unwrap();
    let mut addresses: Vec<ServerAddress> = set.members().iter().map(|member| member.address()).collect();
    addresses.sort();
    let dns = cluster_at(&[addresses[1].port().unwrap()]).await;
    dns.txt("cluster.0.0.1", &["replicaSet=", set.name()]);
    let mut follower = Follower::start(&dns, "mongodb+srv://cluster.0.0.1/?tls=false", true).await;
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    follower.wait_for(&addresses.iter().map(String::as_str).collect::<Vec<_>>()).await;
    follower.engine.warm_up(None).await.unwrap();
    assert_eq!(follower.engine.description().set_name.as_deref(), Some(set.name()));
    follower.engine.close(None).await;
}

#[tokio::test]
async fn a_sharded_cluster_is_followed_and_a_replica_set_is_not() {
    let router = || ScriptedServer::builder().role(Role::Mongos).start();
    let (first, second) = (router().await.unwrap(), router().await.unwrap());
    let dns = cluster_at(&[port(&first)]).await;
    dns.set_ttl(0);
    let uri = "mongodb+srv://cluster.0.0.1/?tls=false";
    let mut sharded = Follower::start(&dns, uri, true).await;
    sharded.engine.warm_up(None).await.unwrap();
    dns.forget("_mongodb._tcp.cluster.0.0.1");
    dns.srv("_mongodb._tcp.cluster.0.0.1", port(&second), "127.0.0.1");
    sharded.wait_for(&[&second.address().to_string()]).await;
    sharded.engine.warm_up(None).await.unwrap();
    assert!(sharded.polls());
    sharded.engine.close(None).await;

    let primary = ScriptedServer::builder().role(Role::Primary("rs".into())).start().await.unwrap();
    let dns = cluster_at(&[port(&primary)]).await;
    dns.set_ttl(0);
    let set = Follower::start(&dns, uri, true).await;
    set.engine.warm_up(None).await.unwrap();
    // The actor ends with its lifeline; its entry goes when its task does.
    let end = Instant::now() + PATIENCE;
    while set.polls() {
        assert!(Instant::now() < end, "the records of a replica set are still looked up");
        tokio::task::yield_now().await;
    }
    set.engine.close(None).await;
}
