//! The driver against real deployments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod auth;
mod bank;
mod bulk;
mod cancellation;
mod change_streams;
mod chaos;
mod codec;
mod commands;
mod compression;
mod crud;
mod cursors;
mod deliveries;
mod elections;
mod examples;
mod exhaust;
mod failures;
mod gridfs;
mod healing;
mod hostile;
mod kit;
mod lifecycle;
mod load_balancers;
mod members;
mod misbehaviour;
mod ocsp;
mod pools;
mod prose;
mod reaching;
mod routes;
mod scopes;
mod sessions;
mod srv;
mod tailable;
mod timeouts;
mod tls;
mod transactions;
