//! The first exchange on every connection, and the hello command.
//!
//! Follows the MongoDB handshake specification. [`ClientMetadata`] says who we are, [`FirstHello`] builds the command
//! that opens a connection, [`HandshakeReply`] reads what establishing a connection needs from the answer; what the
//! answer says about the deployment is read by [`sdam`](crate::sdam).

mod environment;
mod hello;
mod metadata;
mod reply;

pub use environment::{Environment, FaasEnvironment, OperatingSystem};
pub use hello::{AwaitableHello, FirstHello, monitor_hello};
pub use metadata::{ClientMetadata, InvalidMetadata, MAX_APP_NAME_LEN, MAX_METADATA_LEN};
pub use reply::{HandshakeError, HandshakeReply, SizeLimits};
