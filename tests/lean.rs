//! What a build without a feature says to options that need it: a configuration error that names the option and the
//! feature. In a build that has everything, the same options are taken.
//!
//! `.ci/run` runs this with and without the features.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::time::Duration;

use mongo_actors::{
    Client,
    error::{Error, Result},
    options::{ResolverConfig, TlsOptions},
};

/// The error names what was asked for and what is missing.
#[track_caller]
fn assert_refused(outcome: Result<Client>, option: &str, feature: &str) {
    let error = outcome.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(error.is_configuration(), "{error:?}");
    assert!(text.contains(option) && text.contains(feature), "\"{option}\" and \"{feature}\" are not both in: {text}");
}

/// Cargo adds features up over a whole build: a dev-dependency may turn on what the command line left off.
#[test]
fn a_build_that_is_said_to_be_lean_is() {
    if std::env::var_os("MONGO_ACTORS_LEAN").is_some() {
        let found = [cfg!(feature = "tls"), cfg!(feature = "dns-resolver"), cfg!(feature = "aws-auth")];
        assert_eq!(found, [false; 3]);
    }
}

#[tokio::test]
async fn encryption_is_refused_by_name_or_done() {
    let uri = "mongodb://localhost:1/?tls=true&tlsInsecure=true";
    let from_uri = Client::with_uri_str(uri).await;
    let in_code = Client::builder().hosts(["localhost:1"]).tls(TlsOptions::insecure()).build();
    for outcome in [from_uri, in_code] {
        if cfg!(feature = "tls") {
            outcome.unwrap().close().await;
        } else {
            assert_refused(outcome, "tls", "Cargo feature");
        }
    }
}

#[tokio::test]
async fn names_in_dns_are_refused_by_name_or_looked_up() {
    // Encryption is turned off, so that it is DNS alone that is missing.
    let nobody = ResolverConfig::name_servers(["127.0.0.1:1".parse().unwrap()]);
    let builder = || {
        let uri = "mongodb+srv://cluster0.example.com/?tls=false";
        Client::builder().uri(uri).resolver_config(nobody.clone()).connect_timeout(Duration::from_secs(5))
    };
    let outcome = builder().connect().await;
    if cfg!(feature = "dns-resolver") {
        let error: Error = outcome.map(drop).unwrap_err();
        assert!(error.to_string().contains("_mongodb._tcp.cluster0.example.com"), "{error}");
    } else {
        assert_refused(outcome, "mongodb+srv", "dns-resolver");
        assert_refused(builder().build(), "mongodb+srv", "dns-resolver");
    }
}

/// What needs nothing is as good as ever.
#[tokio::test]
async fn a_plain_connection_string_needs_no_feature() {
    let client = Client::with_uri_str("mongodb://localhost:1/?serverSelectionTimeoutMS=1").await.unwrap();
    let error = client.list_database_names().await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("localhost:1"), "{error}");
    client.close().await;
}
