//! Which cursors a reply says are open, and which no longer.

use bson::{RawArray, RawDocument};

use crate::command::Envelope;

/// `CursorNotFound` and `CursorKilled`.
const GONE: [i32; 2] = [43, 237];

/// What the reply to a command tells of its server's cursors.
///
/// It is read from what passes on the wire, and so does not depend on what the driver itself believes to be open.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::{chaos::CursorNews, command::Envelope};
///
/// let reply = rawdoc! { "cursor": { "firstBatch": [], "id": 7_i64, "ns": "a.b" }, "ok": 1.0 };
/// let news = CursorNews::read("find", &rawdoc! { "find": "b" }, &Envelope::read(&reply).unwrap(), &reply);
/// assert_eq!(news, CursorNews { opened: Some(7), closed: vec![] });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorNews {
    /// The cursor that the command has opened.
    pub opened: Option<i64>,
    /// The cursors that the server does not have any more.
    pub closed: Vec<i64>,
}

impl CursorNews {
    /// What `reply`, whose envelope is given, tells after `command` with this body.
    pub fn read(command: &str, body: &RawDocument, envelope: &Envelope<'_>, reply: &RawDocument) -> Self {
        match command {
            "getMore" => {
                let is_gone = match envelope.ok {
                    true => envelope.cursor_id == 0,
                    false => envelope.code.is_some_and(|code| GONE.contains(&code)),
                };
                let asked = body.get_i64("getMore").ok().filter(|_| is_gone);
                Self { opened: None, closed: asked.into_iter().collect() }
            }
            "killCursors" if envelope.ok => {
                let alive = ids(reply.get_array("cursorsAlive").ok());
                let asked = ids(body.get_array("cursors").ok());
                Self { opened: None, closed: asked.into_iter().filter(|id| !alive.contains(id)).collect() }
            }
            "killCursors" => Self::default(),
            _ => Self { opened: Some(envelope.cursor_id).filter(|id| envelope.ok && *id != 0), closed: Vec::new() },
        }
    }
}

fn ids(array: Option<&RawArray>) -> Vec<i64> {
    array.into_iter().flatten().filter_map(|id| id.ok()?.as_i64()).collect()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn news(body: &RawDocument, reply: &RawDocument) -> CursorNews {
        let command = body.iter().next().unwrap().unwrap().0;
        CursorNews::read(command.as_str(), body, &Envelope::read(reply).unwrap(), reply)
    }

    fn closed(ids: &[i64]) -> CursorNews {
        CursorNews { opened: None, closed: ids.to_vec() }
    }

    #[test]
    fn a_reply_with_a_cursor_has_opened_it_unless_it_goes_on_with_one() {
        let open = rawdoc! { "cursor": { "id": 7_i64, "ns": "a.b", "firstBatch": [] }, "ok": 1 };
        let exhausted = rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "firstBatch": [] }, "ok": 1 };
        let opened = CursorNews { opened: Some(7), closed: vec![] };
        assert_eq!(news(&rawdoc! { "aggregate": "b" }, &open), opened);
        assert_eq!(news(&rawdoc! { "find": "b" }, &exhausted), CursorNews::default());
        assert_eq!(news(&rawdoc! { "getMore": 7_i64, "collection": "b" }, &open), CursorNews::default());
        assert_eq!(news(&rawdoc! { "insert": "b" }, &rawdoc! { "ok": 1, "n": 1 }), CursorNews::default());
    }

    #[test]
    fn a_cursor_is_closed_by_its_last_batch_and_by_the_server_that_does_not_know_it() {
        let more = rawdoc! { "getMore": 7_i64, "collection": "b" };
        assert_eq!(
            news(&more, &rawdoc! { "cursor": { "id": 0_i64, "ns": "a.b", "nextBatch": [] }, "ok": 1 }),
            closed(&[7])
        );
        assert_eq!(news(&more, &rawdoc! { "ok": 0, "code": 43 }), closed(&[7]));
        assert_eq!(news(&more, &rawdoc! { "ok": 0, "code": 237 }), closed(&[7]));
        assert_eq!(news(&more, &rawdoc! { "ok": 0, "code": 11602 }), closed(&[]), "it may still be there");
    }

    #[test]
    fn cursors_are_closed_by_being_killed_but_for_those_that_live_on() {
        let kill = rawdoc! { "killCursors": "b", "cursors": [7_i64, 8_i64, 9_i64] };
        let reply = rawdoc! { "cursorsKilled": [7_i64], "cursorsNotFound": [8_i64], "cursorsAlive": [9_i64], "ok": 1 };
        assert_eq!(news(&kill, &reply), closed(&[7, 8]));
        assert_eq!(news(&kill, &rawdoc! { "ok": 0, "code": 11602 }), closed(&[]));
    }
}
