//! Looks the SRV records up again, for a client that got its seeds from them.
//!
//! Accepts: nothing.
//! Sends: `SrvUpdated` to the topology.
//! Owns: the time of the next lookup.
//! Invariant: it lives only while the topology is unknown or sharded; at most one lookup at a time.
//! If it dies: restarted with nothing; the next lookup is a whole interval away.

mod actor;

pub(crate) use actor::{SrvPollerActor, SrvPollerPlan};
