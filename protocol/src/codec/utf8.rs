//! Texts that are not UTF-8.

use std::str::FromStr;

use super::rewrite::{Reach, Rule, rewrite};

/// What happens to a string that is not UTF-8. Error replies of servers are always read with `Replace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Utf8Policy {
    /// It is an error.
    #[default]
    Strict,
    /// Faulty bytes become U+FFFD.
    Replace,
    /// Faulty bytes are dropped.
    Ignore,
}

impl FromStr for Utf8Policy {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "strict" => Ok(Self::Strict),
            "replace" => Ok(Self::Replace),
            "ignore" => Ok(Self::Ignore),
            _ => Err("strict, replace or ignore"),
        }
    }
}

/// The document without the bytes of its texts and names that are not UTF-8; none when it is not BSON at all.
pub fn purged(document: &[u8]) -> Option<Vec<u8>> {
    rewrite(document, Reach::Everything, &Purge).ok()
}

struct Purge;

impl Rule for Purge {
    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        text.utf8_chunks().for_each(|chunk| out.extend_from_slice(chunk.valid().as_bytes()));
    }
}
