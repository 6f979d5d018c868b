//! Names of options that are out of use.

use std::{path::Path, time::Duration};

use super::*;

/// The one warning that a connection string draws, which names the option and its replacement.
fn renamed(text: &str, replacement: &str) -> ClientOptions {
    let options = parse(text).unwrap();
    let [warning] = options.warnings() else { panic!("expected one warning, got {:?}", options.warnings()) };
    assert!(text.starts_with(&warning.option), "{warning}");
    assert_eq!(warning.replacement(), Some(replacement), "{warning}");
    options
}

fn without_effect(text: &str) {
    let mut options = parse(text).unwrap();
    let warning = options.warnings.remove(0);
    assert!(matches!(warning.reason, WarningReason::NoEffect(_)), "{warning}");
    assert_eq!(options, parse("").unwrap());
}

#[test]
fn j() {
    assert_eq!(renamed("j=true", "journal").write_concern.journal, Some(true));
}

#[test]
fn wtimeout() {
    let options = renamed("wTimeout=5", "wTimeoutMS");
    assert_eq!(options.write_concern.w_timeout, Some(Duration::from_millis(5)));
}

#[test]
fn ssl() {
    let options = parse("ssl=true").unwrap();
    assert!(options.tls_enabled && options.warnings().is_empty() && options.notices().is_empty());
}

#[test]
fn ssl_cert_reqs() {
    let none = renamed("ssl_cert_reqs=CERT_NONE", "tlsAllowInvalidCertificates");
    assert!(none.tls_options.allows_invalid_certificates());
    let required = renamed("ssl_cert_reqs=required", "tlsAllowInvalidCertificates");
    assert_eq!(required.tls_options.allow_invalid_certificates, Some(false));
    let names = configuration(parse("ssl_cert_reqs=CERT_OPTIONAL"));
    assert_eq!(names, ["ssl_cert_reqs", "tlsAllowInvalidCertificates"]);
}

#[test]
fn ssl_match_hostname() {
    let options = renamed("ssl_match_hostname=false", "tlsAllowInvalidHostnames");
    assert!(options.tls_options.allows_invalid_hostnames());
    let options = renamed("ssl_match_hostname=true", "tlsAllowInvalidHostnames");
    assert_eq!(options.tls_options.allow_invalid_hostnames, Some(false));
}

#[test]
fn ssl_ca_certs() {
    assert_eq!(renamed("ssl_ca_certs=f", "tlsCAFile").tls_options.ca_file.as_deref(), Some(Path::new("f")));
}

#[test]
fn ssl_certfile() {
    let options = renamed("ssl_certfile=f", "tlsCertificateKeyFile");
    assert_eq!(options.tls_options.cert_key_file.as_deref(), Some(Path::new("f")));
}

#[test]
fn ssl_keyfile() {
    let options = renamed("ssl_keyfile=k", "tlsCertificateKeyFile");
    assert_eq!(options.tls_options.key_file.as_deref(), Some(Path::new("k")));
    assert!(options.tls_enabled);
}

#[test]
fn ssl_crlfile() {
    assert_eq!(renamed("ssl_crlfile=f", "tlsCRLFile").tls_options.crl_file.as_deref(), Some(Path::new("f")));
}

#[test]
fn ssl_pem_passphrase() {
    let options = renamed("ssl_pem_passphrase=p", "tlsCertificateKeyFilePassword");
    assert_eq!(options.tls_options.cert_key_password, Some("p".into()));
}

#[test]
fn wait_queue_multiple() {
    without_effect("waitQueueMultiple=5");
}

#[test]
fn socket_keep_alive() {
    without_effect("socketKeepAlive=false");
}

#[test]
fn auto_start_request() {
    without_effect("auto_start_request=true");
}

#[test]
fn server_selection_try_once() {
    let options = parse("serverSelectionTryOnce=false").unwrap();
    assert_eq!(options.server_selection_try_once, Some(false));
    assert!(matches!(options.notices()[0].reason, WarningReason::NoEffect(_)));
}

#[test]
fn wtimeout_ms_is_deprecated() {
    let options = parse("wTimeoutMS=5").unwrap();
    assert!(options.warnings().is_empty());
    assert_eq!(options.notices()[0].replacement(), Some("timeoutMS"));
}

#[test]
fn a_replacement_goes_before_the_old_name() {
    for text in ["j=true&journal=false", "journal=false&j=true"] {
        let options = parse(text).unwrap();
        assert_eq!(options.write_concern.journal, Some(false), "{text}");
        let reason = WarningReason::Superseded { replacement: "journal" };
        assert_eq!(options.warnings(), [ConfigWarning::new("j", reason)], "{text}");
    }
}

#[test]
fn repetitions_warn_and_the_last_holds() {
    let options = parse("appname=a&appName=b").unwrap();
    assert_eq!(options.app_name.as_deref(), Some("b"));
    assert_eq!(options.warnings(), [ConfigWarning::new("appname", WarningReason::Repeated)]);
}
