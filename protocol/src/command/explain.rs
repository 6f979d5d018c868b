//! `explain`: how a server would execute a command.

use std::time::Duration;

use bson::{Bson, RawDocumentBuf, raw::cstr};

use super::{Command, Criteria, EncodeError, Properties, Request, collation::words, encode::append};
use crate::{
    retry::Operation,
    wire::{MessageFlags, MessageParts},
};

words! {
    /// How much an explanation says.
    ExplainVerbosity {
        /// The plan that was chosen.
        QueryPlanner = "queryPlanner",
        /// It was executed, too, and its statistics are there.
        ExecutionStats = "executionStats",
        /// The same, with the plans that were rejected: the server's default.
        AllPlansExecution = "allPlansExecution",
    }
}

/// Options of an explanation. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct ExplainOptions {
    /// How much to say. Default: [`ExplainVerbosity::AllPlansExecution`].
    pub verbosity: Option<ExplainVerbosity>,
    /// How long the server may take to explain, in whole milliseconds. A client's or operation's timeout replaces it.
    pub max_time: Option<Duration>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `explain` command around another one. Its reply is for the caller to read.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::{Command, Explain, Find, Namespace};
///
/// let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! { "x": 1 });
/// let find = Find::many(&namespace, &filter, &Default::default()).request().unwrap();
/// let explain = Explain { command: &find, options: &Default::default() }.request().unwrap();
/// assert_eq!(explain.body, rawdoc! { "explain": { "find": "coll", "filter": { "x": 1 } } });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Explain<'a> {
    /// The command to explain.
    pub command: &'a Request,
    /// The options.
    pub options: &'a ExplainOptions,
}

impl Command for Explain<'_> {
    fn properties(&self) -> Properties {
        Properties {
            criteria: Criteria::ReadPreference,
            max_time: self.options.max_time,
            ..Properties::plain(Operation::READ)
        }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let Request { body, sequences, .. } = self.command;
        let parts = MessageParts { body, tail: &[], sequences, flags: MessageFlags::default(), request_id: 0 };
        let inner = parts.to_command_document();
        let inner = inner.map_err(|_| EncodeError::argument("command", "a document sequence of it is damaged"))?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("explain"), inner);
        append!(&mut body; "verbosity": self.options.verbosity, "comment": self.options.comment);
        Ok(Request::new("explain", self.command.database.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::command::{Delete, DeleteOptions, Namespace};

    #[test]
    fn sequences_return_into_the_command() {
        let (namespace, filter) = (Namespace::new("db", "coll"), rawdoc! { "x": 1 });
        let delete = Delete::many(&namespace, &filter, &DeleteOptions::default()).request().unwrap();
        let options = ExplainOptions {
            verbosity: Some(ExplainVerbosity::QueryPlanner),
            max_time: Some(Duration::from_secs(1)),
            comment: Some(Bson::from("c")),
        };
        let explain = Explain { command: &delete, options: &options };
        let request = explain.request().unwrap();
        let expected = rawdoc! {
            "explain": { "delete": "coll", "ordered": true, "deletes": [{ "q": { "x": 1 }, "limit": 0 }] },
            "verbosity": "queryPlanner", "comment": "c",
        };
        assert_eq!((&*request.name, &*request.database), ("explain", "db"));
        assert_eq!(request.body, expected);
        assert!(request.sequences.is_empty());
        assert_eq!(explain.properties().max_time, options.max_time);
    }
}
