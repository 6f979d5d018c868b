use super::*;

fn fault(text: &str) -> String {
    ConnectionString::parse(text).unwrap_err().to_string()
}

#[test]
fn every_part_is_decoded() {
    let uri =
        ConnectionString::parse("mongodb://a%3Ab:c%2Fd@%2Ftmp%2Fx.sock,h/d%2Db.c.e?app%6eame=x%26y&k=a=b+c").unwrap();
    assert_eq!(uri.username.as_deref(), Some("a:b"));
    assert_eq!(uri.password, Some("c/d".into()));
    assert_eq!(uri.hosts[0].kind, HostKind::Unix);
    assert_eq!(uri.hosts[0].address(1).to_string(), "/tmp/x.sock");
    assert_eq!(uri.hosts[1].address(1).to_string(), "h:1");
    assert_eq!((uri.database.as_deref(), uri.collection.as_deref()), (Some("d-b"), Some("c.e")));
    assert_eq!(uri.namespace().as_deref(), Some("d-b.c.e"));
    let options: Vec<_> = uri.options.iter().map(|option| (option.name.as_str(), option.value.as_str())).collect();
    assert_eq!(options, [("appname", "x&y"), ("k", "a=b+c")]);
}

#[test]
fn options_may_follow_hosts_directly() {
    let uri = ConnectionString::parse("mongodb://h?a=b/c").unwrap();
    assert_eq!(uri.options[0].value, "b/c");
    assert_eq!(uri.database, None);
    assert!(ConnectionString::parse("mongodb://h/?").unwrap().options.is_empty());
}

#[test]
fn semicolons_separate_too_but_are_not_mixed() {
    assert_eq!(ConnectionString::parse("mongodb://h/?a=1;b=2").unwrap().options.len(), 2);
    assert!(fault("mongodb://h/?a=1;b=2&c=3").contains("use & throughout"));
}

#[test]
fn faults_name_the_place_and_the_remedy() {
    assert!(fault("http://h").contains("mongodb://"));
    assert!(fault("mongodb://a,,b").contains("host 2"));
    assert!(fault("mongodb://h:99999").contains("65535"));
    assert!(fault("mongodb://::1").contains("brackets"));
    assert!(fault("mongodb://u@v:w@h").contains("%40"));
    assert!(fault("mongodb://u:v:w@h").contains("%3A"));
    assert!(fault("mongodb://u%zz@h").contains("%25"));
    assert!(fault("mongodb:///tmp/a.sock").contains("%2F"));
    assert!(fault("mongodb://%2Ftmp%2Fa.sock:5").contains(".sock"));
    assert!(fault("mongodb://h/a b").contains("database"));
    assert!(fault("mongodb://h/a%5Cb").contains("database"));
    assert!(fault("mongodb://h/.c").contains("dot"));
    assert!(fault("mongodb://h/?a=1&b").contains("option 2"));
    assert!(fault("mongodb://h/?=1").contains("option 1"));
    assert!(fault("mongodb://h/?a=%ff").contains("option a"));
}

#[test]
fn faults_never_quote_a_password() {
    for text in
        ["mongodb://u:hunter2/x@h/db", "mongodb://u:hunter2%@h", "mongodb://u:a:hunter2@h", "mongodb://u/hunter2@h/db"]
    {
        assert!(!fault(text).contains("hunter2"), "{text}: {}", fault(text));
    }
}

#[test]
fn debug_output_hides_secrets() {
    let text = "mongodb://u:hunter2@h/?tlsCertificateKeyFilePassword=hunter2&proxyPassword=hunter2&\
                authMechanismProperties=AWS_SESSION_TOKEN:hunter2";
    assert!(!format!("{:?}", ConnectionString::parse(text).unwrap()).contains("hunter2"));
}

#[test]
fn ipv6_addresses_keep_their_zone() {
    let uri = ConnectionString::parse("mongodb://[fe80::1%25eth0]:5").unwrap();
    assert_eq!(uri.hosts[0].address(1).to_string(), "[fe80::1%eth0]:5");
    assert_eq!(uri.hosts[0].kind, HostKind::IpLiteral);
    assert!(fault("mongodb://[::g]").contains("IPv6"));
    assert!(fault("mongodb://[x.sock").contains("closing bracket"));
}

#[test]
fn srv_takes_one_name_without_port() {
    assert_eq!(ConnectionString::parse("mongodb+srv://a.b.c/").unwrap().scheme, Scheme::MongoDbSrv);
    assert!(fault("mongodb+srv://a.b.c,d.e.f").contains("exactly one"));
    assert!(fault("mongodb+srv://a.b.c:27017").contains("port"));
    assert!(fault("mongodb+srv://127.0.0.1").contains("mongodb://"));
    assert!(fault("mongodb+srv://[::1]").contains("mongodb://"));
    assert!(fault("mongodb+srv://a..c").contains("label"));
}
