//! Where an example finds a MongoDB.

use std::{error::Error as StdError, fmt};

use mongo_actors_testkit::{Error, ReplicaSet};

/// The environment variable that names a MongoDB to use.
pub(crate) const VARIABLE: &str = "MONGODB_URI";

/// A MongoDB to show something on. One that was started for the example ends when this is dropped.
pub(crate) enum Deployment {
    Given(String),
    ThrowAway(Box<ReplicaSet>),
}

impl Deployment {
    /// The one at `uri`, which is what the environment says; without one, a replica set of one member that is started
    /// for the example.
    pub(crate) async fn provide(uri: Option<String>) -> Result<Self, Unavailable> {
        match uri.filter(|uri| !uri.is_empty()) {
            Some(uri) => Ok(Self::Given(uri)),
            None => Ok(Self::ThrowAway(Box::new(ReplicaSet::start(1).await.map_err(Unavailable)?))),
        }
    }

    pub(crate) fn uri(&self) -> String {
        match self {
            Self::Given(uri) => uri.clone(),
            Self::ThrowAway(set) => set.uri(),
        }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => write!(f, "the MongoDB that {VARIABLE} names"),
            Self::ThrowAway(_) => write!(f, "a MongoDB started for this run (set {VARIABLE} to use your own)"),
        }
    }
}

/// No MongoDB could be started.
#[derive(Debug)]
pub(crate) struct Unavailable(Error);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nOr set {VARIABLE} to the connection string of a MongoDB that runs.", self.0)
    }
}

impl StdError for Unavailable {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
