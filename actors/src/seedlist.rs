//! The seeds and default options of a `mongodb+srv` name (initial DNS seedlist discovery specification).

use futures_util::future::join;
use mongo_actors_protocol::options::{ClientOptions, ConfigError};

use crate::{
    net::{DnsError, dns},
    settings::StartError,
};

/// Why the hosts of a `mongodb+srv` connection string are not known.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedlistError {
    /// DNS has no usable answer.
    #[error("{0}")]
    Dns(#[from] DnsError),
    /// The records of DNS may not be used, or their options contradict the others.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// This build of the driver does not ask DNS.
    #[error(transparent)]
    Unavailable(std::sync::Arc<StartError>),
}

/// Asks DNS for the seeds of a `mongodb+srv` connection string, and for its default options. Any other options come
/// back as they are.
///
/// `connectTimeoutMS` limits the time.
///
/// # Errors
/// [`SeedlistError`] says what was asked, and what came back.
///
/// # Cancel safety
/// Dropping the future leaves nothing behind.
pub async fn resolve_seedlist(options: ClientOptions) -> Result<ClientOptions, SeedlistError> {
    let Some(srv) = options.srv.as_ref().filter(|_| options.hosts.is_empty()) else { return Ok(options) };
    if !dns::AVAILABLE {
        return Err(SeedlistError::Unavailable(std::sync::Arc::new(StartError::no_dns())));
    }
    let (config, limit) = (&options.resolver_config, options.connect_timeout);
    let query_name = srv.query_name();
    let (records, texts) =
        join(dns::srv_records(config, &query_name, limit), dns::txt_records(config, &srv.host, limit)).await;
    // Without SRV records nothing else matters.
    let hosts = records?.into_iter().map(|record| record.target).collect();
    Ok(options.apply_txt_and_hosts(hosts, &texts?, &mut rand::rng())?)
}
