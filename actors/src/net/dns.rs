//! DNS: the records behind a `mongodb+srv` name.

use std::{io, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig as HickoryConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, Record, RecordType},
};
use mongo_actors_protocol::{address::ServerAddress, options::ResolverConfig, sdam::SrvRecord};

use super::DnsError;

/// Whether this build has DNS lookups.
pub(crate) const AVAILABLE: bool = true;

/// The SRV records of `name`, at least one.
pub(crate) async fn srv_records(
    config: &ResolverConfig,
    name: &str,
    limit: Option<Duration>,
) -> Result<Vec<SrvRecord>, DnsError> {
    let question = Question { name, record_type: RecordType::SRV };
    let records: Vec<SrvRecord> = question.ask(config, limit).await?.iter().filter_map(srv_record).collect();
    match records.is_empty() {
        true => Err(question.unanswered("the answer holds none".into(), true)),
        false => Ok(records),
    }
}

/// The TXT records of `name`, the strings of each joined.
pub(crate) async fn txt_records(
    config: &ResolverConfig,
    name: &str,
    limit: Option<Duration>,
) -> Result<Vec<String>, DnsError> {
    let question = Question { name, record_type: RecordType::TXT };
    match question.ask(config, limit).await {
        Ok(records) => Ok(records.iter().filter_map(text).collect()),
        Err(error) if error.is_absence => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn srv_record(record: &Record) -> Option<SrvRecord> {
    let RData::SRV(srv) = &record.data else { return None };
    let host = srv.target.to_ascii();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let target = ServerAddress::Tcp { host, port: srv.port };
    Some(SrvRecord { target, ttl: Duration::from_secs(record.ttl.into()) })
}

fn text(record: &Record) -> Option<String> {
    let RData::TXT(txt) = &record.data else { return None };
    Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
}

struct Question<'a> {
    name: &'a str,
    record_type: RecordType,
}

impl Question<'_> {
    /// Asks for at most `limit`.
    async fn ask(&self, config: &ResolverConfig, limit: Option<Duration>) -> Result<Vec<Record>, DnsError> {
        let asking = self.ask_for_long(config);
        match limit {
            None => asking.await,
            Some(limit) => tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
                let reason = format!("no answer within {} ms (connectTimeoutMS)", limit.as_millis());
                Err(self.unanswered(reason, false))
            }),
        }
    }

    async fn ask_for_long(&self, config: &ResolverConfig) -> Result<Vec<Record>, DnsError> {
        let resolver = resolver(config).await.map_err(|error| self.unanswered(error.to_string(), false))?;
        // With a dot at its end a name is complete, and no search list is tried.
        let complete = format!("{}.", self.name.trim_end_matches('.'));
        match resolver.lookup(complete, self.record_type).await {
            Ok(lookup) => Ok(lookup.answers().to_vec()),
            Err(error) if error.is_nx_domain() => Err(self.unanswered("there is no such name (NXDOMAIN)".into(), true)),
            Err(error) if error.is_no_records_found() => {
                Err(self.unanswered("the name has no such records".into(), true))
            }
            Err(error) => Err(self.unanswered(error.to_string(), false)),
        }
    }

    fn unanswered(&self, reason: String, is_absence: bool) -> DnsError {
        DnsError { name: self.name.to_owned(), record_type: self.record_type.to_string(), reason, is_absence }
    }
}

/// A resolver for one lookup: it keeps nothing, so that each lookup sees the system's settings of the moment, and what
/// is true in DNS.
async fn resolver(config: &ResolverConfig) -> io::Result<TokioResolver> {
    let mut builder = match config.servers() {
        [] => {
            let reading = tokio::task::spawn_blocking(TokioResolver::builder_tokio);
            reading.await.map_err(io::Error::other)?.map_err(io::Error::other)?
        }
        servers => {
            let servers = servers.iter().map(|server| {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                connections.iter_mut().for_each(|connection| connection.port = server.port());
                NameServerConfig::new(server.ip(), true, connections)
            });
            let config = HickoryConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    builder.options_mut().cache_size = 0;
    builder.build().map_err(io::Error::other)
}
