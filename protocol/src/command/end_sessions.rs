//! `endSessions`: tells a server which sessions are not needed any more.

use bson::{RawArrayBuf, RawDocumentBuf, raw::cstr};

use super::{Command, Criteria, EncodeError, Properties, Request};
use crate::retry::Operation;

/// The `endSessions` command, which runs on `admin`. Errors are of no interest: sessions expire anyway.
#[derive(Clone, Copy, Debug)]
pub struct EndSessions<'a> {
    /// The sessions' ids (`{ id: <UUID> }`): at most [`EndSessions::LIMIT`].
    pub sessions: &'a [RawDocumentBuf],
}

impl<'a> EndSessions<'a> {
    /// How many sessions one command may end.
    pub const LIMIT: usize = 10_000;

    /// The commands that end any number of sessions.
    pub fn chunks(sessions: &'a [RawDocumentBuf]) -> impl Iterator<Item = Self> {
        sessions.chunks(Self::LIMIT).map(|sessions| Self { sessions })
    }
}

impl Command for EndSessions<'_> {
    fn properties(&self) -> Properties {
        Properties { criteria: Criteria::PrimaryPreferred, ..Properties::plain(Operation::PLAIN_READ) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut sessions = RawArrayBuf::new();
        self.sessions.iter().for_each(|session| sessions.push(session));
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("endSessions"), sessions);
        Ok(Request::new("endSessions", "admin".into(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn sessions_are_ended_in_groups() {
        let sessions = vec![rawdoc! { "id": 1 }; 10_001];
        let groups: Vec<_> = EndSessions::chunks(&sessions).collect();
        assert_eq!(groups.iter().map(|group| group.sessions.len()).collect::<Vec<_>>(), [10_000, 1]);
        let request = groups[1].request().unwrap();
        assert_eq!((&*request.database, &request.body), ("admin", &rawdoc! { "endSessions": [{ "id": 1 }] }));
        assert_eq!(EndSessions::chunks(&[]).count(), 0);
    }
}
