//! Failures, summed up for the retry plan.

use mongo_actors_protocol::{
    cmap::CheckOutError,
    error::{Labels, WriteConcernError},
    retry,
    selection::SelectionError,
};

use crate::failure::{Cause, EstablishError, EstablishFault, Failure};

/// A failure, with what the retry plan's view of it borrows.
#[derive(Debug)]
pub struct Summary<'a> {
    failure: &'a Failure,
    /// The server's labels, to which the driver's are added.
    pub labels: Labels,
    write_concern: Option<WriteConcernError>,
}

impl<'a> Summary<'a> {
    /// Sums up a failure.
    pub fn of(failure: &'a Failure) -> Self {
        let write_concern = match &failure.cause {
            Cause::WriteConcern { reply, .. } => WriteConcernError::from_reply(reply.as_document()),
            _ => None,
        };
        Self { failure, labels: labels_of(&failure.cause), write_concern }
    }

    /// The retry plan's view.
    pub fn failure(&self) -> retry::Failure<'_> {
        let connection = self.failure.connection.as_ref();
        let server = self.failure.server.as_ref().map(|server| retry::FailedServer {
            address: &server.address,
            server_type: server.server_type,
            max_wire_version: connection.map(|connection| connection.max_wire_version),
            supports_retryable_writes: connection.is_none_or(|connection| connection.supports_retryable_writes()),
        });
        retry::Failure { cause: self.cause(), labels: &self.labels, stage: self.failure.stage, server }
    }

    /// Whether somebody would not wait any longer, on whichever side.
    pub fn is_timeout(&self) -> bool {
        match &self.failure.cause {
            Cause::Selection(error) => matches!(**error, SelectionError::TimedOut { .. }),
            Cause::SocketTimeout { .. } => true,
            Cause::Command(error) => error.is_max_time_expired(),
            _ => self.timed_out(),
        }
    }

    /// Whether it was the driver that would not wait any longer.
    pub fn timed_out(&self) -> bool {
        match &self.failure.cause {
            Cause::DeadlinePassed => true,
            Cause::CheckOut(error) => matches!(&**error, CheckOutError::WaitQueueTimeout(_)),
            _ => false,
        }
    }

    fn cause(&self) -> retry::Cause<'_> {
        match &self.failure.cause {
            Cause::Selection(_) => retry::Cause::Selection,
            Cause::CheckOut(error) => check_out_cause(error),
            Cause::Network(_)
            | Cause::SocketTimeout { .. }
            | Cause::Wire(_)
            | Cause::Interrupted
            | Cause::Superseded
            | Cause::Abandoned => retry::Cause::Network,
            Cause::Command(error) => retry::Cause::Command(error),
            Cause::WriteConcern { error, .. } => match &self.write_concern {
                Some(concern) => retry::Cause::WriteConcern(concern),
                None => retry::Cause::Command(error),
            },
            _ => retry::Cause::Driver,
        }
    }
}

fn check_out_cause(error: &CheckOutError<EstablishError>) -> retry::Cause<'_> {
    match error {
        CheckOutError::PoolCleared(_) => retry::Cause::PoolCleared,
        CheckOutError::Lost => retry::Cause::Network,
        CheckOutError::Establishment(error) if is_network(&error.fault) => retry::Cause::Network,
        CheckOutError::Establishment(EstablishError { fault: EstablishFault::Command(error), .. }) => {
            retry::Cause::Command(error)
        }
        _ => retry::Cause::Driver,
    }
}

fn is_network(fault: &EstablishFault) -> bool {
    fault.is_io() || matches!(fault, EstablishFault::Wire(_))
}

/// The labels that the server sent, and those of the connection's establishment.
fn labels_of(cause: &Cause) -> Labels {
    match cause {
        Cause::Command(error) | Cause::WriteConcern { error, .. } => error.labels.clone(),
        Cause::CheckOut(error) => match &**error {
            CheckOutError::Establishment(error) => {
                let mut labels = error.labels.clone();
                if let EstablishFault::Command(refusal) = &error.fault {
                    labels.extend_from(&refusal.labels);
                }
                labels
            }
            _ => Labels::new(),
        },
        _ => Labels::new(),
    }
}
