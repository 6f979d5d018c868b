//! What is to fail, where, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::site::{Moment, Site, SocketStep};

/// What happens to a message, or to the actor that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum MessageFault {
    /// The message is lost. Only for messages that may be: others are let through.
    Drop,
    /// The message is handled so much later. The actor goes on meanwhile.
    Delay(Duration),
    /// The message is handled after the next one, or 20 ms later if none comes. No real fault does this within a process.
    Reorder,
    /// The actor's handler panics.
    Panic,
    /// The actor stops, as if by itself.
    Stop,
    /// The actor's task is dropped, as when its arbiter ends.
    Kill,
    /// The actor handles nothing any more, while its arbiter goes on.
    Stall,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SocketFault {
    /// It is closed before the command is written.
    CloseBeforeWrite,
    /// It is closed after half of the command was written.
    CloseInWrite,
    /// It is closed when the command was written, before any of the reply is read.
    CloseBeforeReply,
    /// It is reset by the other side.
    Reset,
    /// Nothing passes for so long.
    Stall(Duration),
    /// A byte of the reply is another one.
    Corrupt,
}

impl SocketFault {
    /// At which point of an exchange it can happen.
    pub(super) fn step(self) -> SocketStep {
        match self {
            Self::CloseBeforeWrite | Self::CloseInWrite | Self::Reset => SocketStep::Write,
            Self::CloseBeforeReply | Self::Stall(_) | Self::Corrupt => SocketStep::Read,
        }
    }
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "fault", rename_all = "camelCase")]
pub enum Fault {
    /// To a message or an actor.
    Message(MessageFault),
    /// To a connection.
    Socket(SocketFault),
}

/// When which fault happens. Without further conditions: at every site that it can happen at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    pub(super) fault: Fault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) moment: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nth: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chance: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<(Duration, Duration)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
}

impl Rule {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            role: None,
            path: None,
            message: None,
            moment: Moment::Before,
            server: None,
            command: None,
            nth: None,
            chance: None,
            window: None,
            limit: None,
        }
    }

    /// This happens to messages, or to the actors that they reach.
    pub fn message(fault: MessageFault) -> Self {
        Self::new(Fault::Message(fault))
    }

    /// This happens to connections.
    pub fn socket(fault: SocketFault) -> Self {
        Self::new(Fault::Socket(fault))
    }

    /// Only to actors of this role, such as `connection-pool`.
    #[must_use]
    pub fn role(self, role: impl ToString) -> Self {
        Self { role: Some(role.to_string()), ..self }
    }

    /// Only to the actor at this path.
    #[must_use]
    pub fn at(self, path: impl ToString) -> Self {
        Self { path: Some(path.to_string()), ..self }
    }

    /// Only at messages of this kind, such as `CheckOut`.
    #[must_use]
    pub fn on(self, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..self }
    }

    /// After the message was handled, instead of before.
    #[must_use]
    pub fn after(self) -> Self {
        Self { moment: Moment::After, ..self }
    }

    /// Only at this server: its address for connections; for messages, whatever has it in its path.
    #[must_use]
    pub fn server(self, server: impl ToString) -> Self {
        Self { server: Some(server.to_string()), ..self }
    }

    /// Only at this command, such as `insert`.
    #[must_use]
    pub fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    /// Only at the n-th time that a site is reached, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        Self { nth: Some(nth), ..self }
    }

    /// With this probability, of 0 to 1.
    #[must_use]
    pub fn chance(self, chance: f64) -> Self {
        Self { chance: Some(chance), ..self }
    }

    /// Only within this time, counted from when the plan is armed.
    #[must_use]
    pub fn between(self, from: Duration, until: Duration) -> Self {
        Self { window: Some((from, until)), ..self }
    }

    /// At most so many times, over all sites. Which sites these are may depend on how threads interleave.
    #[must_use]
    pub fn limit(self, times: u32) -> Self {
        Self { limit: Some(times), ..self }
    }

    /// What happens.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether the fault can and may happen at `site`, whatever the time and the count.
    pub(super) fn fits(&self, site: &Site) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        match (site, self.fault) {
            (Site::Message { role, path, message, class, moment }, Fault::Message(fault)) => {
                *moment == self.moment
                    && is(&self.role, role)
                    && is(&self.path, path)
                    && is(&self.message, message)
                    && self.server.as_ref().is_none_or(|server| path.contains(&format!("[{server}]")))
                    && (fault != MessageFault::Drop || class.may_be_lost())
            }
            (Site::Socket { server, command, step }, Fault::Socket(fault)) => {
                *step == fault.step()
                    && is(&self.server, server)
                    && self.command.as_ref().is_none_or(|wanted| command.as_ref() == Some(wanted))
            }
            _ => false,
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let of_messages = self.role.is_some() || self.path.is_some() || self.message.is_some();
        match self.fault {
            Fault::Socket(_) if of_messages || self.moment == Moment::After => {
                Err("a fault of a connection has no role, path, message or moment")
            }
            Fault::Message(_) if self.command.is_some() => Err("a fault of a message has no command"),
            Fault::Message(MessageFault::Drop | MessageFault::Delay(_) | MessageFault::Reorder)
                if self.moment == Moment::After =>
            {
                Err("a message that was handled can no longer be lost or wait")
            }
            _ if self.chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) => Err("a chance is 0 to 1"),
            _ if self.nth == Some(0) => Err("occurrences are counted from 1"),
            _ if self.window.is_some_and(|(from, until)| until < from) => Err("a window ends after it begins"),
            _ => Ok(()),
        }
    }
}

/// A plan contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} of the fault plan: {reason}")]
pub struct InvalidPlan {
    /// Which rule it is, counted from 1.
    pub rule: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What is to fail: a seed and rules, of which the first that fits counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultPlan {
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    /// Exactly these happen, besides what rules say: the faults of a recording.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exactly: Vec<(Site, u64, Fault)>,
    #[serde(default = "FaultPlan::default_limit")]
    pub(super) limit: u32,
    #[serde(default = "FaultPlan::default_time_to_live")]
    pub(super) time_to_live: Duration,
}

impl FaultPlan {
    /// A plan without rules.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
            exactly: Vec::new(),
            limit: Self::default_limit(),
            time_to_live: Self::default_time_to_live(),
        }
    }

    /// A plan with just these faults.
    pub(super) fn exactly(seed: u64, faults: Vec<(Site, u64, Fault)>) -> Self {
        Self { exactly: faults, ..Self::new(seed) }
    }

    fn default_limit() -> u32 {
        1000
    }

    fn default_time_to_live() -> Duration {
        Duration::from_secs(60)
    }

    /// With one more rule. Earlier ones go before it.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// With at most so many faults in all. Default: 1000.
    #[must_use]
    pub fn limit(self, faults: u32) -> Self {
        Self { limit: faults, ..self }
    }

    /// Over so long after it was armed. Default: 60 s.
    #[must_use]
    pub fn time_to_live(self, time_to_live: Duration) -> Self {
        Self { time_to_live, ..self }
    }

    /// What decisions follow from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How long the plan is in force, from when it is armed.
    pub fn lifetime(&self) -> Duration {
        self.time_to_live
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether the rules make sense.
    ///
    /// # Errors
    /// [`InvalidPlan`] names the first rule that does not, and why.
    pub fn check(&self) -> Result<(), InvalidPlan> {
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|reason| InvalidPlan { rule: index + 1, reason })?;
        }
        Ok(())
    }
}
