//! What is known of the deployment, and where every operation is sent.
//!
//! Accepts: tickets, reports of monitors and pools, hosts from DNS, failures that concern a server, newer cluster
//! times.
//! Sends: tickets to pools, commands to pools and monitors, the description to the snapshot cell.
//! Owns: the topology description, the pools' generations, the cluster time, the waiting list.
//! Invariant: it is the only writer of what it owns; a pool hears of a clear before the caller hears of the failure.
//! If it dies: restarted with every server unknown; election id, set version, cluster time and generations survive.

mod actor;
mod messages;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use actor::{TopologyActor, TopologyPlan};
pub use messages::PoolOrder;
pub(crate) use messages::{
    CheckOutBare, CloseTopology, ClusterTimeSeen, CollectSessions, ConnectionLost, EstablishmentFailed, Execute, Flush,
    Observation, OperationFailed, OrderPool, PoolRestarted, RefuseWaiting, Select, ServerChecked, ServerObserved,
    SrvUpdated, WarmUpPools,
};
