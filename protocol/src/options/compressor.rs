//! How messages may be compressed.

/// A compression algorithm the client offers to servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compressor {
    /// Snappy.
    Snappy,
    /// Zlib.
    Zlib {
        /// From 0 (store) to 9 (smallest); -1 and none mean the library's default.
        level: Option<i32>,
    },
    /// Zstandard.
    Zstd {
        /// Level of the library; none means its default, 3.
        level: Option<i32>,
    },
}

impl Compressor {
    /// The name used in connection strings and handshakes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snappy => "snappy",
            Self::Zlib { .. } => "zlib",
            Self::Zstd { .. } => "zstd",
        }
    }

    /// The compressor of this name, at its default level.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "snappy" => Some(Self::Snappy),
            "zlib" => Some(Self::Zlib { level: None }),
            "zstd" => Some(Self::Zstd { level: None }),
            _ => None,
        }
    }
}
