//! The session pool's handlers.

use std::sync::Arc;

use actix::{Actor, Handler, Supervised};
use mongo_actors_protocol::session::ServerSessionPool;

use super::messages::{AbandonSessions, Equip, Lend, ReturnSession, TakeEnded};
use crate::{
    connection::Equipped,
    reaper::{AbandonSession, owe},
    runtime::{Context, SupervisedActor, clock},
    shared::Shared,
    ticket::{HeldSession, SessionHome, SessionMark, SharedSession},
};

/// Holds the server sessions that nobody uses, and lends them.
pub(crate) struct SessionPoolActor {
    shared: Arc<Shared>,
    pool: ServerSessionPool,
    home: Option<SessionHome>,
    /// The application's sessions, for the end.
    lent: Vec<SessionMark>,
    /// Those that are gone are swept out when the list reaches this length.
    sweep_at: usize,
}

/// Sweeping a shorter list is not worth it.
const SHORT: usize = 32;

impl SessionPoolActor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pool: ServerSessionPool::new(), home: None, lent: Vec::new(), sweep_at: SHORT }
    }

    fn acquire(&mut self) -> Option<HeldSession> {
        let home = self.home.clone()?;
        let session = self.pool.acquire(clock::now(), self.shared.session_expiry(), &mut self.shared.entropy.rng());
        Some(HeldSession::new(session, home))
    }
}

impl Actor for SessionPoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.home = Some(SessionHome::new(
            ctx.address(),
            #[cfg(feature = "chaos")]
            self.shared.registry.chaos.clone(),
        ));
    }
}

impl Supervised for SessionPoolActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        *self = Self::new(self.shared.clone());
    }
}

impl SupervisedActor for SessionPoolActor {}

impl Handler<Equip> for SessionPoolActor {
    type Result = ();

    fn handle(&mut self, Equip { mut ticket, connection }: Equip, _: &mut Context<Self>) {
        ticket.session = self.acquire();
        connection.do_send(Equipped(ticket));
    }
}

impl Handler<Lend> for SessionPoolActor {
    type Result = ();

    fn handle(&mut self, Lend { options, reply }: Lend, _: &mut Context<Self>) {
        let Some(held) = self.acquire() else { return };
        let session = SharedSession::new(&options, held);
        if self.lent.len() >= self.sweep_at {
            self.lent.retain(|mark| mark.session().is_some());
            self.sweep_at = (self.lent.len() * 2).max(SHORT);
        }
        self.lent.push(session.mark());
        // Who asked may have gone; then the session comes back by itself.
        drop(reply.send(session));
    }
}

impl Handler<AbandonSessions> for SessionPoolActor {
    type Result = ();

    fn handle(&mut self, AbandonSessions { done }: AbandonSessions, _: &mut Context<Self>) {
        for session in self.lent.drain(..).filter_map(|mark| mark.session()) {
            match session.is_busy() {
                true => owe(&self.shared, AbandonSession { session, ends: true, done: Some(done.clone()) }),
                false => session.end(),
            }
        }
    }
}

impl Handler<ReturnSession> for SessionPoolActor {
    type Result = ();

    fn handle(&mut self, ReturnSession(session): ReturnSession, _: &mut Context<Self>) {
        self.pool.release(clock::now(), self.shared.session_expiry(), session);
    }
}

impl Handler<TakeEnded> for SessionPoolActor {
    type Result = ();

    fn handle(&mut self, TakeEnded(reply): TakeEnded, _: &mut Context<Self>) {
        let groups = std::iter::from_fn(|| self.pool.take_ended()).collect();
        // The supervisor may have given up waiting; then nobody ends the sessions, and the server's timeout will.
        drop(reply.send(groups));
    }
}
