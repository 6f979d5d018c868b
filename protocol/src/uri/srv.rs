//! Seed lists from DNS: everything except asking DNS.

use rand::RngCore;

use super::{HostKind, SeedHost, parse_options};
use crate::{
    address::ServerAddress,
    options::{ConfigError, ConfigWarning, WarningReason},
};

/// The service whose SRV records are asked for unless `srvServiceName` says otherwise.
pub const DEFAULT_SERVICE_NAME: &str = "mongodb";

/// Where the hosts of a `mongodb+srv` connection string come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SrvOptions {
    /// The name whose records are asked for, in lower case.
    pub host: String,
    /// The service, `mongodb` by default.
    pub service_name: String,
    /// How many of the hosts are used; 0 means all.
    pub max_hosts: u32,
}

impl SrvOptions {
    /// The name of the SRV records, such as `_mongodb._tcp.cluster0.example.com`.
    pub fn query_name(&self) -> String {
        format!("_{}._tcp.{}", self.service_name, self.host)
    }

    /// Checks that a target of an SRV record belongs to the domain that was asked for.
    ///
    /// # Errors
    /// Says why the target is refused. A lookup that finds seeds fails with it; a later poll skips the record.
    pub fn check_target(&self, target: &str) -> Result<(), ConfigError> {
        let host = self.host.trim_end_matches('.');
        let target = target.trim_end_matches('.').to_ascii_lowercase();
        let labels = host.split('.').count();
        let domain = match host.split_once('.') {
            Some((_, domain)) if labels >= 3 => domain,
            _ => host,
        };
        let inside = target.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        let deep_enough = labels >= 3 || target.split('.').count() > labels;
        if inside && deep_enough {
            return Ok(());
        }
        Err(ConfigError::uri(
            "SRV record",
            format!("its target \"{target}\" is not below the domain \"{domain}\" and is not trusted"),
        ))
    }

    /// Chooses the seeds: all of `hosts`, or as many as `srvMaxHosts` allows, at random.
    pub fn choose_hosts(&self, mut hosts: Vec<ServerAddress>, rng: &mut dyn RngCore) -> Vec<ServerAddress> {
        use rand::seq::SliceRandom;

        let limit = usize::try_from(self.max_hosts).unwrap_or(usize::MAX);
        if limit == 0 || limit >= hosts.len() {
            return hosts;
        }
        let (chosen, _) = hosts.partial_shuffle(rng, limit);
        chosen.to_vec()
    }
}

/// The only options that a TXT record may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TxtOptions {
    pub(crate) auth_source: Option<String>,
    pub(crate) replica_set: Option<String>,
    pub(crate) load_balanced: Option<bool>,
}

impl TxtOptions {
    /// Reads the records of one name; the strings of a record are joined already.
    pub(crate) fn parse(records: &[String], warnings: &mut Vec<ConfigWarning>) -> Result<Self, ConfigError> {
        let place = "TXT record";
        let record = match records {
            [] => return Ok(Self::default()),
            [record] => record,
            _ => return Err(ConfigError::uri(place, "the name has several TXT records: only one is allowed")),
        };
        let mut options = Self::default();
        let pairs = parse_options(record).map_err(|error| error.within(place))?;
        for option in pairs {
            match option.name.to_ascii_lowercase().as_str() {
                "authsource" if option.value.is_empty() => {
                    return Err(ConfigError::uri(place, "authSource is empty"));
                }
                "authsource" => options.auth_source = Some(option.value),
                "replicaset" if option.value.is_empty() => {
                    warnings.push(invalid("replicaSet", option.value, "the name of a replica set"));
                }
                "replicaset" => options.replica_set = Some(option.value),
                "loadbalanced" => match option.value.parse() {
                    Ok(value) => options.load_balanced = Some(value),
                    Err(_) => warnings.push(invalid("loadBalanced", option.value, "true or false")),
                },
                _ => {
                    let reason = format!(
                        "the option {} is not allowed there: only authSource, replicaSet and loadBalanced are",
                        option.name
                    );
                    return Err(ConfigError::uri(place, reason));
                }
            }
        }
        Ok(options)
    }
}

fn invalid(option: &str, value: String, expected: &'static str) -> ConfigWarning {
    ConfigWarning::new(option, WarningReason::InvalidValue { value: Some(value), expected: expected.into() })
}

/// Checks the host of a `mongodb+srv` connection string.
pub(super) fn check_seed(hosts: &[SeedHost]) -> Result<(), ConfigError> {
    let invalid = |reason: &str| Err(ConfigError::uri("hosts", reason));
    match hosts {
        [SeedHost { port: Some(_), .. }] => invalid("a mongodb+srv name has no port: DNS gives the ports"),
        [SeedHost { kind: HostKind::Name, host, .. }] if !host.split('.').any(str::is_empty) => Ok(()),
        [SeedHost { kind: HostKind::Name, .. }] => invalid("a mongodb+srv name has no empty label"),
        [_] => invalid("mongodb+srv needs a name that DNS knows; use mongodb:// for an address or a socket"),
        _ => invalid("mongodb+srv takes exactly one name; use mongodb:// for a list of hosts"),
    }
}

/// Checks `srvServiceName`.
pub(crate) fn is_service_name(name: &str) -> bool {
    let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=62).contains(&name.len()) && well_formed
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn srv(host: &str, max_hosts: u32) -> SrvOptions {
        SrvOptions { host: host.into(), service_name: DEFAULT_SERVICE_NAME.into(), max_hosts }
    }

    #[test]
    fn targets_must_share_the_domain() {
        let long = srv("cluster0.example.com", 0);
        assert_eq!(long.query_name(), "_mongodb._tcp.cluster0.example.com");
        for target in ["db0.example.com", "a.b.example.com.", "DB0.Example.COM"] {
            assert!(long.check_target(target).is_ok(), "{target}");
        }
        for target in ["example.com", "db0.evilexample.com", ".example.com", "db0.example.org"] {
            assert!(long.check_target(target).is_err(), "{target}");
        }
    }

    #[test]
    fn short_names_need_a_deeper_target() {
        for (host, good, bad) in [
            ("localhost", "test.localhost", "localhost"),
            ("mongo.local", "test.mongo.local", "test_1.local"),
            ("mongo.local", "a.b.mongo.local", "mongo.local"),
        ] {
            assert!(srv(host, 0).check_target(good).is_ok(), "{good}");
            assert!(srv(host, 0).check_target(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn at_most_max_hosts_are_chosen() {
        let hosts: Vec<ServerAddress> = (1..=5).map(|n| format!("h{n}").parse().unwrap()).collect();
        let mut rng = StdRng::seed_from_u64(7);
        assert_eq!(srv("a.b.c", 0).choose_hosts(hosts.clone(), &mut rng), hosts);
        assert_eq!(srv("a.b.c", 5).choose_hosts(hosts.clone(), &mut rng), hosts);
        let mut chosen = srv("a.b.c", 2).choose_hosts(hosts.clone(), &mut rng);
        chosen.sort();
        chosen.dedup();
        assert_eq!(chosen.len(), 2);
        assert!(chosen.iter().all(|host| hosts.contains(host)));
    }

    #[test]
    fn service_names_follow_the_rules() {
        assert!(is_service_name("custom-name") && is_service_name(&"a".repeat(62)));
        assert!(!is_service_name("") && !is_service_name(&"a".repeat(63)) && !is_service_name("a.b"));
    }
}
