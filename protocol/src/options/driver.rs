//! What the client says about itself and asks of servers in every command.

use bson::{RawDocumentBuf, raw::cstr};

/// The identity of a library built on the driver, sent to servers beside the driver's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DriverInfo {
    /// Name of the library. It must not contain `|`.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
}

impl DriverInfo {
    /// A library known by its name only.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None, platform: None }
    }

    /// The same with a version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The same with a platform.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }
}

/// A version of the stable API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerApiVersion {
    /// Version 1.
    V1,
}

impl ServerApiVersion {
    /// The version as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
        }
    }
}

/// The stable API that servers are asked to keep to (versioned API specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServerApi {
    /// Version of the API.
    pub version: ServerApiVersion,
    /// Whether commands outside the API are refused; the server's default is false.
    pub strict: Option<bool>,
    /// Whether deprecated commands are refused; the server's default is false.
    pub deprecation_errors: Option<bool>,
}

impl ServerApi {
    /// Version 1.
    pub fn v1() -> Self {
        Self { version: ServerApiVersion::V1, strict: None, deprecation_errors: None }
    }

    /// The same, refusing commands outside the API or not.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }

    /// The same, refusing deprecated commands or not.
    #[must_use]
    pub fn deprecation_errors(mut self, refuse: bool) -> Self {
        self.deprecation_errors = Some(refuse);
        self
    }

    /// Appends the API's fields to a command.
    pub fn append_to(&self, command: &mut RawDocumentBuf) {
        command.append(cstr!("apiVersion"), self.version.as_str());
        if let Some(strict) = self.strict {
            command.append(cstr!("apiStrict"), strict);
        }
        if let Some(refuse) = self.deprecation_errors {
            command.append(cstr!("apiDeprecationErrors"), refuse);
        }
    }
}
