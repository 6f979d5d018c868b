//! The connections to one server.
//!
//! Accepts: check-outs, check-ins, what connections and the topology report.
//! Sends: tickets with their lease to connections; refusals to callers; tickets back to the topology when the server is
//! silent and a newer primary known; crashed connections, and those that could not be established, to the topology.
//! Owns: the pool machine of the connection pooling specification and the lifelines of the connections.
//! Invariant: every check-out is answered exactly once, and no connection outlives its place in the pool.
//! If it dies: restarted paused, a generation up; its queue is answered, its connections end, a check is asked for.

mod actor;
mod messages;

pub(crate) use actor::{ConnectionPoolActor, PoolPlan};
pub(crate) use messages::{
    AbandonServer, CheckOut, CheckedIn, ClearPool, ClosePool, ConnectionDied, ConnectionEstablished, ConnectionFailed,
    ConnectionRefused, Dedicate, DrainStarted, FlushPool, HandshakeCompleted, MarkReady, Renew, SurrenderSessions,
    WarmUp,
};
