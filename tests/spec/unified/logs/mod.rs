//! The log messages of clients, collected and compared with what a test expects.

mod collector;
mod matching;

pub(super) use self::{collector::Collector, matching::verify};
