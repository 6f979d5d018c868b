//! What a failure means for a change stream.

use std::time::{Duration, Instant};

use rand::RngCore;

use crate::{
    error::{CommandError, labels},
    retry::backoff,
};

/// The first wire version whose servers label resumable errors (MongoDB 4.4).
const LABELLING_WIRE_VERSION: i32 = 9;

/// Why a command of a change stream failed in the end.
#[derive(Clone, Copy, Debug)]
pub enum Fault<'a> {
    /// A server answered with an error. The wire version is that of the connection it came on, or nearly came on.
    Server(&'a CommandError, Option<i32>),
    /// The time that the caller gave was up.
    Deadline,
    /// The network, the selection of a server, its pool, an actor: anything that is no server's error.
    Driver,
    /// The client was closed.
    Closed,
}

/// How it goes on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequel {
    /// Open a new cursor, after this pause if there is one.
    Resume(Option<Duration>),
    /// Report the error. The next call opens a new cursor.
    Report,
    /// Report that the time is up: it does not suffice to resume. The next call opens a new cursor.
    TimeUp,
    /// Report the error. The stream has ended.
    End,
}

/// Counts resumptions that brought nothing, so that a deployment which refuses again and again is left in peace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resumption {
    /// Cursors lost or not opened since anything was last fetched.
    futile: u32,
}

impl Fault<'_> {
    /// Whether the change streams specification allows to resume after it.
    pub fn is_resumable(&self) -> bool {
        match self {
            Self::Server(error, _) if error.is_cursor_not_found() => true,
            Self::Server(error, wire_version) => {
                let labels = wire_version.is_none_or(|version| version >= LABELLING_WIRE_VERSION);
                if labels {
                    error.labels.contains(labels::RESUMABLE_CHANGE_STREAM_ERROR)
                } else {
                    error.is_resumable_code()
                }
            }
            Self::Deadline | Self::Driver => true,
            Self::Closed => false,
        }
    }

    fn is_timeout(&self) -> bool {
        matches!(self, Self::Server(error, _) if error.is_max_time_expired())
    }
}

impl Resumption {
    /// A `getMore` has brought a batch, empty or not, or an `aggregate` has brought events.
    pub fn progressed(&mut self) {
        self.futile = 0;
    }

    /// A `getMore` has failed.
    pub fn get_more_failed(
        &mut self,
        fault: &Fault<'_>,
        now: Instant,
        deadline: Option<Instant>,
        rng: &mut dyn RngCore,
    ) -> Sequel {
        match fault {
            Fault::Deadline => Sequel::Report,
            fault if fault.is_resumable() => self.resume(now, deadline, rng),
            fault if fault.is_timeout() => Sequel::Report,
            _ => Sequel::End,
        }
    }

    /// An `aggregate` that was to open a new cursor has failed, its own repetitions included. That is reported; only an
    /// error that passes leaves the stream alive.
    pub fn reopening_failed(&mut self, fault: &Fault<'_>) -> Sequel {
        self.futile = self.futile.saturating_add(1);
        if fault.is_resumable() || fault.is_timeout() { Sequel::Report } else { Sequel::End }
    }

    /// The cursor is gone without a failure to report: its server is, or the actor that had it.
    pub fn cursor_lost(&mut self, now: Instant, deadline: Option<Instant>, rng: &mut dyn RngCore) -> Sequel {
        self.resume(now, deadline, rng)
    }

    /// The first resumption comes at once; one that follows another pauses, for longer each time.
    fn resume(&mut self, now: Instant, deadline: Option<Instant>, rng: &mut dyn RngCore) -> Sequel {
        let pause = (self.futile > 0).then(|| backoff(rng, self.futile, None));
        self.futile = self.futile.saturating_add(1);
        let end = now + pause.unwrap_or_default();
        if deadline.is_some_and(|deadline| deadline <= end) { Sequel::TimeUp } else { Sequel::Resume(pause) }
    }
}
