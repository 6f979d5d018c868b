//! Stands for DNS in a build without the feature `dns-resolver`; nothing here is reached.

use std::time::Duration;

use mongo_actors_protocol::{options::ResolverConfig, sdam::SrvRecord};

use super::DnsError;

/// Whether this build has DNS lookups.
pub(crate) const AVAILABLE: bool = false;

pub(crate) async fn srv_records(
    _: &ResolverConfig,
    name: &str,
    _: Option<Duration>,
) -> Result<Vec<SrvRecord>, DnsError> {
    Err(unavailable("SRV", name))
}

pub(crate) async fn txt_records(_: &ResolverConfig, name: &str, _: Option<Duration>) -> Result<Vec<String>, DnsError> {
    Err(unavailable("TXT", name))
}

fn unavailable(record_type: &str, name: &str) -> DnsError {
    let reason = "this build of the driver is without DNS lookups, turn the feature dns-resolver on".to_owned();
    DnsError { name: name.to_owned(), record_type: record_type.to_owned(), reason, is_absence: false }
}
