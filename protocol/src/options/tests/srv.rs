//! Connection strings whose hosts DNS gives.

use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn apply(uri: &str, hosts: &[&str], txt: &[&str]) -> Result<ClientOptions, ConfigError> {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let txt: Vec<String> = txt.iter().map(ToString::to_string).collect();
    ClientOptions::parse(uri)?.apply_txt_and_hosts(hosts, &txt, &mut StdRng::seed_from_u64(1))
}

const HOSTS: [&str; 3] = ["x.b.c:1", "y.b.c:2", "z.b.c:3"];

#[test]
fn tls_is_on_unless_turned_off() {
    assert!(ClientOptions::parse("mongodb+srv://a.b.c").unwrap().tls().is_some());
    assert!(ClientOptions::parse("mongodb+srv://a.b.c/?tls=false").unwrap().tls().is_none());
    assert!(ClientOptions::builder().uri("mongodb+srv://a.b.c").no_tls().build().unwrap().tls().is_none());
}

#[test]
fn the_name_and_service_are_kept() {
    let options = ClientOptions::parse("mongodb+srv://A.b.c/?srvServiceName=custom&srvMaxHosts=2").unwrap();
    assert!(options.hosts.is_empty());
    let srv = options.srv.unwrap();
    assert_eq!((srv.query_name().as_str(), srv.max_hosts), ("_custom._tcp.a.b.c", 2));
    let with_hosts = ClientOptions::builder().hosts(["mongodb+srv://a.b.c", "d"]).build();
    assert_eq!(configuration(with_hosts), ["host"]);
}

#[test]
fn txt_options_fill_in_what_is_not_given() {
    let txt = ["authSource=s&replicaSet=rs"];
    let options = apply("mongodb+srv://u:p@a.b.c/db", &HOSTS, &txt).unwrap();
    assert_eq!(options.hosts.len(), 3);
    assert_eq!(options.replica_set.as_deref(), Some("rs"));
    assert_eq!(options.credential.unwrap().source.as_deref(), Some("s"));
    let options = apply("mongodb+srv://u:p@a.b.c/?authSource=t&replicaSet=other", &HOSTS, &txt).unwrap();
    assert_eq!(options.replica_set.as_deref(), Some("other"));
    assert_eq!(options.credential.unwrap().source.as_deref(), Some("t"));
    assert_eq!(apply("mongodb+srv://a.b.c", &HOSTS, &["authSource=s"]).unwrap().credential, None);
    let external = apply("mongodb+srv://a.b.c/?authMechanism=MONGODB-X509", &HOSTS, &txt).unwrap();
    assert_eq!(external.credential.unwrap().source.as_deref(), Some("$external"));
}

#[test]
fn load_balanced_may_come_from_txt() {
    assert!(apply("mongodb+srv://a.b.c", &HOSTS[..1], &["loadBalanced=true"]).unwrap().load_balanced);
    let given = apply("mongodb+srv://a.b.c/?loadBalanced=false", &HOSTS, &["loadBalanced=true"]).unwrap();
    assert!(!given.load_balanced);
    assert_eq!(configuration(apply("mongodb+srv://a.b.c", &HOSTS, &["loadBalanced=true"])), ["loadBalanced"]);
}

#[test]
fn combined_options_are_checked_again() {
    for txt in ["replicaSet=rs", "loadBalanced=true"] {
        let result = apply("mongodb+srv://a.b.c/?srvMaxHosts=1", &HOSTS, &[txt]);
        assert_eq!(invalid_uri(result), "option srvMaxHosts");
    }
    assert_eq!(apply("mongodb+srv://a.b.c/?srvMaxHosts=2", &HOSTS, &[]).unwrap().hosts.len(), 2);
}

#[test]
fn faulty_answers_are_refused() {
    for txt in [&["ssl=false"][..], &["authSource"], &["authSource="], &["a=b"], &["", ""]] {
        assert_eq!(invalid_uri(apply("mongodb+srv://a.b.c", &HOSTS, txt)), "TXT record", "{txt:?}");
    }
    assert_eq!(invalid_uri(apply("mongodb+srv://a.b.c", &[], &[])), "SRV record");
    assert_eq!(invalid_uri(apply("mongodb+srv://a.b.c", &["x.evil.c"], &[])), "SRV record");
    assert_eq!(invalid_uri(apply("mongodb://a", &["a"], &[])), "scheme");
}

#[test]
fn malformed_txt_values_are_dropped_with_a_warning() {
    let options = apply("mongodb+srv://a.b.c", &HOSTS, &["loadBalanced=maybe"]).unwrap();
    assert_eq!((options.load_balanced, options.warnings().len()), (false, 1));
}

#[test]
fn bad_service_names() {
    assert!(ClientOptions::builder().uri("mongodb+srv://a.b.c").srv_service_name("a.b").build().is_err());
    assert_eq!(ClientOptions::parse("mongodb+srv://a.b.c/?srvServiceName=a.b").unwrap().warnings().len(), 1);
}
