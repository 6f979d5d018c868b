//! What a test says to a client's faults.

use std::{env, fmt, sync::Arc};

use mongo_actors_protocol::{
    address::ServerAddress,
    chaos::{FaultPlan, InvalidPlan, MessageFault, Recording},
};

use super::orders::{FaultOrder, Firings};
use crate::{runtime::Role, shared::Shared};

/// The environment variable that says whether faults may be injected: `off` never, `allow` also in a release build.
const VARIABLE: &str = "MONGO_ACTORS_CHAOS";

/// Why a plan is not armed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmError {
    /// The plan contradicts itself.
    #[error(transparent)]
    Invalid(#[from] InvalidPlan),
    /// The kill switch is on.
    #[error("the environment variable {VARIABLE} is \"off\": unset it to let faults be injected")]
    Off,
    /// A release build needs leave.
    #[error("this is a release build: set the environment variable {VARIABLE} to \"allow\" to let faults be injected")]
    Release,
}

/// Attacks the actors and connections of one client. Cheap to clone.
///
/// Everything that fails does so as it would in earnest, and heals as it would.
#[derive(Clone)]
pub struct ChaosControl(Arc<Shared>);

impl ChaosControl {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Puts a plan in force, in place of an earlier one, until the answer is dropped or the plan's time is over.
    ///
    /// # Errors
    /// [`ArmError`] says why it is not put in force.
    pub fn arm(&self, plan: FaultPlan) -> Result<Armed, ArmError> {
        self.arm_if(plan, cfg!(debug_assertions))
    }

    /// The same for a program whose very purpose it is, and whose release builds need no leave of the environment. The
    /// kill switch holds all the same.
    ///
    /// # Errors
    /// [`ArmError`] says why it is not put in force.
    pub fn arm_in_release(&self, plan: FaultPlan) -> Result<Armed, ArmError> {
        self.arm_if(plan, true)
    }

    fn arm_if(&self, plan: FaultPlan, has_leave: bool) -> Result<Armed, ArmError> {
        plan.check()?;
        // What is simulated harms nobody.
        let has_leave = has_leave || self.0.settings.is_simulated();
        may_inject(env::var(VARIABLE).ok().as_deref(), has_leave)?;
        tracing::warn!(target: "mongo_actors::chaos", seed = plan.seed(), "a fault plan is armed");
        let id = self.0.registry.chaos.arm(plan);
        Ok(Armed { control: self.clone(), id })
    }

    /// Orders the next actor of a role that handles a certain message to fail.
    pub fn order(&self, order: FaultOrder) -> Firings {
        self.0.registry.chaos.order(order)
    }

    /// Drops the tasks of the actors of a role, as when their thread ends: those for one server, or all. Says how many
    /// there were.
    pub fn kill<'a>(&self, role: Role, server: impl Into<Option<&'a ServerAddress>>) -> usize {
        self.strike(role, server.into(), MessageFault::Kill)
    }

    /// Has the actors of a role panic: those for one server, or all. Says how many there were.
    pub fn panic<'a>(&self, role: Role, server: impl Into<Option<&'a ServerAddress>>) -> usize {
        self.strike(role, server.into(), MessageFault::Panic)
    }

    /// Has the actors of a role stop, as if by themselves: those for one server, or all. Says how many there were.
    pub fn stop<'a>(&self, role: Role, server: impl Into<Option<&'a ServerAddress>>) -> usize {
        self.strike(role, server.into(), MessageFault::Stop)
    }

    /// Has the actors of a role handle nothing any more, until they are restarted for it: those for one server, or all.
    /// Says how many there were.
    pub fn stall<'a>(&self, role: Role, server: impl Into<Option<&'a ServerAddress>>) -> usize {
        self.strike(role, server.into(), MessageFault::Stall)
    }

    fn strike(&self, role: Role, server: Option<&ServerAddress>, fault: MessageFault) -> usize {
        let name = server.map(|server| format!("[{server}]"));
        let struck = self.0.registry.strike(fault, |path, found| {
            found == role && name.as_ref().is_none_or(|name| path.to_string().contains(name))
        });
        tracing::warn!(target: "mongo_actors::chaos", %role, server = name, ?fault, struck, "actors were struck");
        struck
    }

    /// Cuts a server off until [`heal`](Self::heal): its connections break, and no new ones can be made.
    pub fn partition(&self, server: &ServerAddress) {
        tracing::warn!(target: "mongo_actors::chaos", %server, "a server is cut off");
        self.0.registry.chaos.partition(server.to_string());
        self.0.registry.rouse();
    }

    /// Lets a server be reached again.
    pub fn heal(&self, server: &ServerAddress) {
        self.0.registry.chaos.heal(&server.to_string());
    }

    /// Ends every plan, order and partition at once. What they broke heals by itself.
    pub fn calm(&self) {
        self.0.registry.chaos.calm();
    }
}

impl fmt::Debug for ChaosControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChaosControl").field(&self.0.registry.chaos).finish()
    }
}

/// A plan in force. Dropping it ends it.
#[derive(Debug)]
#[must_use = "a plan ends when this is dropped"]
pub struct Armed {
    control: ChaosControl,
    id: u64,
}

impl Armed {
    /// Ends the plan. The recording tells what happened; none if another plan was armed or everything was calmed meanwhile.
    pub fn disarm(self) -> Option<Recording> {
        self.control.0.registry.chaos.disarm(self.id)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.control.0.registry.chaos.disarm(self.id);
    }
}

fn may_inject(setting: Option<&str>, has_leave: bool) -> Result<(), ArmError> {
    match setting {
        Some("off") => Err(ArmError::Off),
        Some("allow") => Ok(()),
        _ if has_leave => Ok(()),
        _ => Err(ArmError::Release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_build_needs_leave_and_the_switch_kills() {
        assert_eq!(may_inject(None, true), Ok(()));
        assert_eq!(may_inject(None, false), Err(ArmError::Release));
        assert_eq!(may_inject(Some("allow"), false), Ok(()));
        for has_leave in [true, false] {
            assert_eq!(may_inject(Some("off"), has_leave), Err(ArmError::Off));
        }
    }
}
