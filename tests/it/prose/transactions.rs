//! Prose tests.
