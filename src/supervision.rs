//! The driver's actors: where they run, how often they may be restarted, which are alive, what happens to them, and who
//! decides when they cannot be kept alive.
//!
//! [`Client::supervision`](crate::Client::supervision) shows the tree at a moment; a [`SupervisionListener`], or the
//! `Recipient` of an actix actor, hears of every change:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use actix::{Actor, Context, Handler};
//! use mongo_actors::{Client, supervision::SupervisionEvent};
//!
//! struct Watchman;
//!
//! impl Actor for Watchman {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<SupervisionEvent> for Watchman {
//!     type Result = ();
//!
//!     fn handle(&mut self, event: SupervisionEvent, _: &mut Self::Context) {
//!         println!("{event:?}");
//!     }
//! }
//!
//! # async fn example() -> mongo_actors::error::Result<()> {
//! let watchman = Watchman.start();
//! let client = Client::builder().supervision_listener(Arc::new(watchman.recipient())).build()?;
//! println!("{}", client.supervision());
//! # Ok(())
//! # }
//! ```

pub use mongo_actors_engine::{
    ActorEntry, ActorPath, ActorState, Death, Decision, Escalation, Parent, Placement, RestartBudget, Role,
    SupervisionEvent, SupervisionListener, SupervisionSnapshot, TreeStatus,
};
