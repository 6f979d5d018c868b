//! `buildInfo` and `ping`: what a server is, and whether it answers.

use bson::{RawDocumentBuf, raw::cstr};
use serde::Deserialize;

use super::{Command, Criteria, EncodeError, Properties, Request, validate_database_name};
use crate::retry::Operation;

/// The `buildInfo` command, which runs on `admin`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GetBuildInfo;

/// The most useful part of a reply to `buildInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct BuildInfo {
    /// The server's version, such as `8.0.4`.
    pub version: String,
    /// The same in numbers: major, minor, patch, and a negative one for versions that are not final.
    pub version_array: Vec<i32>,
    /// The commit it was built from.
    pub git_version: String,
    /// Additional modules, such as `enterprise`.
    pub modules: Vec<String>,
}

impl Command for GetBuildInfo {
    fn properties(&self) -> Properties {
        Properties::enumeration()
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("buildInfo"), 1);
        Ok(Request::new("buildInfo", "admin".into(), body))
    }
}

/// The `ping` command.
#[derive(Clone, Copy, Debug)]
pub struct Ping<'a> {
    /// Name of the database; any will do.
    pub database: &'a str,
}

impl Command for Ping<'_> {
    fn properties(&self) -> Properties {
        Properties { criteria: Criteria::Primary, ..Properties::plain(Operation::PLAIN_READ) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        validate_database_name(self.database)?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("ping"), 1);
        Ok(Request::new("ping", self.database.into(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn both_are_one_field_long() {
        let request = GetBuildInfo.request().unwrap();
        assert_eq!((&*request.database, &request.body), ("admin", &rawdoc! { "buildInfo": 1 }));
        let request = Ping { database: "db" }.request().unwrap();
        assert_eq!((&*request.database, &request.body), ("db", &rawdoc! { "ping": 1 }));
    }

    #[test]
    fn a_version_is_read() {
        let reply = rawdoc! { "version": "6.0.5", "versionArray": [6, 0, 5, 0], "gitVersion": "c", "ok": 1.0 };
        let read: BuildInfo = bson::deserialize_from_slice(reply.as_bytes()).unwrap();
        assert_eq!((read.version.as_str(), read.version_array.as_slice()), ("6.0.5", &[6, 0, 5, 0][..]));
    }
}
