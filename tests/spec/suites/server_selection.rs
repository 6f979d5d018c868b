//! Server selection: suitable servers, the latency window, the choice within it, and round-trip times.

use std::{collections::BTreeMap, time::Duration};

use libtest_mimic::Failed;
use mongo_actors_protocol::{
    address::ServerAddress,
    read_preference::ReadPreference,
    sdam::RttEstimator,
    selection::{SelectionContext, SelectionCriteria, select_server},
};
use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Case,
    described::{Preference, Server, Topology, check_lists},
};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let json = file.json.clone();
    let kind = file.name.split('/').nth(1).unwrap_or_default();
    match kind {
        "rtt" => vec![Case::new(file, "average", move || check_average(json))],
        "in_window" => {
            let description = json["description"].as_str().unwrap_or("in window").to_owned();
            vec![Case::new(file, &description, move || check_frequencies(json))]
        }
        _ => vec![Case::new(file, "selection", move || check_selection(json))],
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    #[serde(default, rename = "description")]
    _description: String,
    topology_description: Topology,
    operation: String,
    #[serde(default)]
    read_preference: Preference,
    #[serde(default)]
    deprioritized_servers: Vec<Server>,
    #[serde(rename = "heartbeatFrequencyMS")]
    heartbeat: Option<u64>,
    suitable_servers: Option<Vec<Server>>,
    in_latency_window: Option<Vec<Server>>,
    #[serde(default)]
    error: bool,
}

fn check_selection(json: Value) -> Result<(), Failed> {
    let test: Selection = serde_json::from_value(json)?;
    let expected_error = test.error;
    match (select(&test), expected_error) {
        (Ok(()), true) => Err("there was no error".into()),
        (Err(_), true) => Ok(()),
        (result, false) => result,
    }
}

fn select(test: &Selection) -> Result<(), Failed> {
    let description = test.topology_description.description(test.heartbeat)?;
    let criteria = match test.operation.as_str() {
        "read" => SelectionCriteria::ReadPreference(test.read_preference.read()?),
        "write" => SelectionCriteria::Writable,
        other => return Err(format!("unknown operation {other}").into()),
    };
    let deprioritized: Result<Vec<ServerAddress>, _> =
        test.deprioritized_servers.iter().map(|server| server.address.parse()).collect();
    let deprioritized = deprioritized?;
    let context = SelectionContext { deprioritized: &deprioritized, ..SelectionContext::new(&description, &criteria) };
    check_lists(&context, test.suitable_servers.as_deref(), test.in_latency_window.as_deref())?;
    let Some(in_window) = &test.in_latency_window else { return Ok(()) };
    let selected = select_server(&context, &|_| 0, &mut StdRng::seed_from_u64(1))?;
    let selected = selected.map(|server| server.address.to_string());
    let fits = match &selected {
        Some(address) => in_window.iter().any(|server| server.address == *address),
        None => in_window.is_empty(),
    };
    if fits { Ok(()) } else { Err(format!("{selected:?} was selected").into()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InWindow {
    #[serde(rename = "description")]
    _description: String,
    topology_description: Topology,
    mocked_topology_state: Vec<Load>,
    iterations: u32,
    outcome: Frequencies,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    address: ServerAddress,
    operation_count: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frequencies {
    tolerance: f64,
    expected_frequencies: BTreeMap<ServerAddress, f64>,
}

fn check_frequencies(json: Value) -> Result<(), Failed> {
    let test: InWindow = serde_json::from_value(json)?;
    let description = test.topology_description.description(None)?;
    let criteria = SelectionCriteria::ReadPreference(ReadPreference::nearest());
    let context = SelectionContext::new(&description, &criteria);
    let load: BTreeMap<_, _> =
        test.mocked_topology_state.into_iter().map(|load| (load.address, load.operation_count)).collect();
    let in_flight = |address: &ServerAddress| load.get(address).copied().unwrap_or(0);
    let mut rng = StdRng::seed_from_u64(20_240_229);
    let mut counts: BTreeMap<ServerAddress, u32> = BTreeMap::new();
    for _ in 0..test.iterations {
        let selected = select_server(&context, &in_flight, &mut rng)?.ok_or("no server was selected")?;
        *counts.entry(selected.address.clone()).or_default() += 1;
    }
    let frequency = |count: u32| f64::from(count) / f64::from(test.iterations);
    for (address, expected) in &test.outcome.expected_frequencies {
        let found = frequency(counts.remove(address).unwrap_or(0));
        let exact = *expected == 0.0 || *expected == 1.0;
        let tolerance = if exact { 0.0 } else { test.outcome.tolerance };
        if (found - expected).abs() > tolerance {
            return Err(format!("{address} was selected with frequency {found}, not {expected}").into());
        }
    }
    match counts.keys().next() {
        Some(address) => Err(format!("{address} was selected").into()),
        None => Ok(()),
    }
}

fn check_average(json: Value) -> Result<(), Failed> {
    let milliseconds = |value: &Value| value.as_f64().map(|time| Duration::from_secs_f64(time / 1e3));
    let mut rtt = match &json["avg_rtt_ms"] {
        Value::String(null) if null == "NULL" => RttEstimator::default(),
        average => RttEstimator::with_average(milliseconds(average).ok_or("avg_rtt_ms is no number")?),
    };
    rtt.add_sample(milliseconds(&json["new_rtt_ms"]).ok_or("new_rtt_ms is no number")?);
    let found = rtt.average().ok_or("there is no average")?.as_secs_f64() * 1e3;
    let expected = json["new_avg_rtt"].as_f64().ok_or("new_avg_rtt is no number")?;
    // Durations are counted in whole nanoseconds.
    if (found - expected).abs() < 1e-5 { Ok(()) } else { Err(format!("the average is {found}, not {expected}").into()) }
}
