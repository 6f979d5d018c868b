//! The prose tests of the specifications: those that no test file can express. Named by specification and number;
//! `docs/prose-tests.md` lists them all, also those that are elsewhere. Those of the convenient API for transactions need
//! its clock and dice, and so are in `src/session/tests.rs`.

mod bson_binary_vector;
mod causal_consistency;
mod change_streams;
mod client_backpressure;
mod client_side_operations_timeout;
mod command_logging;
mod connection_pooling;
mod crud;
mod handshake;
mod index_management;
mod retries;
mod server_discovery;
mod server_selection;
mod sessions;
mod step_down;
mod transactions;
