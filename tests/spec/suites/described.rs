//! The topologies, read preferences and lists of servers that the server selection and max staleness files describe.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use mongo_actors_protocol::{
    read_preference::{ReadPreference, ReadPreferenceMode, ReadPreferenceOptions, TagSet},
    sdam::{ServerDescription, ServerType, TopologyDescription, TopologyType},
    selection::{SelectionContext, in_latency_window, suitable_servers},
};
use serde::Deserialize;
use serde_json::Value;

/// A server's wire version where a file tells none: one that this driver works with.
const WIRE_VERSION: i32 = 21;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Topology {
    r#type: String,
    servers: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) address: String,
    r#type: String,
    avg_rtt_ms: Option<f64>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(rename = "lastUpdateTime")]
    last_update_time: Option<u64>,
    #[serde(rename = "lastWrite")]
    last_write: Option<LastWrite>,
    #[serde(rename = "maxWireVersion")]
    max_wire_version: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LastWrite {
    #[serde(rename = "lastWriteDate")]
    date: Value,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preference {
    mode: Option<String>,
    tag_sets: Option<Vec<TagSet>>,
    #[serde(rename = "maxStalenessSeconds")]
    max_staleness_seconds: Option<i64>,
}

impl Topology {
    pub(super) fn description(&self, heartbeat: Option<u64>) -> Result<TopologyDescription, Failed> {
        let epoch = Instant::now();
        let servers: Result<Vec<_>, Failed> = self.servers.iter().map(|server| server.description(epoch)).collect();
        let mut description = TopologyDescription::new(topology_type(&self.r#type)?, servers?);
        if let Some(milliseconds) = heartbeat {
            description.heartbeat_frequency = Duration::from_millis(milliseconds);
        }
        Ok(description)
    }
}

impl Server {
    /// `epoch` stands for the instant from which the file's times count.
    fn description(&self, epoch: Instant) -> Result<ServerDescription, Failed> {
        let mut server = ServerDescription::unknown(self.address.parse()?);
        server.server_type = server_type(&self.r#type)?;
        server.tags.clone_from(&self.tags);
        server.max_wire_version = self.max_wire_version.unwrap_or(WIRE_VERSION);
        if server.is_known() {
            server.round_trip_time = self.avg_rtt_ms.map(|time| Duration::from_secs_f64(time / 1e3));
        }
        server.last_update_time = self.last_update_time.map(|time| epoch + Duration::from_millis(time));
        if let Some(LastWrite { date }) = &self.last_write {
            let date = date["$numberLong"].as_str().map_or_else(|| date.as_i64(), |text| text.parse().ok());
            server.last_write_date = Some(bson::DateTime::from_millis(date.ok_or("lastWriteDate is no number")?));
        }
        Ok(server)
    }
}

impl Preference {
    /// The read preference; an error if there can be none such.
    pub(super) fn read(&self) -> Result<ReadPreference, Failed> {
        let mode: ReadPreferenceMode = self.mode.as_deref().unwrap_or("primary").parse()?;
        let mut options = ReadPreferenceOptions::default();
        options.tag_sets.clone_from(&self.tag_sets);
        let limit = self.max_staleness_seconds.filter(|seconds| *seconds != -1);
        options.max_staleness = limit.map(|seconds| u64::try_from(seconds).map(Duration::from_secs)).transpose()?;
        Ok(ReadPreference::new(mode, options)?)
    }
}

/// Compares the suitable servers, and those of them in the latency window, with the lists of a file.
pub(super) fn check_lists(
    context: &SelectionContext<'_>,
    suitable: Option<&[Server]>,
    in_window: Option<&[Server]>,
) -> Result<(), Failed> {
    let mut servers = suitable_servers(context)?;
    let addresses = |servers: &[&std::sync::Arc<ServerDescription>]| -> Vec<String> {
        servers.iter().map(|server| server.address.to_string()).collect()
    };
    if let Some(expected) = suitable {
        same("the suitable servers", addresses(&servers), expected)?;
    }
    in_latency_window(&mut servers, context.local_threshold);
    match in_window {
        Some(expected) => same("the servers in the latency window", addresses(&servers), expected),
        None => Ok(()),
    }
}

fn same(what: &str, mut found: Vec<String>, expected: &[Server]) -> Result<(), Failed> {
    let mut expected: Vec<String> = expected.iter().map(|server| server.address.clone()).collect();
    found.sort();
    expected.sort();
    if found == expected { Ok(()) } else { Err(format!("{what} are {found:?}, not {expected:?}").into()) }
}

fn topology_type(name: &str) -> Result<TopologyType, Failed> {
    use TopologyType::{LoadBalanced, ReplicaSetNoPrimary, ReplicaSetWithPrimary, Sharded, Single, Unknown};
    [Single, ReplicaSetNoPrimary, ReplicaSetWithPrimary, Sharded, LoadBalanced, Unknown]
        .into_iter()
        .find(|own| own.name() == name)
        .ok_or_else(|| format!("unknown topology type {name}").into())
}

fn server_type(name: &str) -> Result<ServerType, Failed> {
    use ServerType::{LoadBalancer, Mongos, RsArbiter, RsGhost, RsOther, RsPrimary, RsSecondary, Standalone, Unknown};
    if name == "PossiblePrimary" {
        // To drivers that check all servers at the same time, it is merely unknown.
        return Ok(Unknown);
    }
    [Standalone, Mongos, RsPrimary, RsSecondary, RsArbiter, RsOther, RsGhost, LoadBalancer, Unknown]
        .into_iter()
        .find(|own| own.name() == name)
        .ok_or_else(|| format!("unknown server type {name}").into())
}
