//! The prose tests of the specifications: those that no test file can express. Named by specification and number.

mod causal_consistency;
mod client_backpressure;
mod client_side_operations_timeout;
mod crud;
mod sessions;
mod transactions;
mod transactions_convenient_api;
