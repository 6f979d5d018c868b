//! The prose tests of the specifications: those that no test file can express. Named by specification and number.
//! Those of the convenient API for transactions need its clock and dice, and so are in `src/session/tests.rs`.

mod bson_binary_vector;
mod causal_consistency;
mod change_streams;
mod client_backpressure;
mod client_side_operations_timeout;
mod crud;
mod sessions;
mod transactions;
