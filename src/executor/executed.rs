//! What became of an operation.

use std::{borrow::Cow, sync::Arc};

use mongo_actors_engine::{ConnectionInfo, Failure, HeldSession, Lease, Limits, Reply};
use mongo_actors_protocol::{
    address::ServerAddress,
    error::Labels,
    retry::{OperationKind, Outcome},
    wire::ReplyBody,
};

use super::{Facts, Prepared};
use crate::error::{Attempt, Context, Error, Response, Result};

/// How an operation ended that was not an error.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was executed.
    Done(Executed),
    /// Nothing was sent, because the server's limits are smaller than those the operation was prepared for.
    TooLarge {
        /// The operation as it was.
        prepared: Box<Prepared>,
        /// The server's limits.
        limits: Limits,
    },
}

/// An operation that a server has executed. Its reply may still report that parts of it failed.
#[derive(Debug)]
pub(crate) struct Executed {
    /// The reply; none for an unacknowledged write, and where nothing was there to work on.
    pub(crate) body: Option<ReplyBody>,
    /// Where a cursor of the reply lives.
    pub(crate) home: Option<Home>,
    command: Cow<'static, str>,
    kind: OperationKind,
    /// Whether the operation had a deadline.
    timed: bool,
    /// Whether there would have been another attempt if there had been time.
    late: bool,
    server: Option<Arc<ServerAddress>>,
    /// The attempts that failed, if any.
    history: Option<Box<History>>,
}

/// Server, session and connection of a cursor.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) server: Arc<ServerAddress>,
    pub(crate) connection: Arc<ConnectionInfo>,
    pub(crate) session: Option<HeldSession>,
    pub(crate) lease: Option<Lease>,
}

/// Attempts that failed.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) attempts: Vec<Attempt>,
    pub(super) outcome: Outcome,
    /// The labels of the error that the reply reports, if it reports one.
    pub(super) labels: Labels,
}

impl Executed {
    pub(super) fn new(reply: Reply, facts: Facts, history: Option<Box<History>>) -> Self {
        let Reply { body, server, connection, session, lease, .. } = reply;
        Self {
            body,
            command: facts.command,
            kind: facts.retry.kind,
            timed: facts.budget.deadline().is_some(),
            late: false,
            server: Some(server.clone()),
            home: Some(Home { server, connection, session, lease }),
            history,
        }
    }

    /// A failure that is a success after all: the reply, if there is one, has a result. `session` is the one that it
    /// was executed in.
    pub(super) fn despite(
        failure: &Failure,
        body: Option<ReplyBody>,
        session: Option<HeldSession>,
        facts: Facts,
        history: History,
    ) -> Self {
        let home = failure.connection.clone().map(|connection| {
            let server = connection.address.clone();
            Home { server, connection, session, lease: None }
        });
        Self {
            body,
            home,
            command: facts.command,
            kind: facts.retry.kind,
            timed: facts.budget.deadline().is_some(),
            late: false,
            server: failure.server.as_ref().map(|server| Arc::new(server.address.clone())),
            history: Some(Box::new(history)),
        }
    }

    /// The same, which would have been repeated if there had been time.
    pub(super) fn late(self) -> Self {
        Self { late: true, ..self }
    }

    /// Reads the result. An error in the reply learns where it comes from.
    pub(crate) fn finish<R>(self, read: impl FnOnce(Option<&ReplyBody>) -> Result<R>) -> Result<R> {
        read(self.body.as_ref()).map_err(|error| self.explain(error))
    }

    /// Adds to an error that the reply reports, or that reading it met, all there is to know about it.
    pub(crate) fn explain(self, error: Error) -> Error {
        let writes = self.kind != OperationKind::Read;
        let server = self.server.map(|server| ServerAddress::clone(&server));
        let mut error = error.with_context(Context { server, command: Some(self.command), writes });
        if let Some(body) = self.body {
            error = error.with_response(Response::Reply(body));
        }
        if let Some(history) = self.history {
            let History { attempts, outcome, labels } = *history;
            error = error.with_labels(&labels).after(attempts, outcome);
        }
        let timed_out = self.late || (self.timed && error.is_timeout());
        if timed_out { error.into_operation_timeout() } else { error }
    }
}
