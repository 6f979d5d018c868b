//! The driver against real deployments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod auth;
mod commands;
mod compression;
mod crud;
mod examples;
mod failures;
mod prose;
mod routes;
mod sessions;
mod srv;
mod tls;
mod transactions;
