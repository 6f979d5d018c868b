//! Derived authentication keys, kept so that a client pays for a password once and not for every connection.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use mongo_actors_protocol::auth::scram::{ClientKeys, KeyId};

/// A client has one credential; servers of one deployment may differ in salt, so a few entries are kept.
const CAPACITY: usize = 16;

/// The keys derived so far, most recent first.
#[derive(Debug, Default)]
pub(crate) struct KeyCache(Mutex<VecDeque<ClientKeys>>);

impl KeyCache {
    pub(crate) fn get(&self, id: KeyId) -> Option<ClientKeys> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|keys| keys.id() == id).cloned()
    }

    pub(crate) fn put(&self, new: ClientKeys) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|keys| keys.id() != new.id());
        keys.push_front(new);
        keys.truncate(CAPACITY);
    }
}
