//! Who keeps a child alive: the lifeline in its parent's state, and nothing else.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// Held by a parent in its state. Dropping it ends the child, however many addresses of it exist.
#[derive(Debug)]
pub(crate) struct Lifeline(oneshot::Sender<Hold>);

/// Whether the child is to live on without its parent.
#[derive(Debug)]
struct Hold;

/// The child's end of a [`Lifeline`]: resolves once the parent has let go.
#[derive(Debug)]
pub(crate) struct Tether(Option<oneshot::Receiver<Hold>>);

pub(crate) fn lifeline() -> (Lifeline, Tether) {
    let (hold, tether) = oneshot::channel();
    (Lifeline(hold), Tether(Some(tether)))
}

impl Lifeline {
    /// Lets the child live until it ends by itself.
    pub(crate) fn release(self) {
        // A child that is gone needs no leave.
        drop(self.0.send(Hold));
    }
}

impl Tether {
    /// Whether the parent has let go; otherwise wakes the task when it does.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(tether) = &mut self.0 else { return Poll::Pending };
        match Pin::new(tether).poll(cx) {
            Poll::Ready(Ok(Hold)) => {
                self.0 = None;
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }
}
