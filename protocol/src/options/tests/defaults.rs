//! What holds when nothing is said, and what lenient options do with what does not fit.

use std::time::Duration;

use bson::doc;

use super::*;
use crate::{concern::Acknowledgment, read_preference::ReadPreferenceMode};

#[test]
fn defaults() {
    let options = ClientOptions::builder().build().unwrap();
    assert_eq!(options.hosts, ["localhost".parse().unwrap()]);
    assert_eq!(options, ClientOptions::parse("mongodb://localhost:27017").unwrap());
    assert_eq!((options.max_pool_size, options.min_pool_size, options.max_connecting), (Some(100), 0, 2));
    assert_eq!((options.max_idle_time, options.wait_queue_timeout), (None, None));
    assert_eq!((options.timeout, options.socket_timeout), (None, None));
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(20)));
    assert_eq!(options.server_selection_timeout, Duration::from_secs(30));
    assert_eq!(options.heartbeat_frequency, Duration::from_secs(10));
    assert_eq!(options.min_heartbeat_frequency, Duration::from_millis(500));
    assert_eq!(options.local_threshold, Duration::from_millis(15));
    assert!(options.retry_reads && options.retry_writes && !options.overload_retargeting);
    assert_eq!(options.max_adaptive_retries, 2);
    assert!(options.tls().is_none() && options.credential.is_none() && options.compressors.is_empty());
    assert!(options.read_concern.is_server_default() && options.write_concern.is_server_default());
    assert!(options.warnings().is_empty() && options.notices().is_empty());
}

#[test]
fn zero_means_no_limit_where_it_may() {
    let options = parse("maxPoolSize=0&connectTimeoutMS=0&socketTimeoutMS=0&maxIdleTimeMS=0&timeoutMS=0").unwrap();
    assert_eq!((options.max_pool_size, options.connect_timeout), (None, None));
    assert_eq!((options.socket_timeout, options.max_idle_time), (None, None));
    assert_eq!(options.timeout, Some(Duration::ZERO));
    assert!(options.warnings().is_empty());
}

#[test]
fn malformed_values_are_dropped_with_a_warning() {
    let faulty = [
        "maxPoolSize=-1",
        "maxPoolSize=many",
        "maxPoolSize=3000000000",
        "maxConnecting=0",
        "waitQueueTimeoutMS=0",
        "connectTimeoutMS=1e3",
        "connectTimeoutMS=",
        "connectTimeoutMS=+5",
        "journal=TRUE",
        "directConnection=",
        "loadBalanced=1",
        "maxStalenessSeconds=0",
        "zlibCompressionLevel=10",
        "serverMonitoringMode=often",
        "readPreference=anything",
        "readPreferenceTags=a",
        "replicaSet=",
        "w=",
        "proxyPort=0",
        "uuidRepresentation=STANDARD",
        "tz_aware=1",
        "datetime_conversion=5",
    ];
    for text in faulty {
        let mut options = parse(text).unwrap();
        assert_eq!(options.warnings.len(), 1, "{text}");
        let shown = options.warnings.remove(0).to_string();
        assert!(shown.contains(text.split_once('=').unwrap().0), "{shown}");
        assert_eq!(options, parse("").unwrap(), "{text}");
    }
}

#[test]
fn warnings_do_not_show_secrets() {
    let options = parse("authMechanismProperties=hunter2,X").unwrap();
    assert!(!options.warnings().is_empty());
    assert!(options.warnings().iter().all(|warning| !warning.to_string().contains("hunter2")));
}

#[test]
fn old_booleans_are_applied_with_a_warning() {
    for (text, meaning) in [("1", true), ("yes", true), ("t", true), ("0", false), ("-1", false), ("n", false)] {
        let options = parse(&format!("retryWrites={text}")).unwrap();
        assert_eq!(options.retry_writes, meaning, "{text}");
        assert!(options.warnings()[0].to_string().contains(&format!("write {meaning}")), "{text}");
    }
}

#[test]
fn decimal_milliseconds_are_understood() {
    assert_eq!(parse("socketTimeoutMS=1.5").unwrap().socket_timeout, Some(Duration::from_micros(1500)));
}

#[test]
fn values_of_every_form() {
    let text = "w=3&wTimeoutMS=9000000000&READPREFERENCE=Nearest&readPreferenceTags=a:b,c:d:e&readPreferenceTags=&\
                maxStalenessSeconds=120&compressors=zstd,lz4,zlib&zlibCompressionLevel=0&serverMonitoringMode=POLL&\
                datetime_conversion=DATETIME_AUTO&uuidRepresentation=javaLegacy&tz_aware=true&\
                unicode_decode_error_handler=ignore";
    let options = parse(text).unwrap();
    assert_eq!(options.write_concern.w, Some(Acknowledgment::Nodes(3)));
    assert_eq!(options.write_concern.w_timeout, Some(Duration::from_secs(9_000_000)));
    assert_eq!(options.read_preference.mode(), ReadPreferenceMode::Nearest);
    assert_eq!(options.read_preference.tag_sets().len(), 2);
    assert_eq!(options.read_preference.tag_sets()[0]["c"], "d:e");
    assert_eq!(options.compressors, [Compressor::Zstd { level: None }, Compressor::Zlib { level: Some(0) }]);
    assert_eq!(options.server_monitoring_mode, ServerMonitoringMode::Poll);
    let codec = &options.codec_options;
    assert_eq!(codec.datetime_conversion, DatetimeConversion::Auto);
    assert_eq!((codec.uuid_representation, codec.utf8_policy), (UuidRepresentation::JavaLegacy, Utf8Policy::Ignore));
    assert_eq!(codec.time_zone, Some(UtcOffset::UTC));
    let warnings: Vec<_> = options.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["option compressors: \"lz4\" is unknown and was ignored"]);
}

#[test]
fn handlers_that_rust_cannot_follow_are_refused() {
    for handler in ["backslashreplace", "surrogateescape"] {
        let names = configuration(parse(&format!("unicode_decode_error_handler={handler}")));
        assert_eq!(names, ["unicode_decode_error_handler"]);
    }
}

#[test]
fn a_negative_w_is_refused() {
    assert_eq!(configuration(parse("w=-1")), ["w"]);
}

#[test]
fn pool_options_that_differ_are_reported() {
    assert_eq!(parse("maxPoolSize=100&minPoolSize=0").unwrap().non_default_pool_options(), doc! {});
    let options = parse("maxPoolSize=0&minPoolSize=3&maxConnecting=5&maxIdleTimeMS=7&waitQueueTimeoutMS=9").unwrap();
    let expected = doc! {
        "maxPoolSize": 0_i64,
        "minPoolSize": 3_i64,
        "maxConnecting": 5_i64,
        "maxIdleTimeMS": 7_i64,
        "waitQueueTimeoutMS": 9_i64,
    };
    assert_eq!(options.non_default_pool_options(), expected);
}

#[test]
fn insecure_tls_governs_its_flags() {
    let tls = parse("tls=true&tlsInsecure=true").unwrap().tls_options;
    assert!(tls.allows_invalid_certificates() && tls.allows_invalid_hostnames());
    assert!(!tls.checks_ocsp_endpoint() && !tls.checks_revocation());
    let tls = parse("tls=true").unwrap().tls_options;
    assert!(!tls.allows_invalid_certificates() && tls.checks_ocsp_endpoint() && tls.checks_revocation());
}

#[test]
fn plain_without_tls_is_remarked() {
    let options = ClientOptions::parse("mongodb://u:p@h/?authMechanism=PLAIN").unwrap();
    assert!(options.notices()[0].to_string().contains("TLS"));
    assert!(ClientOptions::parse("mongodb://u:p@h/?authMechanism=PLAIN&tls=true").unwrap().notices().is_empty());
}

#[test]
fn debug_output_hides_secrets() {
    let text = "mongodb://u:hunter2@h/?tlsCertificateKeyFilePassword=hunter2&proxyHost=p&proxyUsername=u&\
                proxyPassword=hunter2&authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:hunter2";
    let builder = ClientOptions::builder().uri(text).password("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    assert!(!format!("{:#?}", builder.build().unwrap()).contains("hunter2"));
}
