//! The driver against real deployments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod compression;
mod crud;
mod examples;
mod failures;
mod routes;
mod srv;
