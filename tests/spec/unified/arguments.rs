//! The arguments of operations, read strictly: each is taken once, and none may be left.

use std::time::Duration;

use bson::{Bson, Document, Timestamp};
use mongo_actors::{
    change_stream::ResumeToken,
    options::{
        ChangeStreamPreAndPostImages, ClusteredIndex, Collation, CursorType, FullDocumentBeforeChangeType,
        FullDocumentType, Hint, ReadConcern, ReadPreference, ReturnDocument, TimeoutMode, UpdateModifications,
        WriteConcern,
    },
};
use serde::de::DeserializeOwned;

use super::failure::{Outcome, failure};

/// What is left of the arguments of an operation.
#[derive(Debug)]
pub(super) struct Arguments(Document);

/// What an argument can be read as.
pub(super) trait Argument: Sized {
    fn read(value: Bson) -> Result<Self, String>;
}

impl Arguments {
    pub(super) fn new(arguments: &Document) -> Self {
        Self(arguments.clone())
    }

    /// Takes the argument `name`; none if the file does not give it.
    pub(super) fn take<T: Argument>(&mut self, name: &str) -> Outcome<Option<T>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        T::read(value).map(Some).map_err(|reason| failure!("the argument {name} {reason}"))
    }

    /// Takes the argument `name`.
    pub(super) fn require<T: Argument>(&mut self, name: &str) -> Outcome<T> {
        self.take(name)?.ok_or_else(|| failure!("the argument {name} is missing"))
    }

    /// Reads everything that is left as one value.
    pub(super) fn rest<T: DeserializeOwned>(self) -> Outcome<T> {
        deserialize(Bson::Document(self.0)).map_err(|reason| failure!("the arguments: one of them {reason}"))
    }

    /// Sees that nothing is left.
    pub(super) fn finish(self) -> Outcome {
        match self.0.keys().next() {
            Some(name) => Err(failure!("the argument {name} is not supported here")),
            None => Ok(()),
        }
    }
}

/// Calls a setter of an operation for each argument that the file gives.
macro_rules! set {
    ($action:ident, $arguments:expr, { $($name:literal => $setter:ident: $type:ty),* $(,)? }) => {
        $(
            if let Some(value) = $arguments.take::<$type>($name)? {
                $action = $action.$setter(value);
            }
        )*
    };
}
pub(super) use set;

/// Runs an operation in a session, if there is one.
macro_rules! in_session {
    ($action:expr, $session:expr) => {{
        let action = $action;
        match $session {
            Some(session) => action.session(session),
            None => action,
        }
    }};
}
pub(super) use in_session;

impl Argument for Bson {
    fn read(value: Bson) -> Result<Self, String> {
        Ok(value)
    }
}

/// Reads `value` by the rules of serde.
pub(super) fn deserialize<T: DeserializeOwned>(value: Bson) -> Result<T, String> {
    bson::deserialize_from_bson(value).map_err(|error| format!("cannot be read: {error}"))
}

macro_rules! by_serde {
    ($($type:ty),* $(,)?) => {
        $(
            impl Argument for $type {
                fn read(value: Bson) -> Result<Self, String> {
                    deserialize(value)
                }
            }
        )*
    };
}

by_serde! {
    bool, i32, i64, u32, u64, usize, String, Document, Vec<Document>, Vec<Bson>, Vec<String>, Collation, Hint,
    UpdateModifications, ReadConcern, ClusteredIndex, ChangeStreamPreAndPostImages, ResumeToken, Timestamp,
}

/// Milliseconds.
impl Argument for Duration {
    fn read(value: Bson) -> Result<Self, String> {
        u64::read(value).map(Self::from_millis)
    }
}

impl Argument for WriteConcern {
    fn read(value: Bson) -> Result<Self, String> {
        let mut concern = Self::default();
        let document = Document::read(value)?;
        for (name, value) in document {
            match name.as_str() {
                "w" => concern.w = Some(deserialize(value)?),
                "journal" => concern.journal = Some(deserialize(value)?),
                "wtimeoutMS" => concern = concern.with_w_timeout(Duration::read(value)?),
                _ => return Err(format!("has the unknown field {name}")),
            }
        }
        Ok(concern)
    }
}

impl Argument for ReadPreference {
    fn read(value: Bson) -> Result<Self, String> {
        let mut document = Document::read(value)?;
        let mode = document.remove("mode").ok_or("has no mode")?;
        let mode = String::read(mode)?.parse().map_err(|error| format!("has a bad mode: {error}"))?;
        let mut preference = Self::new(mode, Default::default()).map_err(|error| error.to_string())?;
        for (name, value) in document {
            preference = match name.as_str() {
                "tagSets" => preference.with_tag_sets(deserialize::<Vec<Vec<(String, String)>>>(value)?),
                "maxStalenessSeconds" => preference.with_max_staleness(Duration::from_secs(u64::read(value)?)),
                _ => return Err(format!("has the unknown field {name}")),
            };
        }
        Ok(preference)
    }
}

impl Argument for ReturnDocument {
    fn read(value: Bson) -> Result<Self, String> {
        match String::read(value)?.to_ascii_lowercase().as_str() {
            "before" => Ok(Self::Before),
            "after" => Ok(Self::After),
            other => Err(format!("is {other:?} instead of Before or After")),
        }
    }
}

impl Argument for CursorType {
    fn read(value: Bson) -> Result<Self, String> {
        match String::read(value)?.as_str() {
            "nonTailable" => Ok(Self::NonTailable),
            "tailable" => Ok(Self::Tailable),
            "tailableAwait" => Ok(Self::TailableAwait),
            other => Err(format!("is {other:?} instead of a type of cursors")),
        }
    }
}

impl Argument for TimeoutMode {
    fn read(value: Bson) -> Result<Self, String> {
        match String::read(value)?.as_str() {
            "cursorLifetime" => Ok(Self::CursorLifetime),
            "iteration" => Ok(Self::Iteration),
            other => Err(format!("is {other:?} instead of cursorLifetime or iteration")),
        }
    }
}

impl Argument for FullDocumentType {
    fn read(value: Bson) -> Result<Self, String> {
        let name = String::read(value)?;
        Ok(match name.as_str() {
            "updateLookup" => Self::UpdateLookup,
            "whenAvailable" => Self::WhenAvailable,
            "required" => Self::Required,
            _ => Self::Other(name),
        })
    }
}

impl Argument for FullDocumentBeforeChangeType {
    fn read(value: Bson) -> Result<Self, String> {
        let name = String::read(value)?;
        Ok(match name.as_str() {
            "whenAvailable" => Self::WhenAvailable,
            "required" => Self::Required,
            "off" => Self::Off,
            _ => Self::Other(name),
        })
    }
}
