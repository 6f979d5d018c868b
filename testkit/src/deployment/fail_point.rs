//! Faults the server itself can be asked for.

use std::time::Duration;

use bson::{Bson, Document, doc};

use super::{PATIENCE, member::Member};
use crate::{background, error::Result, wire::client::number};

/// A server fail point: which fault, how often, and for whom.
///
/// ```no_run
/// # async fn example(member: mongo_actors_testkit::Member) -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::FailPoint;
///
/// let fault = FailPoint::fail_command(["insert"]).times(1).error_code(91).app_name("my test");
/// let guard = member.enable(fault).await?;
/// // ... the next insert of that client fails ...
/// guard.disable().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FailPoint {
    name: String,
    mode: Bson,
    data: Document,
}

impl FailPoint {
    /// Any fail point by name, always on, without data. Names are listed in the server's source.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), mode: "alwaysOn".into(), data: Document::new() }
    }

    /// `failCommand` for these commands, always on. Say next how they fail: [`error_code`](Self::error_code),
    /// [`close_connection`](Self::close_connection), [`block`](Self::block),
    /// [`write_concern_error`](Self::write_concern_error).
    pub fn fail_command<'a>(commands: impl IntoIterator<Item = &'a str>) -> Self {
        let commands: Vec<_> = commands.into_iter().collect();
        Self::named("failCommand").data("failCommands", commands)
    }

    /// Fires `count` times, then no more.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.mode = doc! { "times": i64::from(count) }.into();
        self
    }

    /// Leaves the first `count` occasions alone, then fires always.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.mode = doc! { "skip": i64::from(count) }.into();
        self
    }

    /// Fires with a probability from 0 to 1.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.mode = doc! { "activationProbability": probability }.into();
        self
    }

    /// The command fails with this error code instead of being executed.
    #[must_use]
    pub fn error_code(self, code: i32) -> Self {
        self.data("errorCode", code)
    }

    /// The labels of the error reply.
    #[must_use]
    pub fn error_labels<'a>(self, labels: impl IntoIterator<Item = &'a str>) -> Self {
        let labels: Vec<_> = labels.into_iter().collect();
        self.data("errorLabels", labels)
    }

    /// The connection is closed instead of the command being executed.
    #[must_use]
    pub fn close_connection(self) -> Self {
        self.data("closeConnection", true)
    }

    /// The command is held up for this long (whole milliseconds), then continues.
    #[must_use]
    pub fn block(self, time: Duration) -> Self {
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.data("blockConnection", true).data("blockTimeMS", milliseconds)
    }

    /// The command is executed, and its reply carries this write concern error.
    #[must_use]
    pub fn write_concern_error(self, error: Document) -> Self {
        self.data("writeConcernError", error)
    }

    /// Spares all clients but those of this application name.
    #[must_use]
    pub fn app_name(self, name: &str) -> Self {
        self.data("appName", name)
    }

    /// Sets any field of the fail point's data.
    #[must_use]
    pub fn data(mut self, field: impl Into<String>, value: impl Into<Bson>) -> Self {
        self.data.insert(field, value);
        self
    }

    fn command(&self) -> Document {
        doc! { "configureFailPoint": &self.name, "mode": self.mode.clone(), "data": self.data.clone() }
    }
}

impl Member {
    /// Turns a fail point on at this member. It is off again when the guard is dropped.
    ///
    /// # Errors
    /// As [`Member::admin`].
    pub async fn enable(&self, fail_point: FailPoint) -> Result<FailPointGuard> {
        let reply = self.admin(fail_point.command()).await?;
        Ok(FailPointGuard {
            member: self.clone(),
            name: fail_point.name,
            entered_before: number(&reply, "count"),
            armed: true,
        })
    }
}

/// Turns a fail point off when dropped.
///
/// Dropping blocks the thread for the moment this takes, so that the next test never meets the fault; a
/// server that is gone is no obstacle.
#[derive(Debug)]
#[must_use = "the fail point is turned off when the guard is dropped"]
pub struct FailPointGuard {
    member: Member,
    name: String,
    entered_before: i64,
    armed: bool,
}

impl FailPointGuard {
    /// Turns the fail point off and reports any failure to do so.
    ///
    /// # Errors
    /// As [`Member::admin`].
    pub async fn disable(mut self) -> Result<()> {
        self.armed = false;
        self.member.admin(off(&self.name)).await.map(drop)
    }

    /// Waits until the fail point has fired `count` times since it was turned on, for at most `within`.
    ///
    /// # Errors
    /// As [`Member::admin`]; a server error when the time is over.
    pub async fn wait_for_hits(&self, count: u32, within: Duration) -> Result<()> {
        let wait = doc! {
            "waitForFailPoint": &self.name,
            "timesEntered": self.entered_before + i64::from(count),
            "maxTimeMS": i64::try_from(within.min(PATIENCE).as_millis()).unwrap_or(i64::MAX),
        };
        self.member.admin(wait).await.map(drop)
    }
}

impl Drop for FailPointGuard {
    fn drop(&mut self) {
        if !self.armed || !self.member.is_running() {
            return;
        }
        let (member, command) = (self.member.clone(), off(&self.name));
        let limit = Duration::from_secs(2);
        background::finish_from_drop(async move { drop(member.run("admin", command, limit).await) }, limit);
    }
}

fn off(name: &str) -> Document {
    doc! { "configureFailPoint": name, "mode": "off" }
}
