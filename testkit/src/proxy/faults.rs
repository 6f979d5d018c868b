//! What a proxy can be told to do.

use std::time::Duration;

/// Which bytes a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Those from the client to the server.
    ToServer,
    /// Those from the server to the client.
    ToClient,
    /// All.
    Both,
}

/// Whose connections faults concern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Clients' connections; replication, heartbeats and elections are spared.
    #[default]
    Clients,
    /// All connections, also those from one member to another.
    Everyone,
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a TCP reset.
    Reset,
    /// As if the peer had closed it.
    Orderly,
}

/// All faults but the breaks.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) to_server: Way,
    pub(super) to_client: Way,
    pub(super) reset_new: bool,
    pub(super) scope: Scope,
}

/// The faults of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) latency: Duration,
    pub(super) stalled: bool,
    /// The number of bytes allowed, and how often that number was set.
    pub(super) budget: Option<(u64, u64)>,
}

impl Way {
    pub(super) fn set_budget(&mut self, bytes: u64) {
        let times_set = self.budget.map_or(0, |(times, _)| times) + 1;
        self.budget = Some((times_set, bytes));
    }
}

/// Breaks a connection at a certain point of a certain command, once unless told otherwise.
///
/// ```
/// use mongo_actors_testkit::Break;
///
/// // The third insert is executed, but its client never hears of it.
/// let lost_reply = Break::before_reply("insert").skip(2);
/// # let _ = lost_reply;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a break does nothing until a proxy is armed with it"]
pub struct Break {
    pub(super) command: String,
    pub(super) point: Point,
    pub(super) skip: u32,
    pub(super) times: u32,
    pub(super) ending: Ending,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    BeforeRequest,
    WithinRequest(usize),
    BeforeReply,
    WithinReply(usize),
    AfterReply,
}

impl Point {
    pub(super) fn is_in_request(self) -> bool {
        matches!(self, Self::BeforeRequest | Self::WithinRequest(_))
    }
}

impl Break {
    fn at(command: impl Into<String>, point: Point) -> Self {
        Self { command: command.into(), point, skip: 0, times: 1, ending: Ending::Reset }
    }

    /// The server never sees the command.
    pub fn before_request(command: impl Into<String>) -> Self {
        Self::at(command, Point::BeforeRequest)
    }

    /// The server gets the first `bytes` bytes of the command's message.
    pub fn within_request(command: impl Into<String>, bytes: usize) -> Self {
        Self::at(command, Point::WithinRequest(bytes))
    }

    /// The server executes the command, and the client gets no reply.
    pub fn before_reply(command: impl Into<String>) -> Self {
        Self::at(command, Point::BeforeReply)
    }

    /// The server executes the command, and the client gets the first `bytes` bytes of the reply.
    pub fn within_reply(command: impl Into<String>, bytes: usize) -> Self {
        Self::at(command, Point::WithinReply(bytes))
    }

    /// The client gets the reply, then the connection ends.
    pub fn after_reply(command: impl Into<String>) -> Self {
        Self::at(command, Point::AfterReply)
    }

    /// Leaves the first `count` commands of that name alone.
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Breaks `count` times. Default: once.
    pub fn times(mut self, count: u32) -> Self {
        self.times = count;
        self
    }

    /// Closes the connection instead of resetting it.
    pub fn orderly(mut self) -> Self {
        self.ending = Ending::Orderly;
        self
    }
}

/// A break with what remains of it.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    pub(super) fault: Break,
}

impl Armed {
    pub(super) fn new(fault: Break) -> Self {
        Self { fault }
    }

    /// Counts a command of that name; whether this one breaks.
    pub(super) fn meets(&mut self, command: &str) -> bool {
        if !self.fault.command.eq_ignore_ascii_case(command) || self.fault.times == 0 {
            return false;
        }
        if self.fault.skip > 0 {
            self.fault.skip -= 1;
            return false;
        }
        self.fault.times -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_skips_then_fires_then_rests() {
        let mut armed = Armed::new(Break::before_reply("insert").skip(1).times(2));
        assert!(!armed.meets("find"));
        let fired: Vec<_> = (0..5).map(|_| armed.meets("insert")).collect();
        assert_eq!(fired, [false, true, true, false, false]);
    }
}
