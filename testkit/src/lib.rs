//! testkit
mod background;
mod deployment;
mod error;
mod ports;
mod process;
mod provision;
mod proxy;
mod role;
mod scripted;
mod stub;
mod wait;
mod wire;

pub use deployment::*;
pub use error::{Error, Result};
pub use provision::{MONGOD_VARIABLE, Mongod, ProvisionError, Version};
pub use proxy::{Break, Direction, LoadBalancerProxy, MongosProxy, Proxy, Scope};
pub use role::Role;
pub use scripted::{Received, Reply, ScriptedServer, ScriptedServerBuilder};
pub use stub::InstantStub;
