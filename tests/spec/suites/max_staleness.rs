//! Max staleness: which secondaries lag too far behind, and which limits cannot be kept.

use libtest_mimic::Failed;
use mongo_actors_protocol::selection::{SelectionContext, SelectionCriteria};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Case,
    described::{Preference, Server, Topology, check_lists},
};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let json = file.json.clone();
    vec![Case::new(file, "selection", move || check(json))]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(rename = "heartbeatFrequencyMS")]
    heartbeat: Option<u64>,
    topology_description: Topology,
    read_preference: Preference,
    suitable_servers: Option<Vec<Server>>,
    in_latency_window: Option<Vec<Server>>,
    #[serde(default)]
    error: bool,
}

fn check(json: Value) -> Result<(), Failed> {
    let test: Test = serde_json::from_value(json)?;
    match (select(&test), test.error) {
        (Ok(()), true) => Err("there was no error".into()),
        (Err(_), true) => Ok(()),
        (result, false) => result,
    }
}

fn select(test: &Test) -> Result<(), Failed> {
    let description = test.topology_description.description(test.heartbeat)?;
    let criteria = SelectionCriteria::ReadPreference(test.read_preference.read()?);
    let context = SelectionContext::new(&description, &criteria);
    check_lists(&context, test.suitable_servers.as_deref(), test.in_latency_window.as_deref())
}
