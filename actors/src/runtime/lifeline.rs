//! Who keeps a child alive: the lifeline in its parent's state, and nothing else.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// Held by a parent in its state. Dropping it ends the child, however many addresses of it exist.
#[derive(Debug)]
pub(crate) struct Lifeline {
    _hold: oneshot::Sender<()>,
}

/// The child's end of a [`Lifeline`]: resolves once the parent has let go.
#[derive(Debug)]
pub(crate) struct Tether(oneshot::Receiver<()>);

pub(crate) fn lifeline() -> (Lifeline, Tether) {
    let (hold, tether) = oneshot::channel();
    (Lifeline { _hold: hold }, Tether(tether))
}

impl Tether {
    /// Whether the parent has let go; otherwise wakes the task when it does.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}
