//! The pool's handlers: each tells the machine what happened, then does what the machine asks for.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use actix::{Actor, Handler, Supervised};
use mongo_actors_protocol::{
    address::ServerAddress,
    cmap::{ConnectionId, Pool, PoolAction, PoolOptions},
    sdam::{Generation, PoolGenerations},
};

use super::messages::{
    AbandonServer, CheckOut, CheckedIn, ClearPool, ClosePool, ConnectionDied, ConnectionEstablished, ConnectionFailed,
    ConnectionRefused, Dedicate, DrainStarted, FlushPool, HandshakeCompleted, MarkReady, Renew, SurrenderSessions,
    WarmUp,
};
use crate::{
    connection::{Abandon, ConnectionActor, ConnectionPlan, Interrupt, Run, SurrenderSession},
    failure::Cause,
    runtime::{
        ActorPath, Address, Birth, Child, Context, Death, Home, Obituary, RestartBudget, Role, SupervisedActor, clock,
        start,
    },
    session_pool::SessionPoolActor,
    shared::{Shared, Token},
    ticket::{ConnectionInfo, Lease, PooledConnection, Ticket},
    topology::{ConnectionLost, EstablishmentFailed, Execute, PoolRestarted, TopologyActor},
};

/// What a pool is made from.
#[derive(Clone)]
pub(crate) struct PoolPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) path: ActorPath,
    pub(crate) address: Arc<ServerAddress>,
    pub(crate) options: PoolOptions,
    pub(crate) generations: PoolGenerations,
    pub(crate) home: Home,
    pub(crate) topology: Address<TopologyActor>,
    pub(crate) sessions: Address<SessionPoolActor>,
}

/// Pools the connections to one server.
pub(crate) struct ConnectionPoolActor {
    plan: PoolPlan,
    pool: Option<Pool<CheckOut>>,
    connections: BTreeMap<ConnectionId, Pooled>,
    connection_plan: Option<Arc<ConnectionPlan>>,
    /// Who waits for `minPoolSize` connections.
    warming: Vec<Token>,
    /// Dropped when the pool, closed, is drained.
    closing: Option<Option<Token>>,
}

/// A connection of the pool: its lifeline, and once established what leases share.
struct Pooled {
    child: Child<ConnectionActor>,
    ready: Option<Arc<PooledConnection>>,
}

impl ConnectionPoolActor {
    pub(crate) fn new(plan: PoolPlan) -> Self {
        let pool = Self::machine(&plan);
        Self {
            plan,
            pool: Some(pool),
            connections: BTreeMap::new(),
            connection_plan: None,
            warming: Vec::new(),
            closing: None,
        }
    }

    /// Puts a paused machine in the place of the old one, which answers those who wait in it.
    fn renew(&mut self) {
        let generations = self.plan.generations.clone();
        self.pool = Some(match self.pool.take() {
            Some(old) => old.restarted(clock::now(), generations),
            // It was lost in a crash of the renewal itself.
            None => Self::machine(&self.plan),
        });
    }

    fn machine(plan: &PoolPlan) -> Pool<CheckOut> {
        let wanted = plan.shared.events.wants_pools();
        Pool::new(plan.address.clone(), plan.options.clone(), plan.generations.clone(), wanted)
    }

    /// Tells the machine something, then does all that follows.
    fn tell(&mut self, ctx: &mut Context<Self>, input: impl FnOnce(&mut Pool<CheckOut>)) {
        if let Some(pool) = &mut self.pool {
            input(pool);
        }
        while let Some(action) = self.pool.as_mut().and_then(Pool::poll_action) {
            self.act(action, ctx);
        }
        if let Some(pool) = &self.pool {
            ctx.set_deadline(pool.next_deadline());
            if !self.warming.is_empty() && pool.is_warm() {
                self.warming.clear();
            }
            if self.closing.is_some() && pool.is_drained() {
                ctx.finish();
            }
        }
    }

    fn act(&mut self, action: PoolAction<CheckOut>, ctx: &mut Context<Self>) {
        match action {
            PoolAction::Establish { id, generation, background } => self.establish(id, generation, background, ctx),
            PoolAction::Deliver { id, waiter, .. } => self.deliver(id, waiter),
            PoolAction::Refuse { waiter: CheckOut::Ticket(ticket), error } => {
                ticket.fail(Cause::CheckOut(Arc::new(error)));
            }
            PoolAction::Refuse { waiter: CheckOut::Bare(reply), error } => drop(reply.send(Err(error))),
            PoolAction::Interrupt { id } => {
                if let Some(connection) = self.connections.get(&id) {
                    connection.child.addr.do_send(Interrupt);
                }
            }
            PoolAction::Close { id, .. } => drop(self.connections.remove(&id)),
            PoolAction::Publish(event) => self.plan.shared.events.publish_pool(event),
        }
    }

    fn establish(&mut self, id: ConnectionId, generation: Generation, background: bool, ctx: &mut Context<Self>) {
        let plan = self.connection_plan(ctx);
        let birth = Birth {
            path: self.plan.path.named_child(Role::Connection, id),
            role: Role::Connection,
            tag: id.into(),
            parent: ctx.address().outlet(),
            budget: RestartBudget::NONE,
        };
        let actor = ConnectionActor::new(plan, id, generation, background);
        let child = start(&self.plan.home, &self.plan.shared.registry, birth, actor);
        self.connections.insert(id, Pooled { child, ready: None });
    }

    fn connection_plan(&mut self, ctx: &Context<Self>) -> Arc<ConnectionPlan> {
        let plan = &self.plan;
        let make = || {
            Arc::new(ConnectionPlan {
                shared: plan.shared.clone(),
                address: plan.address.clone(),
                pool: ctx.address(),
                topology: plan.topology.clone(),
                sessions: plan.sessions.clone(),
            })
        };
        self.connection_plan.get_or_insert_with(make).clone()
    }

    fn deliver(&self, id: ConnectionId, waiter: CheckOut) {
        let ready = self.connections.get(&id).and_then(|connection| connection.ready.clone());
        // A waiter that is dropped here answers for itself.
        let Some(connection) = ready else { return };
        let lease = Lease::new(connection.clone());
        match waiter {
            CheckOut::Ticket(mut ticket) => {
                ticket.lease = Some(lease);
                connection.actor.do_send(Run(ticket));
            }
            // If nobody takes the lease, it comes back by being dropped.
            CheckOut::Bare(reply) => drop(reply.send(Ok(lease))),
        }
    }

    fn connection_ended(&mut self, id: ConnectionId, death: &Death, ctx: &mut Context<Self>) {
        if let Some(connection) = self.connections.get(&id)
            && *death != Death::Normal
        {
            tracing::warn!(target: "mongo_actors::connection", server = %self.plan.address, connection = id, %death, "connection actor died");
            let info = connection.ready.as_ref().map(|ready| ready.info.clone());
            let generation = self.pool.as_ref().map(Pool::generation).unwrap_or_default();
            let (address, death) = (self.plan.address.clone(), death.clone());
            self.plan.topology.do_send(ConnectionLost { address, generation, info, death });
        }
        self.tell(ctx, |pool| pool.connection_died(clock::now(), id));
    }
}

impl Actor for ConnectionPoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.tell(ctx, |_| {});
    }
}

impl Supervised for ConnectionPoolActor {
    /// The wait queue is answered, all connections end, and the topology is asked which generation follows.
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.renew();
        self.tell(ctx, |_| {});
        self.connections.clear();
        self.plan.topology.do_send(PoolRestarted { address: (*self.plan.address).clone() });
    }
}

impl SupervisedActor for ConnectionPoolActor {
    fn in_flight(&self) -> usize {
        self.pool.as_ref().map_or(0, |pool| {
            let counts = pool.counts();
            counts.in_use + counts.waiting
        })
    }

    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.on_deadline(clock::now()));
    }

    /// The topology has crashed: those who wait are answered, and every connection is seen to end.
    fn abandoned(&mut self, ctx: &mut Context<Self>) {
        self.renew();
        self.tell(ctx, |pool| pool.close(clock::now()));
        self.connections.clear();
    }
}

impl ConnectionPoolActor {
    /// With `timeoutMS` set, selection and check-out share `serverSelectionTimeoutMS`, and `waitQueueTimeoutMS` does
    /// not hold.
    fn check_out_deadline(&self, ticket: &Ticket) -> Option<Instant> {
        if !ticket.operation.timed {
            return ticket.operation.deadline;
        }
        let limit = ticket.entered + self.plan.shared.settings.options.server_selection_timeout;
        Some(ticket.operation.deadline.map_or(limit, |deadline| deadline.min(limit)))
    }
}

impl Handler<CheckOut> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, waiter: CheckOut, ctx: &mut Context<Self>) {
        let deadline = match &waiter {
            CheckOut::Ticket(ticket) => self.check_out_deadline(ticket),
            CheckOut::Bare(_) => None,
        };
        self.tell(ctx, |pool| pool.check_out(clock::now(), waiter, deadline));
    }
}

impl Handler<CheckedIn> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, CheckedIn { id, condition }: CheckedIn, ctx: &mut Context<Self>) {
        // A connection that the pool closed meanwhile is not checked out any more, which is no error.
        self.tell(ctx, |pool| {
            let _not_checked_out = pool.check_in(clock::now(), id, condition);
        });
    }
}

impl Handler<Dedicate> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, Dedicate { id, purpose }: Dedicate, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.set_purpose(id, purpose));
    }
}

impl Handler<ConnectionEstablished> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, established: ConnectionEstablished, ctx: &mut Context<Self>) {
        let ConnectionEstablished { id, mut info, actor } = established;
        if let Some(origin) = self.pool.as_ref().and_then(|pool| pool.origin(id))
            && origin.generation != info.generation
        {
            info = Arc::new(ConnectionInfo { generation: origin.generation, ..(*info).clone() });
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            let shared = self.plan.shared.clone();
            connection.ready = Some(Arc::new(PooledConnection {
                shared,
                info,
                actor,
                pool: ctx.address(),
                #[cfg(feature = "chaos")]
                _taken: None,
            }));
        }
        self.tell(ctx, |pool| pool.connection_established(clock::now(), id));
    }
}

impl Handler<HandshakeCompleted> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, HandshakeCompleted { id, service_id }: HandshakeCompleted, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| {
            let _generation = pool.handshake_completed(id, service_id);
        });
    }
}

impl Handler<ConnectionFailed> for ConnectionPoolActor {
    type Result = ();

    /// Of a connection that the pool has closed meanwhile nobody needs to hear.
    fn handle(&mut self, ConnectionFailed { id, error }: ConnectionFailed, ctx: &mut Context<Self>) {
        let Some(origin) = self.pool.as_ref().and_then(|pool| pool.origin(id)) else { return };
        self.plan.topology.do_send(EstablishmentFailed {
            pool: ctx.address(),
            address: self.plan.address.clone(),
            id,
            generation: origin.generation,
            service_id: origin.service_id,
            error,
        });
    }
}

impl Handler<ConnectionRefused> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, ConnectionRefused { id, error }: ConnectionRefused, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.connection_failed(clock::now(), id, error));
    }
}

impl Handler<ConnectionDied> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, ConnectionDied { id }: ConnectionDied, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.connection_died(clock::now(), id));
    }
}

impl Handler<Obituary> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, obituary: Obituary, ctx: &mut Context<Self>) {
        if let Ok(id) = ConnectionId::try_from(obituary.tag) {
            self.connection_ended(id, &obituary.death, ctx);
        }
    }
}

impl Handler<DrainStarted> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, DrainStarted { id }: DrainStarted, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.drain_started(clock::now(), id));
    }
}

impl Handler<MarkReady> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, _: MarkReady, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.mark_ready(clock::now()));
    }
}

impl Handler<ClearPool> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, ClearPool(clear): ClearPool, ctx: &mut Context<Self>) {
        self.tell(ctx, |pool| pool.clear(clock::now(), clear));
    }
}

impl Handler<AbandonServer> for ConnectionPoolActor {
    type Result = ();

    /// Those who wait for a connection have sent nothing yet: they look for another server.
    fn handle(&mut self, _: AbandonServer, ctx: &mut Context<Self>) {
        for connection in self.connections.values() {
            connection.child.addr.do_send(Abandon);
        }
        let mut waiting = Vec::new();
        self.tell(ctx, |pool| {
            waiting = pool.dismiss_waiting(clock::now(), |waiter| matches!(waiter, CheckOut::Ticket(_)))
        });
        for waiter in waiting {
            if let CheckOut::Ticket(mut ticket) = waiter {
                ticket.unroute();
                self.plan.topology.do_send(Execute(ticket));
            }
        }
    }
}

impl Handler<Renew> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, Renew(generations): Renew, ctx: &mut Context<Self>) {
        self.plan.generations = generations;
        self.renew();
        self.tell(ctx, |_| {});
    }
}

impl Handler<SurrenderSessions> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, SurrenderSessions { done }: SurrenderSessions, _: &mut Context<Self>) {
        for connection in self.connections.values() {
            connection.child.addr.do_send(SurrenderSession { done: done.clone() });
        }
    }
}

impl Handler<WarmUp> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, WarmUp { done }: WarmUp, ctx: &mut Context<Self>) {
        self.warming.push(done);
        self.tell(ctx, |_| {});
    }
}

impl Handler<ClosePool> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, ClosePool { then_end, done }: ClosePool, ctx: &mut Context<Self>) {
        self.closing = then_end.then_some(done);
        self.tell(ctx, |pool| pool.close(clock::now()));
    }
}

impl Handler<FlushPool> for ConnectionPoolActor {
    type Result = ();

    fn handle(&mut self, _: FlushPool, _: &mut Context<Self>) {}
}
