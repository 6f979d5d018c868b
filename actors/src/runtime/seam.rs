//! Where messages can be turned into faults: the first form of the fault seam, for the driver's own tests.
//!
//! Every message of the tree passes the context's envelope. With the feature `chaos` it looks here first whether an
//! actor was ordered to fail before or after a message of this type. The deadline of an actor counts as a message named
//! `Deadline`, as some actors get no others.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::watch;

use super::path::{ActorPath, Role};

/// What happens to the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its handler panics.
    Panic,
    /// It stops, as if by itself.
    Stop,
    /// Its task is dropped, as when its arbiter ends.
    Kill,
    /// It handles nothing any more, while its arbiter goes on.
    Stall,
}

/// Which side of the message the fault is on. Before it, the message is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the handler runs.
    Before,
    /// After the handler has run.
    After,
}

/// An order to fail.
#[derive(Clone, Debug)]
pub struct FaultOrder {
    role: Role,
    path: Option<String>,
    message: Option<&'static str>,
    moment: Moment,
    fault: Fault,
    times: u32,
}

impl FaultOrder {
    /// The next actor of this role that handles a message fails before it, once.
    pub fn new(role: Role, fault: Fault) -> Self {
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
            && self.message.is_none_or(|wanted| message.rsplit("::").next() == Some(wanted))
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

/// The orders for the actors of one client. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders(Arc<Pending>);

#[derive(Debug, Default)]
struct Pending {
    /// Lets actors without orders pass without the lock.
    count: AtomicUsize,
    orders: Mutex<Vec<(FaultOrder, watch::Sender<u32>)>>,
}

impl Orders {
    pub(crate) fn give(&self, order: FaultOrder) -> Firings {
        let (fired, firings) = watch::channel(0);
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push((order, fired));
        self.0.count.store(orders.len(), Ordering::Release);
        Firings(firings)
    }

    /// The fault that is due, which is thereby used up.
    pub(super) fn due(&self, path: &ActorPath, role: Role, message: &str, moment: Moment) -> Option<Fault> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let (order, fired) = orders.iter_mut().find(|(order, _)| order.fits(path, role, message, moment))?;
        order.times -= 1;
        fired.send_modify(|count| *count += 1);
        Some(order.fault)
    }
}

/// One actor's place at the seam.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) orders: Orders,
    pub(super) path: ActorPath,
    pub(super) role: Role,
}

impl Site {
    pub(super) fn fault(&self, message: &str, moment: Moment) -> Option<Fault> {
        self.orders.due(&self.path, self.role, message, moment)
    }
}
