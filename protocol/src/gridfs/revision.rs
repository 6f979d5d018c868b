//! Which of the files of one name.

use std::fmt;

use bson::{Document, doc};

/// One of the files that have the same name, counted by the dates of their uploads: 0 is the first one, 1 the one after
/// it, -1 the last one, -2 the one before it.
///
/// ```
/// use mongo_actors_protocol::gridfs::Revision;
///
/// assert_eq!(Revision::default(), Revision::LAST);
/// assert_eq!(Revision::from(-2).skip(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(i32);

impl Revision {
    /// The oldest file.
    pub const FIRST: Self = Self(0);
    /// The newest file.
    pub const LAST: Self = Self(-1);

    /// The order in which files are counted.
    pub fn sort(self) -> Document {
        doc! { "uploadDate": if self.0 < 0 { -1 } else { 1 } }
    }

    /// How many files come before it in that order.
    pub fn skip(self) -> u64 {
        let skipped = if self.0 < 0 { -(i64::from(self.0) + 1) } else { i64::from(self.0) };
        skipped.unsigned_abs()
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self::LAST
    }
}

impl From<i32> for Revision {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
