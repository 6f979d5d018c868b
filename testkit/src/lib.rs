//! testkit
mod background;
mod deployment;
mod error;
mod ports;
mod process;
mod provision;
mod proxy;
mod wait;
mod wire;

pub use deployment::*;
pub use error::{Error, Result};
pub use provision::{MONGOD_VARIABLE, Mongod, ProvisionError, Version};
pub use proxy::Proxy;
