//! What the timeout of an operation means for the cursor that it opens.

use std::time::Duration;

use mongo_actors_protocol::command::{CursorType, TimeoutMode};

use super::Prepared;
use crate::error::{Error, Result};

/// How long a cursor may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timing {
    /// `timeoutMS`, if it is set: the time for each step where it is one for each, and to close the cursor.
    pub(crate) timeout: Option<Duration>,
    /// Whether each step has it for itself, or all of them together with the operation that opens the cursor.
    pub(crate) each_step: bool,
}

/// What is said of a cursor to be opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opening {
    pub(crate) mode: Option<TimeoutMode>,
    pub(crate) cursor_type: CursorType,
    pub(crate) max_await_time: Option<Duration>,
    /// The operation writes its results, and its cursor is empty.
    pub(crate) writes: bool,
}

impl Prepared {
    /// The operation as one that opens a cursor.
    pub(crate) fn opening(mut self, opening: Opening) -> Result<Self> {
        let Opening { mode, cursor_type, max_await_time, writes } = opening;
        let tailable = matches!(cursor_type, CursorType::Tailable | CursorType::TailableAwait);
        let refuse = |argument, reason: &'static str| Err(Error::invalid_argument(argument, reason));
        if mode.is_some() && !self.budget.is_set() {
            return refuse("timeoutMode", "it needs a timeout: set one, or leave the mode out");
        }
        if mode == Some(TimeoutMode::CursorLifetime) && tailable {
            return refuse("timeoutMode", "a tailable cursor has no end: its timeout is one for each iteration");
        }
        if mode == Some(TimeoutMode::Iteration) && writes {
            return refuse("timeoutMode", "a pipeline that ends in $out or $merge has nothing to iterate over");
        }
        let timeout = self.timing.timeout.filter(|timeout| !timeout.is_zero());
        if let (Some(longest), Some(timeout)) = (max_await_time, timeout)
            && longest >= timeout
        {
            return refuse("maxAwaitTimeMS", "it must be less than the timeout, which would always end the wait");
        }
        self.timing.each_step = tailable || mode == Some(TimeoutMode::Iteration);
        // The server would apply it to the whole life of the cursor.
        self.operation.bounds_server = !self.timing.each_step || cursor_type == CursorType::TailableAwait;
        Ok(self)
    }
}
