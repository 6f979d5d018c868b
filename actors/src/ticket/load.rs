//! How many operations are in flight on a server: what server selection balances by.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The operations in flight on one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load(Arc<AtomicUsize>);

/// One operation's place in the count, from selection to answer.
#[derive(Debug)]
pub(crate) struct LoadSlot(Arc<AtomicUsize>);

impl Load {
    pub(crate) fn in_flight(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) -> LoadSlot {
        self.0.fetch_add(1, Ordering::Relaxed);
        LoadSlot(self.0.clone())
    }
}

impl Drop for LoadSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
