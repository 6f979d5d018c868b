//! The cluster time, which drivers carry from server to server.

use std::sync::Arc;

use bson::{RawDocument, RawDocumentBuf, Timestamp};

/// A `$clusterTime` as a server sent it: a timestamp with a signature.
///
/// Only the timestamp orders two of them. Cloning shares the document.
///
/// ```
/// use bson::{Timestamp, rawdoc};
/// use mongo_actors_protocol::session::ClusterTime;
///
/// let mut highest = None;
/// let seen = rawdoc! { "clusterTime": Timestamp { time: 5, increment: 1 } };
/// assert!(ClusterTime::advance(&mut highest, &seen));
/// assert!(!ClusterTime::advance(&mut highest, &seen));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterTime {
    time: Timestamp,
    document: Arc<RawDocumentBuf>,
}

impl ClusterTime {
    /// The value of a `$clusterTime` element; none when it holds no timestamp.
    pub fn from_document(document: &RawDocument) -> Option<Self> {
        Some(Self { time: timestamp(document)?, document: Arc::new(document.to_owned()) })
    }

    /// The timestamp that orders it.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The document, to be sent as it was received.
    pub fn document(&self) -> &RawDocument {
        &self.document
    }

    /// Replaces `current` by `seen` if that is later, and says whether it was. Nothing is copied otherwise.
    pub fn advance(current: &mut Option<Self>, seen: &RawDocument) -> bool {
        let later = timestamp(seen).is_some_and(|seen| current.as_ref().is_none_or(|current| seen > current.time));
        if later {
            *current = Self::from_document(seen);
        }
        later
    }

    /// The later of two cluster times, where none is before all; the first when they are equal.
    ///
    /// What a command carries is the later of the client's and its session's.
    pub fn greater_of<'a>(client: Option<&'a Self>, session: Option<&'a Self>) -> Option<&'a Self> {
        match (client, session) {
            (Some(client), Some(session)) => Some(if session.time > client.time { session } else { client }),
            (client, session) => client.or(session),
        }
    }
}

fn timestamp(document: &RawDocument) -> Option<Timestamp> {
    document.get_timestamp("clusterTime").ok()
}
