//! The driver against real deployments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod cancellation;
mod crud;
mod cursors;
mod elections;
mod failures;
mod kit;
mod misbehaviour;
mod pools;
mod reaching;
