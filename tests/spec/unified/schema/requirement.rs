//! `runOnRequirement`, and versions.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Filled, NonEmpty, Object};

/// What a deployment must be for a test to run on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RunOnRequirement {
    pub(crate) min_server_version: Option<Version>,
    pub(crate) max_server_version: Option<Version>,
    pub(crate) topologies: Option<NonEmpty<TopologyName>>,
    pub(crate) serverless: Option<Serverless>,
    pub(crate) server_parameters: Option<Filled<Object>>,
    pub(crate) auth: Option<bool>,
    pub(crate) auth_mechanism: Option<String>,
    pub(crate) csfle: Option<Csfle>,
}

/// A topology as the format names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TopologyName {
    Single,
    #[serde(rename = "replicaset")]
    ReplicaSet,
    Sharded,
    /// The deprecated name for a sharded cluster of replica sets, which all are.
    #[serde(rename = "sharded-replicaset")]
    ShardedReplicaSet,
    LoadBalanced,
}

/// Whether a test asks for a serverless deployment. The tests have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Serverless {
    Require,
    Forbid,
    Allow,
}

/// Whether a test asks for client-side encryption.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Csfle {
    Wanted(bool),
    WantedWith(Filled<Libmongocrypt>),
}

/// The library that encrypts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Libmongocrypt {
    min_libmongocrypt_version: Option<Version>,
}

impl Csfle {
    /// Whether the test needs encryption; it may also need its absence.
    pub(crate) fn is_wanted(&self) -> bool {
        !matches!(self, Self::Wanted(false))
    }
}

/// Major, minor and patch number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) [u32; 3]);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no version")))
    }
}

impl Version {
    /// Two or three numbers with dots between them.
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_number) {
            return None;
        }
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(parts) {
            *number = part.parse().ok()?;
        }
        Some(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}")?;
        if *patch > 0 { write!(f, ".{patch}") } else { Ok(()) }
    }
}
