//! Server versions.

use std::fmt;

/// A server version, such as 6.0.5. Versions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
    /// The patch number.
    pub patch: u32,
}

impl Version {
    /// A version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `6.0.5` and also `7.1.0-rc3`; none when `text` starts differently.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split(['.', '-', '+', ' ']).map(|part| part.parse().ok());
        Some(Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(Version::parse("6.0.5"), Some(Version::new(6, 0, 5)));
        assert_eq!(Version::parse("8.1.0-rc2"), Some(Version::new(8, 1, 0)));
        assert_eq!(Version::parse("six"), None);
        assert_eq!(Version::parse("6.0"), None);
        assert!(Version::new(4, 10, 0) > Version::new(4, 9, 9));
    }
}
