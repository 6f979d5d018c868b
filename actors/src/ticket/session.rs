//! A server session in somebody's hands.

use std::{fmt, sync::Arc};

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
}

/// Where sessions return to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SessionHome(Arc<Home>);

struct Home {
    pool: Address<SessionPoolActor>,
    #[cfg(feature = "chaos")]
    chaos: crate::chaos::Chaos,
    /// That the session was taken, in the recording: here, so that a session is not larger for it.
    #[cfg(feature = "chaos")]
    _taken: Option<crate::chaos::Taken>,
}

impl fmt::Debug for SessionHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHome")
    }
}

impl SessionHome {
    pub(crate) fn new(pool: Address<SessionPoolActor>, #[cfg(feature = "chaos")] chaos: crate::chaos::Chaos) -> Self {
        Self(Arc::new(Home {
            pool,
            #[cfg(feature = "chaos")]
            chaos,
            #[cfg(feature = "chaos")]
            _taken: None,
        }))
    }

    /// The same for one session, which a recording, if there is one, knows of as long as this is kept.
    #[cfg(feature = "chaos")]
    fn recorded(self) -> Self {
        let Home { pool, chaos, .. } = &*self.0;
        match chaos.took(mongo_actors_protocol::chaos::Resource::Session) {
            None => self,
            taken => Self(Arc::new(Home { pool: pool.clone(), chaos: chaos.clone(), _taken: taken })),
        }
    }
}

impl HeldSession {
    pub(crate) fn new(session: ServerSession, home: SessionHome) -> Self {
        #[cfg(feature = "chaos")]
        let home = home.recorded();
        Self { session: Some(session), home }
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
            self.home.0.pool.do_send(ReturnSession(session));
        }
    }
}
