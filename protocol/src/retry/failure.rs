//! Failures of single attempts, summed up for the retry plan.

use std::time::Duration;

use super::{
    outcome::{Outcome, Stage},
    policy::{OperationKind, Retryability},
};
use crate::{
    address::ServerAddress,
    error::{CommandError, Labels, WriteConcernError, labels},
    sdam::ServerType,
};

/// The first wire version whose servers send `RetryableWriteError` themselves (MongoDB 4.4).
const LABELLING_WIRE_VERSION: i32 = 9;

/// `Interrupted`, `MaxTimeMSExpired`: codes beyond the retryable ones with which a server may stop in the middle.
const INTERRUPTED: &[i32] = &[11601, 50];

/// Why an attempt failed.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// No suitable server in time.
    Selection,
    /// The pool was paused or cleared before the attempt had a connection.
    PoolCleared,
    /// The connection failed, while it was being established or later; also an attempt that was lost with an actor.
    Network,
    /// A server answered with an error, to the command or while the connection was being established.
    Command(&'a CommandError),
    /// The write was executed, but not up to its write concern.
    WriteConcern(&'a WriteConcernError),
    /// The driver itself refused: the wait for a connection was too long, the server selected for the repetition lacks
    /// something, a value could not be encoded, ...
    Driver,
}

/// The server an attempt was made on.
#[derive(Clone, Copy, Debug)]
pub struct FailedServer<'a> {
    /// Its address.
    pub address: &'a ServerAddress,
    /// Its type when it was selected.
    pub server_type: ServerType,
    /// Its newest wire version, when a connection to it was established.
    pub max_wire_version: Option<i32>,
    /// Whether it has sessions and is no standalone. True when no connection to it was established.
    pub supports_retryable_writes: bool,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// Why it failed.
    pub cause: Cause<'a>,
    /// The labels of the error, those of the connection's establishment included.
    pub labels: &'a Labels,
    /// How far the attempt got.
    pub stage: Stage,
    /// The server that was selected for it.
    pub server: Option<FailedServer<'a>>,
}

impl Failure<'_> {
    /// Whether the server, or the way to it, is overloaded.
    pub fn is_overload(&self) -> bool {
        self.labels.contains(labels::SYSTEM_OVERLOADED_ERROR)
    }

    /// Whether the server was overloaded and has not executed anything.
    pub fn is_retryable_overload(&self) -> bool {
        self.is_overload() && self.labels.contains(labels::RETRYABLE_ERROR)
    }

    /// Whether the retryable reads specification allows a repetition.
    pub(super) fn is_retryable_read(&self) -> bool {
        match self.cause {
            Cause::Network | Cause::PoolCleared => true,
            Cause::Command(error) => error.is_retryable_read_code(),
            Cause::Selection | Cause::WriteConcern(_) | Cause::Driver => false,
        }
    }

    /// Whether the retryable writes specification allows a repetition.
    pub(super) fn is_retryable_write(&self) -> bool {
        self.supports_retryable_writes() && (self.has_write_label() || self.gets_write_label())
    }

    /// Whether the driver has to add `RetryableWriteError`, given that retryable writes cover the operation.
    pub(super) fn gets_write_label(&self) -> bool {
        if !self.supports_retryable_writes() || self.has_write_label() {
            return false;
        }
        match self.cause {
            Cause::Network | Cause::PoolCleared => true,
            Cause::Command(error) => self.server_cannot_label() && error.is_retryable_write_code(),
            Cause::WriteConcern(error) => {
                self.server_cannot_label() && !self.is_sharded() && error.is_retryable_write_code()
            }
            Cause::Selection | Cause::Driver => false,
        }
    }

    /// Whether the operation failed on a router of a sharded cluster.
    pub(super) fn is_sharded(&self) -> bool {
        self.server.is_some_and(|server| server.server_type == ServerType::Mongos)
    }

    /// Whether the error lets the caller infer that a write was attempted. Otherwise an earlier error tells more.
    pub(super) fn shows_attempt(&self) -> bool {
        let answered = matches!(self.cause, Cause::Command(_) | Cause::WriteConcern(_));
        self.stage.may_be_sent()
            && (answered || matches!(self.cause, Cause::Network))
            && !self.labels.contains(labels::NO_WRITES_PERFORMED)
    }

    /// What the server asks its clients to wait.
    pub(super) fn base_backoff(&self) -> Option<Duration> {
        match self.cause {
            Cause::Command(error) => error.base_backoff,
            _ => None,
        }
    }

    /// What is known of the attempt.
    ///
    /// A server that answers a write with an error it may have met halfway leaves the outcome unknown, unless it says
    /// that no write was performed.
    pub fn outcome(&self, kind: OperationKind, retryability: Retryability) -> Outcome {
        match self.cause {
            Cause::WriteConcern(_) => Outcome::Applied,
            Cause::Command(error) if self.stage.may_be_sent() => {
                let reads_only = kind == OperationKind::Read || retryability == Retryability::Read;
                let nothing_done = self.labels.contains(labels::NO_WRITES_PERFORMED) || self.is_retryable_overload();
                let halfway = error.is_retryable_write_code() || INTERRUPTED.contains(&error.code);
                if halfway && !reads_only && !nothing_done { Outcome::Unknown } else { Outcome::Rejected }
            }
            _ => self.stage.outcome_if_lost(),
        }
    }

    fn has_write_label(&self) -> bool {
        self.labels.contains(labels::RETRYABLE_WRITE_ERROR)
    }

    fn supports_retryable_writes(&self) -> bool {
        self.server.is_none_or(|server| server.supports_retryable_writes)
    }

    fn server_cannot_label(&self) -> bool {
        let version = self.server.and_then(|server| server.max_wire_version);
        version.is_some_and(|version| version < LABELLING_WIRE_VERSION)
    }
}
