//! The driver against real deployments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod auth;
mod bulk;
mod commands;
mod compression;
mod crud;
mod examples;
mod failures;
mod prose;
mod sessions;
mod timeouts;
mod tls;
mod transactions;
