//! The session pool's handlers.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Handler, Supervised};
use mongo_actors_protocol::session::ServerSessionPool;

use super::messages::{Equip, Lend, ReturnSession, TakeEnded};
use crate::{
    connection::Equipped,
    runtime::{Context, SupervisedActor, clock},
    shared::Shared,
    ticket::{HeldSession, SessionHome},
};

/// Holds the server sessions that nobody uses, and lends them.
pub(crate) struct SessionPoolActor {
    shared: Arc<Shared>,
    pool: ServerSessionPool,
    home: Option<SessionHome>,
}

impl SessionPoolActor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pool: ServerSessionPool::new(), home: None }
    }

    fn acquire(&mut self) -> Option<HeldSession> {
        let home = self.home.clone()?;
        let session = self.pool.acquire(clock::now(), self.shared.session_expiry(), &mut rand::rng());
        Some(HeldSession::new(session, home))
    }
}

impl Actor for SessionPoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.home = Some(SessionHome::new(ctx.address()));
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

    fn handle(&mut self, Lend(reply): Lend, _: &mut Context<Self>) {
        if let Some(held) = self.acquire() {
            // Who asked may have gone; then the session comes back by itself.
            drop(reply.send(held));
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
