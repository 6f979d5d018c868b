//! The prose tests of the specifications, named by their numbers.

mod change_streams;
