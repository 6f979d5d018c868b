//! `getMore`: the next batch of a cursor.

use std::time::Duration;

use bson::{Bson, raw::cstr};

use super::{
    Command, Criteria, EncodeError, Namespace, Properties, Request,
    encode::{append, roomy_document},
};
use crate::retry::Operation;

/// The `getMore` command. Its reply is a [`CursorReply`](super::CursorReply).
#[derive(Clone, Copy, Debug)]
pub struct GetMore<'a> {
    /// The cursor's number; never 0.
    pub cursor_id: i64,
    /// The namespace of the reply before.
    pub namespace: &'a Namespace,
    /// Documents wanted; none or 0 leaves it to the server. See [`GetMore::batch_size`].
    pub batch_size: Option<u32>,
    /// Sent as `maxTimeMS`: how long the server waits for documents. It refuses that for cursors that do not await data.
    pub max_time: Option<Duration>,
    /// The comment of the command that opened the cursor; only sent to servers with
    /// [`GetMore::COMMENT_WIRE_VERSION`], so pass none for an older one.
    pub comment: Option<&'a Bson>,
    /// Whether the server shall go on sending batches without being asked.
    pub exhaust: bool,
}

impl GetMore<'_> {
    /// The lowest wire version that takes a comment (4.4).
    pub const COMMENT_WIRE_VERSION: i32 = 9;

    /// The batch size of a cursor that has returned `retrieved` documents: `batch_size`, but no more than what
    /// `limit` leaves. None lets the server choose.
    pub fn batch_size(limit: Option<i64>, retrieved: u64, batch_size: Option<u32>) -> Option<u32> {
        let batch_size = batch_size.filter(|size| *size != 0);
        let limit = limit.map_or(0, i64::unsigned_abs);
        if limit == 0 {
            return batch_size;
        }
        // A cursor at its limit is closed rather than continued; 1 is what the command allows.
        let left = u32::try_from(limit.saturating_sub(retrieved).max(1)).unwrap_or(i32::MAX as u32);
        Some(batch_size.map_or(left, |size| size.min(left)))
    }
}

impl Command for GetMore<'_> {
    fn properties(&self) -> Properties {
        Properties {
            criteria: Criteria::CursorServer,
            max_time: self.max_time,
            exhaust: self.exhaust,
            ..Properties::plain(Operation::PLAIN_READ)
        }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = roomy_document(0);
        body.append(cstr!("getMore"), self.cursor_id);
        append!(&mut body;
            "collection": *self.namespace.coll,
            "batchSize": self.batch_size.filter(|size| *size != 0),
            "comment": self.comment,
        );
        Ok(Request::new("getMore", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn options_are_sent_when_given() {
        let namespace = Namespace::new("db", "$cmd.aggregate");
        let plain = GetMore {
            cursor_id: 9,
            namespace: &namespace,
            batch_size: Some(0),
            max_time: None,
            comment: None,
            exhaust: false,
        };
        let request = plain.request().unwrap();
        assert_eq!((&*request.name, &*request.database), ("getMore", "db"));
        assert_eq!(request.body, rawdoc! { "getMore": 9_i64, "collection": "$cmd.aggregate" });
        let comment = Bson::Boolean(true);
        let max_time = Some(Duration::from_secs(1));
        let full = GetMore { batch_size: Some(3), comment: Some(&comment), max_time, ..plain };
        let expected = rawdoc! { "getMore": 9_i64, "collection": "$cmd.aggregate", "batchSize": 3, "comment": true };
        assert_eq!(full.request().unwrap().body, expected);
        assert_eq!(full.properties().max_time, max_time);
        assert_eq!(full.properties().criteria, Criteria::CursorServer);
    }

    #[test]
    fn the_batch_size_is_what_the_limit_leaves() {
        assert_eq!(GetMore::batch_size(None, 5, None), None);
        assert_eq!(GetMore::batch_size(Some(0), 5, Some(3)), Some(3));
        assert_eq!(GetMore::batch_size(Some(4), 3, Some(3)), Some(1));
        assert_eq!(GetMore::batch_size(Some(20), 10, None), Some(10));
        assert_eq!(GetMore::batch_size(Some(20), 10, Some(0)), Some(10));
        assert_eq!(GetMore::batch_size(Some(i64::MAX), 1, None), Some(i32::MAX as u32));
        assert_eq!(GetMore::batch_size(Some(5), 5, Some(3)), Some(1));
    }
}
