//! Commands: how each is encoded, and what its reply says.

pub mod reply;
pub mod request;

pub use reply::{Envelope, ReplyError};
pub use request::Request;
