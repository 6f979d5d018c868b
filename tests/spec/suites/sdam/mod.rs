//! Server discovery and monitoring: replies and errors in, descriptions, generations and events out.

mod events;
mod outcome;

use std::time::Instant;

use bson::{Document, RawDocumentBuf, oid::ObjectId};
use libtest_mimic::Failed;
use mongo_actors_protocol::{
    address::ServerAddress,
    error::CommandError,
    options::ClientOptions,
    sdam::{
        Effect, FailureKind, FailurePhase, Generation, HelloReply, RoundTripTime, SdamEvent, ServerDescription,
        ServerFailure, Topology, TopologySettings,
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::Case;
use crate::discovery::SpecFile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    description: String,
    uri: String,
    phases: Vec<Phase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phase {
    #[serde(default)]
    description: String,
    #[serde(default)]
    responses: Vec<(String, Value)>,
    #[serde(default, rename = "applicationErrors")]
    application_errors: Vec<ApplicationError>,
    outcome: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ApplicationError {
    address: String,
    generation: Option<u32>,
    max_wire_version: i32,
    when: String,
    r#type: String,
    response: Option<Value>,
}

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let test: Result<Test, _> = serde_json::from_str(&file.text);
    match test {
        Ok(test) => vec![Case::new(file, &test.description.clone(), move || run(test))],
        Err(error) => vec![Case::new(file, "file", move || Err(error.into()))],
    }
}

fn run(test: Test) -> Result<(), Failed> {
    let mut client = Client::new(TopologySettings::from(&ClientOptions::parse(&test.uri)?));
    for (index, phase) in test.phases.into_iter().enumerate() {
        let within = |failed: Failed| {
            let message = failed.message().unwrap_or("failed").to_owned();
            Failed::from(format!("phase {index} ({}): {message}", phase.description))
        };
        client.play(&phase).and_then(|()| client.check(&phase.outcome)).map_err(within)?;
    }
    Ok(())
}

struct Client {
    topology: Topology,
    events: Vec<SdamEvent>,
}

impl Client {
    fn new(settings: TopologySettings) -> Self {
        let mut topology = Topology::new(settings, ObjectId::from_bytes([42; 12]));
        topology.open();
        let mut client = Self { topology, events: Vec::new() };
        client.collect();
        client
    }

    fn play(&mut self, phase: &Phase) -> Result<(), Failed> {
        for (address, response) in &phase.responses {
            self.check_server(address.parse()?, response)?;
            self.collect();
        }
        for error in &phase.application_errors {
            self.fail(error)?;
            self.collect();
        }
        Ok(())
    }

    fn check_server(&mut self, address: ServerAddress, response: &Value) -> Result<(), Failed> {
        if response.as_object().is_some_and(serde_json::Map::is_empty) {
            self.topology.check_failed(&address, "network error", None, false);
            return Ok(());
        }
        match HelloReply::from_document(&raw(response)?) {
            Ok(reply) => {
                let rtt = RoundTripTime::default();
                let description = ServerDescription::from_hello(address, &reply, Instant::now(), rtt);
                self.topology.server_checked(description);
            }
            Err(error) => self.topology.check_failed(&address, error, None, false),
        }
        Ok(())
    }

    fn fail(&mut self, error: &ApplicationError) -> Result<(), Failed> {
        let address: ServerAddress = error.address.parse()?;
        let generation = error.generation.map_or_else(|| self.topology.generation(&address, None), Generation);
        let phase = match error.when.as_str() {
            "beforeHandshakeCompletes" => FailurePhase::EstablishingConnection,
            "afterHandshakeCompletes" => FailurePhase::AfterHandshakeCompletes,
            other => return Err(format!("unknown time of an error: {other}").into()),
        };
        let kind = match error.r#type.as_str() {
            "network" => FailureKind::Network { timed_out: false },
            "timeout" => FailureKind::Network { timed_out: true },
            "command" => {
                let reply = raw(error.response.as_ref().ok_or("a command error without a response")?)?;
                let found = CommandError::from_reply(&reply).or_else(|| CommandError::from_write_concern_error(&reply));
                // Errors of single statements are none of the server's.
                let Some(found) = found else { return Ok(()) };
                FailureKind::Command(found.into())
            }
            other => return Err(format!("unknown type of an error: {other}").into()),
        };
        // The pool labels network errors before the end of hello as signs of overload.
        let overloaded = phase == FailurePhase::EstablishingConnection && matches!(kind, FailureKind::Network { .. });
        self.topology.operation_failed(&ServerFailure {
            address,
            phase,
            kind,
            overloaded,
            message: "application error".into(),
            generation,
            service_id: None,
            max_wire_version: error.max_wire_version,
        });
        Ok(())
    }

    /// Takes the events; the generations that pools are told must be those that the topology keeps.
    fn collect(&mut self) {
        let mut told = None;
        while let Some(effect) = self.topology.poll_effect() {
            match effect {
                Effect::Publish(event) => self.events.push(event),
                Effect::ClearPool { address, generation, service_id, .. } => {
                    told = Some((generation, self.topology.generation(&address, service_id)));
                }
                _ => {}
            }
        }
        if let Some((told, kept)) = told {
            assert_eq!(told, kept, "the pool was told another generation than the topology keeps");
        }
    }

    fn check(&mut self, outcome: &Value) -> Result<(), Failed> {
        let events = std::mem::take(&mut self.events);
        if let Some(ids) = events.iter().map(events::topology_id).find(|id| *id != self.topology.id()) {
            return Err(format!("an event names the topology {ids}").into());
        }
        match outcome.get("events") {
            Some(expected) => events::check(&events, expected),
            None => outcome::check(&self.topology, outcome),
        }
    }
}

fn raw(value: &Value) -> Result<RawDocumentBuf, Failed> {
    let document: Document = serde_json::from_value(value.clone())?;
    Ok(RawDocumentBuf::try_from(&document)?)
}
