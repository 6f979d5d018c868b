//! Attacks on the driver's own actors and connections, for an application's tests. Feature `chaos`.
//!
//! A [`FaultPlan`] says what is to fail: a seed and rules. [`Client::chaos`](crate::Client::chaos) puts it in force and gives
//! back a [`Recording`] of what happened, which is held against what was promised. The same seed decides the same at each
//! site, and a recording can be replayed and made smaller. `docs/chaos-testing.md` shows a complete test.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use mongo_actors::{
//!     Client,
//!     bson::{Document, doc},
//!     chaos::{FaultPlan, MessageFault, Rule, SocketFault},
//!     supervision::Role,
//! };
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let plan = FaultPlan::new(42)
//!     .rule(Rule::message(MessageFault::Panic).role(Role::ConnectionPool).chance(0.01))
//!     .rule(Rule::socket(SocketFault::CloseBeforeReply).command("insert").chance(0.05));
//! let armed = client.chaos().arm(plan)?;
//! client.database("shop").collection::<Document>("orders").insert_one(doc! { "item": "tea" }).await?;
//! client.close().await;
//! let recording = armed.disarm().ok_or("nobody else has armed a plan")?;
//! recording.no_lost_reply()?;
//! recording.recovers_within(Duration::from_secs(3))?;
//! recording.no_leak()?;
//! # Ok(())
//! # }
//! ```

pub use mongo_actors_engine::{ArmError, Armed, ChaosControl, FaultOrder, Firings, ORDERED_PANIC};
pub use mongo_actors_protocol::chaos::{
    Attempt, Decider, End, Fault, FaultPlan, Firing, InvalidPlan, MessageClass, MessageFault, Moment, Recording,
    Resource, Rule, Shrinker, Site, SocketFault, SocketStep, Violation,
};
