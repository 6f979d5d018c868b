//! The prose tests of the specifications: those that no test file can express. Named by specification and number.

mod crud;
