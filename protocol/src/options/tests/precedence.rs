//! Code goes before the connection string, option by option.

use std::{num::NonZeroU32, time::Duration};

use super::*;
use crate::{
    auth::credential::{AuthMechanism, Credential},
    concern::{Acknowledgment, WriteConcern},
    read_preference::ReadPreference,
};

#[test]
fn code_goes_before_the_connection_string() {
    let options = ClientOptions::builder()
        .uri("mongodb://h/?appname=a&maxPoolSize=5&retryWrites=false&connectTimeoutMS=5&timeoutMS=5&maxConnecting=9")
        .app_name("b")
        .max_pool_size(None)
        .connect_timeout(None)
        .timeout(None)
        .max_connecting(NonZeroU32::MIN)
        .build()
        .unwrap();
    assert_eq!(options.app_name.as_deref(), Some("b"));
    assert_eq!((options.max_pool_size, options.connect_timeout), (None, None));
    assert_eq!((options.timeout, options.max_connecting), (Some(Duration::ZERO), 1));
    assert!(!options.retry_writes);
}

#[test]
fn each_part_of_a_credential_goes_by_itself() {
    let options = ClientOptions::builder().uri("mongodb://u:p@h/db").username("v").build().unwrap();
    let credential = options.credential.unwrap();
    assert_eq!((credential.username.as_deref(), credential.password), (Some("v"), Some("p".into())));
    assert_eq!(credential.source.as_deref(), Some("db"));
    let given = Credential::default().with_mechanism(AuthMechanism::ScramSha1).with_source("s");
    let options = ClientOptions::builder().uri("mongodb://u:p@h/db").credential(given).build().unwrap();
    let credential = options.credential.unwrap();
    assert_eq!((credential.username.as_deref(), credential.source.as_deref()), (Some("u"), Some("s")));
    assert_eq!(credential.mechanism, Some(AuthMechanism::ScramSha1));
}

#[test]
fn user_names_in_code_are_verbatim() {
    let options = ClientOptions::builder().credential(Credential::new("a%40", "b%40")).build().unwrap();
    let credential = options.credential.unwrap();
    assert_eq!((credential.username.as_deref(), credential.password), (Some("a%40"), Some("b%40".into())));
}

#[test]
fn concerns_and_tls_combine() {
    let options = ClientOptions::builder()
        .uri("mongodb://h/?w=2&journal=true&tlsCAFile=a&tlsAllowInvalidHostnames=true")
        .write_concern(WriteConcern::majority())
        .tls(TlsOptions::new().with_ca_file("b"))
        .build()
        .unwrap();
    assert_eq!(options.write_concern.w, Some(Acknowledgment::Majority));
    assert_eq!(options.write_concern.journal, Some(true));
    let tls = options.tls().unwrap();
    assert_eq!(tls.ca_file.as_deref(), Some(std::path::Path::new("b")));
    assert!(tls.allows_invalid_hostnames());
}

#[test]
fn a_read_preference_replaces_all_three_options() {
    let uri = "mongodb://h/?readPreference=nearest&readPreferenceTags=a:b&maxStalenessSeconds=100";
    let options = ClientOptions::builder().uri(uri).read_preference(ReadPreference::Primary).build().unwrap();
    assert_eq!(options.read_preference, ReadPreference::Primary);
}

#[test]
fn ports_fill_in_where_none_is_given() {
    let hosts = |builder: ClientOptionsBuilder| -> Vec<String> {
        builder.default_port(5).build().unwrap().hosts.iter().map(ToString::to_string).collect()
    };
    assert_eq!(hosts(ClientOptions::builder().uri("mongodb://A,b:7")), ["a:5", "b:7"]);
    assert_eq!(
        hosts(ClientOptions::builder().hosts(["x", "mongodb://a,b:7", "y.sock"])),
        ["x:5", "a:5", "b:7", "y.sock"]
    );
    assert_eq!(hosts(ClientOptions::builder().uri("mongodb://a").hosts(["z:1"])), ["z:1"]);
    assert_eq!(hosts(ClientOptions::builder()), ["localhost:5"]);
    assert!(ClientOptions::builder().hosts(["a:0"]).build().is_err());
    assert!(ClientOptions::builder().hosts(["/tmp/a.sock"]).build().is_err());
}

#[test]
fn wrapping_libraries_are_kept_once() {
    let info = |name: &str| DriverInfo::new(name).with_version("1");
    let builder = ClientOptions::builder().driver_info(info("odm")).driver_info(info("ODM")).driver_info(info("x"));
    let names: Vec<_> = builder.build().unwrap().driver_infos.into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["odm", "x"]);
}

#[test]
fn the_database_is_the_default_one() {
    let options = ClientOptions::parse("mongodb://h/db.coll").unwrap();
    assert_eq!((options.default_database.as_deref(), options.credential), (Some("db"), None));
    let options = ClientOptions::builder().uri("mongodb://u:p@h/db").default_database("other").build().unwrap();
    assert_eq!(options.default_database.as_deref(), Some("other"));
    assert_eq!(options.credential.unwrap().source.as_deref(), Some("db"));
}
