//! Which cursors are open on servers, as what passes on the wire tells it.

use std::{collections::HashSet, sync::Arc};

use bson::RawDocument;
use mongo_actors_protocol::{
    address::ServerAddress,
    chaos::{CursorNews, Recording, Resource},
    command::{Envelope, Request},
};

use super::state::Chaos;

/// The cursors that were opened while a plan was in force.
#[derive(Default)]
pub(super) struct OpenCursors(HashSet<(Arc<ServerAddress>, i64)>);

impl OpenCursors {
    fn opened(&mut self, server: &Arc<ServerAddress>, id: i64, recording: &mut Recording) {
        if self.0.insert((server.clone(), id)) {
            recording.took(Resource::Cursor);
        }
    }

    /// Of one that was opened earlier, or is known to be closed, there is nothing to be told.
    fn closed(&mut self, server: &Arc<ServerAddress>, id: i64, recording: &mut Recording) {
        if self.0.remove(&(server.clone(), id)) {
            recording.gave_back(Resource::Cursor);
        }
    }
}

/// A cursor that lives no longer than the connection which has this.
#[derive(Debug)]
pub(crate) struct BoundCursor {
    chaos: Chaos,
    server: Arc<ServerAddress>,
    id: i64,
}

impl Drop for BoundCursor {
    fn drop(&mut self) {
        self.chaos.cursor_ended(&self.server, self.id);
    }
}

impl Chaos {
    /// A server has replied to a command.
    #[inline]
    pub(crate) fn replied(
        &self,
        server: &Arc<ServerAddress>,
        request: &Request,
        envelope: &Envelope<'_>,
        reply: &RawDocument,
    ) {
        if !self.is_active() {
            return;
        }
        self.with_cursors(|cursors, recording| {
            let news = CursorNews::read(&request.name, &request.body, envelope, reply);
            news.opened.into_iter().for_each(|id| cursors.opened(server, id, recording));
            news.closed.into_iter().for_each(|id| cursors.closed(server, id, recording));
        });
    }

    /// A cursor stays on the connection whose cursors are `bound`, and ends with that.
    pub(crate) fn bind_cursor(&self, bound: &mut Vec<BoundCursor>, server: &Arc<ServerAddress>, id: i64) {
        if self.is_active() && bound.iter().all(|cursor| cursor.id != id) {
            bound.push(BoundCursor { chaos: self.clone(), server: server.clone(), id });
        }
    }

    /// A cursor has ended with what it lived on.
    pub(crate) fn cursor_ended(&self, server: &Arc<ServerAddress>, id: i64) {
        self.with_cursors(|cursors, recording| cursors.closed(server, id, recording));
    }
}
