//! The wire protocol: framing of messages in both directions, without any I/O.

mod sequence;

pub use sequence::DocumentSequence;
