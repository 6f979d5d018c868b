//! Credentials, and the conversations that prove them (authentication specification).
//!
//! A conversation per mechanism: payload in, payload out.

pub mod aws;
pub mod conversation;
pub mod credential;
mod plain;
pub mod sasl;
pub mod scram;
pub mod secret;
mod x509;
