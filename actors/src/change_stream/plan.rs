//! What a change stream is made from, and what it may fail with.

use std::time::Duration;

use bson::Document;
use mongo_actors_protocol::{
    change_stream::{ChangeStreamOptions, Start, Watch, Watched},
    command::{Command, EncodeError, GetMore, Namespace},
    error::Labels,
    retry::{self, Outcome, RetryOptions},
    selection::SelectionCriteria,
};

use super::cursor::OpenCursor;
use crate::{
    failure::Failure,
    ticket::{Operation, SharedSession},
};

/// What a change stream is made from. It never changes.
#[derive(Clone, Debug)]
pub struct ChangeStreamPlan {
    /// What is watched.
    pub watched: Watched,
    /// The stages that follow `$changeStream`.
    pub pipeline: Vec<Document>,
    /// The options.
    pub options: ChangeStreamOptions,
    /// The command that opens it, with all that is resolved about its execution. Opened anew, it is the same but for
    /// the place where it starts.
    pub operation: Box<Operation>,
    /// The application's session that it runs in.
    pub session: Option<SharedSession>,
    /// The retry rules of that command.
    pub retry: retry::Operation,
    /// The client's switches.
    pub retry_options: RetryOptions,
    /// `timeoutMS`, if it is set: the time for closing the stream.
    pub timeout: Option<Duration>,
}

impl ChangeStreamPlan {
    /// The `aggregate` that opens a cursor at `start`.
    pub(super) fn open(&self, start: &Start) -> Result<Box<Operation>, EncodeError> {
        let watch = Watch { watched: &self.watched, pipeline: &self.pipeline, options: &self.options, start };
        let mut operation = self.operation.clone();
        operation.request = watch.request()?;
        Ok(operation)
    }

    /// The `getMore` for the next batch.
    pub(super) fn more(&self, cursor: &OpenCursor) -> Result<Box<Operation>, EncodeError> {
        let options = &self.options;
        let knows_comment = cursor.connection.max_wire_version >= GetMore::COMMENT_WIRE_VERSION;
        let namespace: &Namespace = &cursor.namespace;
        let command = GetMore {
            cursor_id: cursor.id,
            namespace,
            batch_size: options.batch_size,
            max_time: options.max_await_time,
            comment: options.comment.as_ref().filter(|_| knows_comment),
            exhaust: false,
        };
        let mut operation =
            Box::new(Operation::new(command.request()?, SelectionCriteria::Address((*cursor.server).clone())));
        operation.max_time = options.max_await_time;
        operation.operation_id = self.operation.operation_id;
        operation.span = self.operation.span.clone();
        Ok(operation)
    }
}

/// A command of a change stream that failed, its repetitions included.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// Name of the command; none when there was none to send.
    pub command: Option<&'static str>,
    /// The failure to report.
    pub failure: Failure,
    /// Its labels, those of the driver included.
    pub labels: Labels,
    /// What is known of the command.
    pub outcome: Outcome,
    /// Every attempt since the reader asked, that of a cursor that was lost included.
    pub attempts: Vec<(Failure, Outcome)>,
    /// Whether it failed because the time of the call was up, although its own failure may say something else.
    pub late: bool,
    /// Whether the stream has ended. Otherwise the next call goes on where it stands.
    pub ends: bool,
}
