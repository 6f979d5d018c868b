//! `killCursors`: closes cursors on the server.

use bson::{RawArrayBuf, RawDocumentBuf, raw::cstr};

use super::{Command, Criteria, EncodeError, Namespace, Properties, Request};
use crate::retry::Operation;

/// The `killCursors` command. Its reply says nothing that matters to the caller.
#[derive(Clone, Copy, Debug)]
pub struct KillCursors<'a> {
    /// The namespace of the cursors' last reply.
    pub namespace: &'a Namespace,
    /// The cursors' numbers.
    pub cursors: &'a [i64],
}

impl Command for KillCursors<'_> {
    fn properties(&self) -> Properties {
        Properties { criteria: Criteria::CursorServer, ..Properties::plain(Operation::PLAIN_READ) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("killCursors"), &*self.namespace.coll);
        body.append(cstr!("cursors"), self.cursors.iter().copied().collect::<RawArrayBuf>());
        Ok(Request::new("killCursors", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn cursors_of_one_namespace_are_named() {
        let namespace = Namespace::new("db", "coll");
        let request = KillCursors { namespace: &namespace, cursors: &[1, 2] }.request().unwrap();
        assert_eq!(request.body, rawdoc! { "killCursors": "coll", "cursors": [1_i64, 2_i64] });
    }
}
