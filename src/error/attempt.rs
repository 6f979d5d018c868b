//! What was tried.

use std::{error::Error as StdError, fmt};

use mongo_actors_engine::{Cause, Failure};
use mongo_actors_protocol::{
    address::ServerAddress,
    retry::{Outcome, Stage},
};

/// One attempt of an operation that failed.
#[derive(Clone, Debug)]
pub struct Attempt {
    server: Option<ServerAddress>,
    stage: Stage,
    outcome: Outcome,
    cause: Option<Cause>,
}

impl Attempt {
    pub(crate) fn new(failure: &Failure, outcome: Outcome) -> Self {
        let server = failure.server.as_ref().map(|server| server.address.clone());
        Self { server, stage: failure.stage, outcome, cause: Some(failure.cause.clone()) }
    }

    /// An attempt of which nothing was heard before its time was up.
    pub(crate) fn unanswered() -> Self {
        Self { server: None, stage: Stage::Queued, outcome: Outcome::Unknown, cause: None }
    }

    /// The server that was selected for it; none when there was none.
    pub fn server(&self) -> Option<&ServerAddress> {
        self.server.as_ref()
    }

    /// How far it got.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What is known to have become of this attempt alone.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it failed; none when the driver itself did not answer in time.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => cause.fmt(f)?,
            None => f.write_str("the driver did not answer in time")?,
        }
        match &self.server {
            Some(server) => write!(f, " ({server}, {:?})", self.stage),
            None => write!(f, " ({:?})", self.stage),
        }
    }
}
