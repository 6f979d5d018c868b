//! From what a change stream fails with to the error that is reported.

use std::borrow::Cow;

use mongo_actors_engine::{FetchError, GivenUp};
use mongo_actors_protocol::change_stream::DeliveryError;

use crate::error::{Attempt, Error, ErrorKind};

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::GivenUp(given_up) => (*given_up).into(),
            FetchError::InvalidReply(error) => error.into(),
            _ => Self::new(ErrorKind::OperationTimeout).after(vec![Attempt::unanswered()], Default::default()),
        }
    }
}

impl From<GivenUp> for Error {
    fn from(given_up: GivenUp) -> Self {
        let GivenUp { command, failure, labels, outcome, attempts, late, .. } = given_up;
        let attempts = attempts.iter().map(|(failure, outcome)| Attempt::new(failure, *outcome)).collect();
        let error = Self::from_failure(&failure, &labels, command.map(Cow::Borrowed), false, outcome);
        let error = error.after(attempts, outcome);
        if late { error.into_operation_timeout() } else { error }
    }
}

impl From<DeliveryError> for Error {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::InvalidReply(error) => error.into(),
            other => Self::new(ErrorKind::MissingResumeToken).with_source(other),
        }
    }
}
