//! Direct orders: the next actor of a role that handles a certain message fails.

use mongo_actors_protocol::chaos::{MessageFault, Moment};
use tokio::sync::watch;

use crate::runtime::{ActorPath, Role};

/// An order to fail.
#[derive(Clone, Debug)]
pub struct FaultOrder {
    role: Role,
    path: Option<String>,
    message: Option<&'static str>,
    moment: Moment,
    fault: MessageFault,
    times: u32,
}

impl FaultOrder {
    /// The next actor of this role that handles a message fails before it, once.
    pub fn new(role: Role, fault: MessageFault) -> Self {
        Self { role, path: None, message: None, moment: Moment::Before, fault, times: 1 }
    }

    /// Only the actor at this path.
    #[must_use]
    pub fn at(self, path: &ActorPath) -> Self {
        Self { path: Some(path.to_string()), ..self }
    }

    /// Only at a message of this type, which is named without its module.
    #[must_use]
    pub fn on(self, message: &'static str) -> Self {
        Self { message: Some(message), ..self }
    }

    /// After the message instead of before it.
    #[must_use]
    pub fn after(self) -> Self {
        Self { moment: Moment::After, ..self }
    }

    /// At so many messages.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn fits(&self, path: &ActorPath, role: Role, message: &str, moment: Moment) -> bool {
        self.times > 0
            && self.role == role
            && self.moment == moment
            && self.message.is_none_or(|wanted| message == wanted)
            && self.path.as_ref().is_none_or(|wanted| *wanted == path.to_string())
    }
}

/// How often an order was carried out so far.
#[derive(Clone, Debug)]
pub struct Firings(watch::Receiver<u32>);

impl Firings {
    /// How often.
    pub fn count(&self) -> u32 {
        *self.0.borrow()
    }

    /// Resolves when the order was carried out `count` times; false when it cannot be any more.
    pub async fn reached(&mut self, count: u32) -> bool {
        self.0.wait_for(|fired| *fired >= count).await.is_ok()
    }
}

/// The orders that were given and not yet carried out.
#[derive(Debug, Default)]
pub(super) struct Orders(Vec<(FaultOrder, watch::Sender<u32>)>);

impl Orders {
    pub(super) fn give(&mut self, order: FaultOrder) -> Firings {
        let (fired, firings) = watch::channel(0);
        self.0.push((order, fired));
        Firings(firings)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nobody carries them out any more.
    pub(super) fn withdraw(&mut self) {
        self.0.clear();
    }

    /// The fault that is due, which is thereby used up.
    pub(super) fn due(&mut self, path: &ActorPath, role: Role, message: &str, moment: Moment) -> Option<MessageFault> {
        let index = self.0.iter().position(|(order, _)| order.fits(path, role, message, moment))?;
        let (order, fired) = &mut self.0[index];
        let fault = order.fault;
        order.times -= 1;
        fired.send_modify(|count| *count += 1);
        if order.times == 0 {
            self.0.remove(index);
        }
        Some(fault)
    }
}
