//! read_preference
