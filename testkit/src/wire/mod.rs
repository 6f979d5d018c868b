//! The little of the wire protocol the kit needs, written apart from the driver's so that the two check each other.

pub(crate) mod client;
pub(crate) mod compressed;
pub(crate) mod message;
mod scram;
