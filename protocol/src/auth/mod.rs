//! Authentication: a conversation per mechanism, payload in, payload out.

pub mod sasl;
pub mod scram;
