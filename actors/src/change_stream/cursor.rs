//! A cursor on its server.

use std::{sync::Arc, time::Duration};

use mongo_actors_protocol::{address::ServerAddress, command::Namespace};

use crate::{
    reaper::{self, KillCursors},
    shared::Shared,
    ticket::{ConnectionInfo, HeldSession, Lease},
};

/// A cursor that is open on its server. Dropping it has it killed there, in the background.
pub(super) struct OpenCursor {
    pub(super) shared: Arc<Shared>,
    pub(super) id: i64,
    pub(super) namespace: Namespace,
    pub(super) server: Arc<ServerAddress>,
    pub(super) connection: Arc<ConnectionInfo>,
    /// Its session, unless a command is using it.
    pub(super) session: Option<HeldSession>,
    /// The connection that it is bound to, unless a command is using it.
    pub(super) lease: Option<Lease>,
    /// Whether it is bound to a connection. Then whoever has that is the one who can have it killed.
    pub(super) bound: bool,
    /// That of the stream, which closing it has anew.
    pub(super) timeout: Option<Duration>,
}

impl OpenCursor {
    /// Session and connection, for the next command.
    pub(super) fn lend(&mut self) -> (Option<HeldSession>, Option<Lease>) {
        (self.session.take(), self.lease.take())
    }

    /// What is to be done to close it. It counts as closed from now on.
    pub(super) fn take_debt(&mut self) -> Option<KillCursors> {
        if self.id == 0 || (self.bound && self.lease.is_none()) {
            return None;
        }
        let debt = KillCursors::new(self.server.clone(), &self.namespace, std::mem::take(&mut self.id));
        let (session, lease) = (self.session.take(), self.lease.take());
        Some(KillCursors { session, lease, timeout: self.timeout, ..debt })
    }

    /// The server has closed it already.
    pub(super) fn forget(mut self) {
        self.id = 0;
    }
}

impl Drop for OpenCursor {
    fn drop(&mut self) {
        if let Some(debt) = self.take_debt() {
            reaper::owe(&self.shared, debt);
        }
    }
}
