//! A server session in somebody's hands.

use mongo_actors_protocol::session::ServerSession;

use crate::{
    runtime::Address,
    session_pool::{ReturnSession, SessionPoolActor},
};

/// A server session that returns to its pool when it is dropped.
#[derive(Debug)]
pub struct HeldSession {
    session: Option<ServerSession>,
    home: SessionHome,
    #[cfg(feature = "chaos")]
    _taken: Option<crate::chaos::Taken>,
}

/// Where sessions return to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SessionHome {
    pool: std::sync::Arc<Address<SessionPoolActor>>,
    #[cfg(feature = "chaos")]
    chaos: crate::chaos::Chaos,
}

impl std::fmt::Debug for SessionHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionHome")
    }
}

impl SessionHome {
    pub(crate) fn new(pool: Address<SessionPoolActor>, #[cfg(feature = "chaos")] chaos: crate::chaos::Chaos) -> Self {
        Self {
            pool: pool.into(),
            #[cfg(feature = "chaos")]
            chaos,
        }
    }
}

impl HeldSession {
    pub(crate) fn new(session: ServerSession, home: SessionHome) -> Self {
        Self {
            session: Some(session),
            #[cfg(feature = "chaos")]
            _taken: home.chaos.took(mongo_actors_protocol::chaos::Resource::Session),
            home,
        }
    }

    /// The session, which leaves its holder until it is put back.
    pub(super) fn take(&mut self) -> ServerSession {
        self.session.take().expect(HELD)
    }

    /// Puts back what was taken.
    pub(super) fn put(&mut self, session: ServerSession) {
        self.session = Some(session);
    }

    /// The session.
    pub fn get(&self) -> &ServerSession {
        self.session.as_ref().expect(HELD)
    }

    /// The session, for changes.
    pub fn get_mut(&mut self) -> &mut ServerSession {
        self.session.as_mut().expect(HELD)
    }
}

const HELD: &str = "the session leaves only when the holder is dropped";

impl Drop for HeldSession {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.home.pool.do_send(ReturnSession(session));
        }
    }
}
