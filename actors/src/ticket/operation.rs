//! What the façade asks the engine to do.

use std::time::{Duration, Instant};

use mongo_actors_protocol::{
    command::{ReadConcernUse, Request, Requirement, Unsupported},
    concern::{ReadConcern, WriteConcern},
    retry::Retryability,
    selection::SelectionCriteria,
};

use super::explicit::Turn;

/// Which server session an operation runs in.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum SessionUse {
    /// One that the driver lends for the operation, if the server has sessions.
    #[default]
    Implicit,
    /// None: for unacknowledged writes and for commands that must not carry one.
    None,
    /// That of the application.
    Explicit(Turn),
}

/// The sizes that a request was split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest document.
    pub max_bson_object_size: usize,
    /// Bytes of the largest message.
    pub max_message_size: usize,
    /// Documents in the largest write batch.
    pub max_write_batch_size: usize,
}

impl Limits {
    /// The smaller of each limit.
    pub(crate) fn smaller(self, other: Self) -> Self {
        Self {
            max_bson_object_size: self.max_bson_object_size.min(other.max_bson_object_size),
            max_message_size: self.max_message_size.min(other.max_message_size),
            max_write_batch_size: self.max_write_batch_size.min(other.max_write_batch_size),
        }
    }

    /// Whether a request split by these limits fits a server with the limits `other`.
    pub fn fit_within(&self, other: &Self) -> bool {
        self.max_bson_object_size <= other.max_bson_object_size
            && self.max_message_size <= other.max_message_size
            && self.max_write_batch_size <= other.max_write_batch_size
    }
}

impl Default for Limits {
    /// What every supported server allows: 16 MiB, 48,000,000 bytes and 100,000 documents.
    fn default() -> Self {
        Self { max_bson_object_size: 16 * 1024 * 1024, max_message_size: 48_000_000, max_write_batch_size: 100_000 }
    }
}

/// One command, and how it is to be executed.
///
/// The body is encoded once; what only a connection knows is appended by it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The encoded command.
    pub request: Request,
    /// Which server may execute it.
    pub criteria: SelectionCriteria,
    /// The retry rules it falls under, after the client's switches: `Write` has a transaction number assigned.
    pub retryability: Retryability,
    /// Whether the caller will not make another attempt, whatever becomes of this one.
    pub last_attempt: bool,
    /// Sent as `readConcern` unless empty, or as part of what a session makes of it.
    pub read_concern: Option<ReadConcern>,
    /// What a session may add to its read concern.
    pub read_concern_use: ReadConcernUse,
    /// Sent as `writeConcern` unless empty. With `w: 0` the server does not reply.
    pub write_concern: Option<WriteConcern>,
    /// Which server session it runs in.
    pub session: SessionUse,
    /// When the caller's patience ends, whatever the operation is doing then.
    pub deadline: Option<Instant>,
    /// Whether `timeoutMS` is set, even to no limit: then `waitQueueTimeoutMS` and `socketTimeoutMS` do not hold.
    pub timed: bool,
    /// Sent as `maxTimeMS`.
    pub max_time: Option<Duration>,
    /// Whether `maxTimeMS` is sent, or lowered, so that the server stops before the deadline.
    pub bounds_server: bool,
    /// Whether the cursor that it opens or goes on with is streamed: the reply keeps the connection, and the server may
    /// send further batches without being asked.
    pub exhaust: bool,
    /// Checked against the server that was selected, before anything is sent.
    pub requirements: Vec<Requirement>,
    /// What `request` was split by; none when its size does not depend on limits.
    pub limits: Option<Limits>,
    /// The same for all attempts of an operation and for a cursor's later batches; for events.
    pub operation_id: i64,
    /// The caller's span, which the driver's own spans join.
    pub span: tracing::Span,
}

impl Operation {
    /// An operation with nothing but a command and its criteria: no retries, no concerns, an implicit session.
    pub fn new(request: Request, criteria: SelectionCriteria) -> Self {
        Self {
            request,
            criteria,
            retryability: Retryability::None,
            last_attempt: false,
            read_concern: None,
            read_concern_use: ReadConcernUse::None,
            write_concern: None,
            session: SessionUse::Implicit,
            deadline: None,
            timed: false,
            max_time: None,
            bounds_server: true,
            exhaust: false,
            requirements: Vec::new(),
            limits: None,
            operation_id: 0,
            span: tracing::Span::none(),
        }
    }

    /// Checks every requirement against a server.
    pub(crate) fn check_requirements(&self, max_wire_version: i32) -> Result<(), Unsupported> {
        Requirement::check_all(&self.requirements, max_wire_version, self.is_acknowledged())
    }

    /// Whether the server is to reply at all.
    pub fn is_acknowledged(&self) -> bool {
        self.write_concern.as_ref().is_none_or(WriteConcern::is_acknowledged)
    }
}
