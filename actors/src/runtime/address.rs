//! Where messages to an actor go, and how many of them wait there.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Addr, Handler, Message, dev::Mailbox};

use super::context::SupervisedActor;

/// How many messages an actor was sent, and how many it has taken out of its mailbox.
#[derive(Debug, Default)]
pub(super) struct Mail {
    sent: AtomicUsize,
    taken: AtomicUsize,
}

impl Mail {
    /// Only the actor's own task calls this, so that no other write can come between.
    pub(super) fn note_taken(&self) {
        self.taken.store(self.taken.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// How many were taken out.
    #[cfg(feature = "chaos")]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let taken = self.taken.load(Ordering::Acquire);
        self.sent.load(Ordering::Relaxed).wrapping_sub(taken)
    }
}

/// An actor's mailbox before the actor runs: it takes messages already.
pub(crate) struct Inbox<A: SupervisedActor> {
    pub(super) mailbox: Mailbox<A>,
    pub(super) mail: Arc<Mail>,
}

impl<A: SupervisedActor> Inbox<A> {
    pub(crate) fn address(&self) -> Address<A> {
        Address::new(self.mailbox.address(), self.mail.clone())
    }
}

impl<A: SupervisedActor> Default for Inbox<A> {
    fn default() -> Self {
        Self { mailbox: Mailbox::default(), mail: Arc::default() }
    }
}

/// Where messages to one actor go. Cheap to clone.
pub(crate) struct Address<A: SupervisedActor> {
    addr: Addr<A>,
    mail: Arc<Mail>,
}

impl<A: SupervisedActor> Address<A> {
    pub(super) fn new(addr: Addr<A>, mail: Arc<Mail>) -> Self {
        Self { addr, mail }
    }

    /// Sends the message, and waits for nothing. One that the actor will never handle is dropped, and answers for
    /// itself.
    pub(crate) fn do_send<M>(&self, message: M)
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.mail.sent.fetch_add(1, Ordering::Relaxed);
        self.addr.do_send(message);
    }

    /// Whether there is anybody to handle a message.
    pub(crate) fn connected(&self) -> bool {
        self.addr.connected()
    }

    /// The address as one for messages of a single kind.
    pub(crate) fn outlet<M>(&self) -> Outlet<M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let address = self.clone();
        Outlet::new(move |message| address.do_send(message))
    }
}

impl<A: SupervisedActor> Clone for Address<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), mail: self.mail.clone() }
    }
}

impl<A: SupervisedActor> fmt::Debug for Address<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("waiting", &self.mail.waiting()).finish_non_exhaustive()
    }
}

/// Where messages of one kind go, whoever takes them. Cheap to clone.
pub(crate) struct Outlet<M>(Arc<dyn Fn(M) + Send + Sync>);

impl<M: 'static> Outlet<M> {
    pub(crate) fn new(deliver: impl Fn(M) + Send + Sync + 'static) -> Self {
        Self(Arc::new(deliver))
    }

    /// Nobody takes these messages.
    pub(crate) fn nowhere() -> Self {
        Self::new(drop)
    }

    pub(crate) fn send(&self, message: M) {
        (self.0)(message);
    }
}

impl<M> Clone for Outlet<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
