//! What clients publish, recorded and compared with what a test expects.

mod matching;
mod observer;

pub(super) use self::{
    matching::{awaited, matches, verify},
    observer::{Event, Observer, Policy},
};
