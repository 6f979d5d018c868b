//! Commands that the user wrote.

use std::time::Duration;

use bson::{Bson, RawDocument};

use super::{
    Command, Criteria, CursorType, EncodeError, Properties, Request, request::InvalidCommand, validate_database_name,
};
use crate::{retry::Operation, selection::SelectionCriteria};

/// Options for running a command.
#[derive(Clone, Debug, Default)]
pub struct RunCommandOptions {
    /// Which server to ask. Default: the primary, or what the transaction says; never what a database or client says.
    pub selection_criteria: Option<SelectionCriteria>,
}

/// Options for running a command whose reply has a cursor. All but the first concern its `getMore`s alone.
#[derive(Clone, Debug, Default)]
pub struct RunCursorCommandOptions {
    /// Which server to ask. Default: the primary, or what the transaction says; never what a database or client says.
    pub selection_criteria: Option<SelectionCriteria>,
    /// The kind of cursor that the command asks for by its own fields. Default: [`CursorType::NonTailable`].
    pub cursor_type: Option<CursorType>,
    /// Documents per batch.
    pub batch_size: Option<u32>,
    /// How long the server waits for documents, in whole milliseconds, if the cursor awaits data; servers refuse it for
    /// other cursors. Not together with a timeout.
    pub max_time: Option<Duration>,
    /// Attached to each `getMore` in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
    /// What the operation's timeout means for the cursor. Not sent.
    pub timeout_mode: Option<super::TimeoutMode>,
}

/// A command that the user wrote. It is sent as it is, and never retried for what the server answers.
///
/// What the driver adds to every command stands behind it: giving the same fields (`$db`, `lsid`, `maxTimeMS`, ...) has
/// no defined outcome. Concerns are sent only if the command itself has them.
#[derive(Clone, Copy, Debug)]
pub struct RunCommand<'a> {
    /// Name of the database.
    pub database: &'a str,
    /// The command; its first key is its name.
    pub command: &'a RawDocument,
}

impl Command for RunCommand<'_> {
    /// The effective read preference is the one of the options, else the primary.
    fn properties(&self) -> Properties {
        Properties { criteria: Criteria::ReadPreference, ..Properties::plain(Operation::COMMAND) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        validate_database_name(self.database)?;
        Request::from_document(self.database.into(), self.command.to_owned()).map_err(|error| match error {
            InvalidCommand::Empty => EncodeError::argument("command", "its first key must name the command"),
            InvalidCommand::Malformed => EncodeError::argument("command", "it is not valid BSON"),
        })
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::command::ReadConcernUse;

    #[test]
    fn a_command_is_sent_as_it_is() {
        let command = rawdoc! { "checkX": 1, "writeConcern": { "w": 1 } };
        let run = RunCommand { database: "db", command: &command };
        let request = run.request().unwrap();
        assert_eq!((&*request.name, &*request.database, &request.body), ("checkX", "db", &command));
        let properties = run.properties();
        assert_eq!((properties.retry, properties.read_concern), (Operation::COMMAND, ReadConcernUse::None));
        assert!(!properties.write_concern);
        assert!(RunCommand { database: "db", command: &rawdoc! {} }.request().is_err());
        assert!(RunCommand { database: "", command: &command }.request().is_err());
    }
}
