//! Credentials and the conversations that prove them (authentication specification).

pub mod credential;
pub mod secret;
