//! Each combination of options that is an error.

use std::time::Duration;

use super::*;
use crate::{
    auth::credential::{AuthMechanism, Credential, MechanismProperties, OidcEnvironment},
    concern::WriteConcern,
    read_preference::{ReadPreference, TagSet},
};

fn uri(text: &str) -> Result<ClientOptions, ConfigError> {
    ClientOptions::parse(text)
}

#[test]
fn direct_connection_with_several_seeds() {
    assert_eq!(configuration(uri("mongodb://a,b/?directConnection=true")), ["directConnection"]);
    let in_code = ClientOptions::builder().hosts(["a", "b"]).direct_connection(true).build();
    assert_eq!(configuration(in_code), ["directConnection"]);
    assert!(uri("mongodb://a,b/?directConnection=false").is_ok());
}

#[test]
fn direct_connection_with_srv() {
    assert_eq!(configuration(uri("mongodb+srv://a.b.c/?directConnection=true")), ["directConnection"]);
    assert!(uri("mongodb+srv://a.b.c/?directConnection=false").is_ok());
}

#[test]
fn load_balancer_with_several_seeds() {
    assert_eq!(configuration(uri("mongodb://a,b/?loadBalanced=true")), ["loadBalanced"]);
}

#[test]
fn load_balancer_with_direct_connection() {
    let both = parse("loadBalanced=true&directConnection=true");
    assert_eq!(configuration(both), ["loadBalanced", "directConnection"]);
    let half_in_code = ClientOptions::builder().uri("mongodb://h/?loadBalanced=true").direct_connection(true).build();
    assert_eq!(configuration(half_in_code), ["loadBalanced", "directConnection"]);
}

#[test]
fn load_balancer_with_replica_set() {
    assert_eq!(configuration(parse("loadBalanced=true&replicaSet=rs")), ["loadBalanced", "replicaSet"]);
}

#[test]
fn srv_host_limit_with_replica_set_or_load_balancer() {
    for other in ["replicaSet=rs", "loadBalanced=true", "replicaSet=rs&loadBalanced=true"] {
        let text = format!("mongodb+srv://a.b.c/?srvMaxHosts=2&{other}");
        assert_eq!(invalid_uri(uri(&text)), "option srvMaxHosts");
    }
    assert!(uri("mongodb+srv://a.b.c/?srvMaxHosts=0&replicaSet=rs").is_ok());
}

#[test]
fn srv_options_without_srv() {
    assert_eq!(configuration(parse("srvServiceName=x")), ["srvServiceName"]);
    assert_eq!(configuration(parse("srvMaxHosts=1")), ["srvMaxHosts"]);
    let in_code = ClientOptions::builder().uri("mongodb://h").srv_service_name("x").build();
    assert_eq!(configuration(in_code), ["srvServiceName"]);
}

#[test]
fn tls_and_ssl_that_differ() {
    for text in ["tls=true&ssl=false", "ssl=0&tls=true", "tls=true&tls=false"] {
        assert_eq!(invalid_uri(parse(text)), "options tls and ssl", "{text}");
    }
    assert!(parse("tls=true&ssl=yes").unwrap().tls_enabled);
}

#[test]
fn a_malformed_tls_is_an_error_as_ignoring_it_would_leave_the_connection_unencrypted() {
    for text in ["tls=TRUE", "ssl=True", "tls=", "tls=TRUE&tls=false", "ssl=2"] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains("tls") || error.contains("ssl"), "{text}: {error}");
        assert!(error.contains("true or false"), "{text}: {error}");
    }
    assert!(parse("tls=1").unwrap().tls_enabled, "the old spellings count, with a warning");
}

#[test]
fn tls_insecure_beside_what_it_governs() {
    for flag in ["tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsDisableOCSPEndpointCheck"] {
        let place = invalid_uri(parse(&format!("tlsInsecure=false&{flag}=false")));
        assert!(place.contains("tlsInsecure") && place.contains(flag), "{place}");
    }
    let half =
        ClientOptions::builder().uri("mongodb://h/?tlsAllowInvalidHostnames=true").tls(TlsOptions::insecure()).build();
    assert!(invalid_uri(half).contains("tlsAllowInvalidHostnames"));
}

#[test]
fn certificate_check_beside_ocsp_check() {
    let place = invalid_uri(parse("tlsAllowInvalidCertificates=false&tlsDisableOCSPEndpointCheck=false"));
    assert!(place.contains("tlsDisableOCSPEndpointCheck"), "{place}");
}

#[test]
fn revocation_check_beside_other_checks() {
    for flag in ["tlsInsecure", "tlsAllowInvalidCertificates", "tlsDisableOCSPEndpointCheck"] {
        let place = invalid_uri(parse(&format!("tlsDisableCertificateRevocationCheck=true&{flag}=true")));
        assert!(place.contains(flag) && place.contains("Revocation"), "{place}");
    }
}

#[test]
fn revocation_list_without_the_check() {
    for flag in ["tlsInsecure", "tlsAllowInvalidCertificates", "tlsDisableOCSPEndpointCheck"] {
        let place = invalid_uri(parse(&format!("tlsCRLFile=f&{flag}=true")));
        assert!(place.contains("tlsCRLFile") && place.contains(flag), "{place}");
    }
    assert!(parse("tlsCRLFile=f&tlsInsecure=false").is_ok());
}

#[test]
fn tls_off_with_an_option_that_asks_for_it() {
    for implying in ["tlsCAFile=f", "tlsCertificateKeyFilePassword=p", "tlsAllowInvalidCertificates=false"] {
        let options = configuration(parse(&format!("tls=false&{implying}")));
        assert_eq!(options[0], "tls", "{implying}");
        assert!(parse(implying).unwrap().tls_enabled, "{implying}");
    }
    assert!(!parse("tls=false&tlsInsecure=true").unwrap().tls_enabled);
    let in_code = ClientOptions::builder().uri("mongodb://h/?tlsCAFile=f").no_tls().build();
    assert_eq!(configuration(in_code), ["tls", "tlsCAFile"]);
}

#[test]
fn unacknowledged_with_journal() {
    assert_eq!(configuration(parse("w=0&journal=true")), ["w", "journal"]);
    let concern = WriteConcern::default().with_journal(true);
    let half = ClientOptions::builder().uri("mongodb://h/?w=0").write_concern(concern).build();
    assert_eq!(configuration(half), ["w", "journal"]);
}

#[test]
fn journal_with_fsync() {
    assert_eq!(configuration(parse("journal=true&fsync=true")), ["journal", "fsync"]);
}

#[test]
fn primary_with_tags_or_staleness() {
    let names = ["readPreference", "readPreferenceTags", "maxStalenessSeconds"];
    assert_eq!(configuration(parse("readPreferenceTags=a:b")), names);
    assert_eq!(configuration(parse("readPreference=primary&maxStalenessSeconds=100")), names);
    assert_eq!(parse("readPreferenceTags=&maxStalenessSeconds=-1").unwrap().read_preference, ReadPreference::Primary);
}

#[test]
fn more_connections_kept_than_allowed() {
    assert_eq!(configuration(parse("minPoolSize=6&maxPoolSize=5")), ["minPoolSize", "maxPoolSize"]);
    assert_eq!(configuration(parse("minPoolSize=101")), ["minPoolSize", "maxPoolSize"]);
    assert_eq!(parse("minPoolSize=101&maxPoolSize=0").unwrap().max_pool_size, None);
}

#[test]
fn heartbeats_too_often() {
    assert_eq!(configuration(parse("heartbeatFrequencyMS=499")), ["heartbeatFrequencyMS"]);
    assert!(parse("heartbeatFrequencyMS=500").is_ok());
    let in_code = ClientOptions::builder().heartbeat_frequency(Duration::ZERO).build();
    assert_eq!(configuration(in_code), ["heartbeatFrequencyMS"]);
    let with_least = |least| ClientOptions::builder().min_heartbeat_frequency(Duration::from_millis(least));
    let often = Duration::from_millis(50);
    assert_eq!(with_least(50).heartbeat_frequency(often).build().unwrap().heartbeat_frequency, often);
    assert_eq!(configuration(with_least(51).heartbeat_frequency(often).build()), ["heartbeatFrequencyMS"]);
    assert_eq!(configuration(with_least(9).build()), ["min_heartbeat_frequency"]);
}

#[test]
fn missing_user_name_or_password() {
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "DEFAULT", "PLAIN", "GSSAPI"] {
        assert_eq!(configuration(parse(&format!("authMechanism={mechanism}"))), ["username"], "{mechanism}");
    }
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "DEFAULT"] {
        let text = format!("mongodb://u@h/?authMechanism={mechanism}");
        assert_eq!(configuration(uri(&text)), ["password"], "{mechanism}");
    }
    assert_eq!(configuration(uri("mongodb://u@h")), ["password"]);
    assert_eq!(configuration(ClientOptions::builder().password("p").build()), ["username"]);
}

#[test]
fn password_where_none_belongs() {
    assert_eq!(configuration(uri("mongodb://u:p@h/?authMechanism=MONGODB-X509")), ["password"]);
    let oidc = "mongodb://u:p@h/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s";
    assert_eq!(configuration(uri(oidc)), ["password"]);
    assert_eq!(configuration(uri("mongodb://u@h/?authMechanism=MONGODB-AWS")), ["password"]);
    assert!(uri("mongodb://u:p@h/?authMechanism=MONGODB-AWS").is_ok());
}

#[test]
fn external_mechanisms_with_another_source() {
    for mechanism in ["GSSAPI", "MONGODB-X509", "MONGODB-AWS"] {
        let text = format!("mongodb://u@h/?authMechanism={mechanism}&authSource=admin");
        assert_eq!(configuration(uri(&text)), ["authMechanism", "authSource"], "{mechanism}");
        let database = format!("mongodb://u:p@h/db?authMechanism={mechanism}&authSource=$external");
        let source = uri(&database).ok().and_then(|options| options.credential?.source);
        assert!(source.is_none_or(|source| source == "$external"), "{mechanism}");
    }
}

#[test]
fn oidc_without_exactly_one_way_to_a_token() {
    let build = |change: fn(&mut MechanismProperties)| {
        let mut properties = MechanismProperties::default();
        change(&mut properties);
        ClientOptions::builder()
            .auth_mechanism(AuthMechanism::MongoDbOidc)
            .auth_mechanism_properties(properties)
            .build()
    };
    let names = ["authMechanism", "authMechanismProperties"];
    let faulty: [fn(&mut MechanismProperties); 5] = [
        |_| (),
        |p| (p.has_machine_callback, p.has_human_callback) = (true, true),
        |p| (p.has_machine_callback, p.environment) = (true, Some(OidcEnvironment::K8s)),
        |p| p.environment = Some(OidcEnvironment::Azure),
        |p| (p.has_machine_callback, p.allowed_hosts) = (true, Some(vec![])),
    ];
    for change in faulty {
        assert_eq!(configuration(build(change)), names);
    }
    assert!(build(|p| p.has_human_callback = true).is_ok());
    let unknown = parse("authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:moon");
    assert_eq!(configuration(unknown), names);
    let test = uri("mongodb://u@h/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:test");
    assert_eq!(configuration(test), ["username", "authMechanismProperties"]);
}

#[test]
fn explicitly_empty_source() {
    assert_eq!(invalid_uri(parse("authSource=")), "option authSource");
    assert_eq!(invalid_uri(ClientOptions::builder().auth_source("").build()), "option authSource");
    let credential = Credential::new("u", "p").with_source("");
    assert_eq!(invalid_uri(ClientOptions::builder().credential(credential).build()), "option authSource");
}

#[test]
fn two_connection_strings_or_no_host() {
    assert_eq!(configuration(ClientOptions::builder().hosts(["mongodb://a", "mongodb://b"]).build()), ["host"]);
    assert_eq!(configuration(ClientOptions::builder().uri("mongodb://a").hosts(["mongodb://b"]).build()), ["host"]);
    let none: [&str; 0] = [];
    assert_eq!(configuration(ClientOptions::builder().hosts(none).build()), ["host"]);
}

#[test]
fn mixed_separators_and_pairs_without_a_value() {
    assert_eq!(invalid_uri(parse("w=1;journal=true&fsync=false")), "options");
    assert_eq!(invalid_uri(parse("w=1&journal")), "option 2");
}

#[test]
fn proxies_that_lack_a_part_or_cannot_be_used() {
    assert_eq!(configuration(parse("proxyPort=1")), ["proxyHost", "proxyPort"]);
    assert_eq!(configuration(parse("proxyUsername=u")), ["proxyHost", "proxyUsername"]);
    assert_eq!(configuration(parse("proxyPassword=p")), ["proxyHost", "proxyPassword"]);
    let names = ["proxyUsername", "proxyPassword"];
    assert_eq!(configuration(parse("proxyHost=h&proxyUsername=u")), names);
    assert_eq!(configuration(parse("proxyHost=h&proxyPassword=p")), names);
    assert_eq!(configuration(uri("mongodb://%2Ftmp%2Fx.sock/?proxyHost=h")), ["proxyHost"]);
    assert_eq!(invalid_uri(parse("proxyHost=h&proxyHost=i")), "option proxyHost");
    assert_eq!(parse("proxyHost=h&proxyUsername=").unwrap().socks5_proxy, Some(Socks5Proxy::new("h")));
}

#[test]
fn long_application_names() {
    let long = "a".repeat(129);
    assert_eq!(configuration(ClientOptions::builder().app_name(&long).build()), ["appname"]);
    let options = parse(&format!("appname={long}")).unwrap();
    assert_eq!((options.app_name, options.warnings.len()), (None, 1));
    assert!(ClientOptions::builder().app_name("a".repeat(128)).build().is_ok());
}

#[test]
fn bad_values_in_code() {
    let builder = ClientOptions::builder;
    let zero_wait = builder().wait_queue_timeout(Duration::ZERO).build();
    assert_eq!(configuration(zero_wait), ["waitQueueTimeoutMS"]);
    assert_eq!(configuration(builder().replica_set("").build()), ["replicaSet"]);
    assert_eq!(configuration(builder().driver_info(DriverInfo::new("a|b")).build()), ["driver"]);
    let level = builder().compressors([Compressor::Zlib { level: Some(10) }]).build();
    assert_eq!(configuration(level), ["zlibCompressionLevel", "zstdCompressionLevel"]);
    let none: [TagSet; 0] = [];
    let no_sets = builder().read_preference(ReadPreference::nearest().with_tag_sets(none)).build();
    assert_eq!(configuration(no_sets), ["readPreferenceTags"]);
}

#[test]
fn changed_fields_are_checked_again() {
    let mut options = parse("").unwrap();
    options.min_pool_size = 200;
    assert!(options.validate().is_err());
}

#[test]
fn an_unknown_mechanism_is_never_ignored() {
    assert_eq!(configuration(uri("mongodb://u:p@h/?authMechanism=SCRAM-SHA-512")), ["authMechanism"]);
}
