//! An encoded command, ready for any connection.

use std::{borrow::Cow, fmt, sync::Arc};

use bson::RawDocumentBuf;

pub use crate::wire::DocumentSequence;
use crate::{
    event::redaction::is_sensitive,
    wire::{MessageFlags, MessageParts},
};

/// A command that is encoded once and can be sent by any connection, any number of times.
///
/// `body` holds what the operation decides. It lacks what only a connection knows, which appends it behind the body:
/// `$db`, `lsid`, `txnNumber`, `startTransaction`, `autocommit`, `recoveryToken`, `readConcern`, `writeConcern`,
/// `$clusterTime`, `$readPreference`, `maxTimeMS` and the fields of the Stable API.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::command::Request;
///
/// let request = Request::new("find", "shop".into(), rawdoc! { "find": "orders", "filter": { "open": true } });
/// assert_eq!(request.name, "find");
/// ```
#[derive(Clone, PartialEq)]
pub struct Request {
    /// Name of the command, which is also the first key of `body`.
    pub name: Cow<'static, str>,
    /// The database it runs on.
    pub database: Arc<str>,
    /// The command document so far.
    pub body: RawDocumentBuf,
    /// Array arguments that travel as sections of their own.
    pub sequences: Vec<DocumentSequence>,
}

/// Shows nothing of a command that may hold a secret but its name.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("name", &self.name).field("database", &self.database);
        match is_sensitive(&self.name, &self.body) {
            true => shown.finish_non_exhaustive(),
            false => shown.field("body", &self.body).field("sequences", &self.sequences).finish(),
        }
    }
}

/// A document that cannot be a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// The document is empty.
    #[error("a command document must have at least one element: its first key is the name of the command")]
    Empty,
    /// The document is not BSON.
    #[error("the command document is not valid BSON")]
    Malformed,
}

impl Request {
    /// A command without document sequences.
    pub fn new(name: &'static str, database: Arc<str>, body: RawDocumentBuf) -> Self {
        Self { name: Cow::Borrowed(name), database, body, sequences: Vec::new() }
    }

    /// A command given by a user, whose name is the first key of `body`.
    ///
    /// # Errors
    /// [`InvalidCommand`] when there is no first key.
    pub fn from_document(database: Arc<str>, body: RawDocumentBuf) -> Result<Self, InvalidCommand> {
        let name = match body.iter_elements().next() {
            Some(Ok(element)) => element.key().as_str().to_owned(),
            Some(Err(_)) => return Err(InvalidCommand::Malformed),
            None => return Err(InvalidCommand::Empty),
        };
        Ok(Self { name: Cow::Owned(name), database, body, sequences: Vec::new() })
    }

    /// The message that sends this command, completed by what the connection appends in `tail`.
    pub fn message<'a>(&'a self, tail: &'a [u8], flags: MessageFlags, request_id: i32) -> MessageParts<'a> {
        MessageParts { body: &self.body, tail, sequences: &self.sequences, flags, request_id }
    }

    /// Adds a document sequence.
    #[must_use]
    pub fn with_sequence(mut self, sequence: DocumentSequence) -> Self {
        self.sequences.push(sequence);
        self
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_message_holds_body_tail_and_sequences() {
        let mut documents = DocumentSequence::new("documents");
        documents.push(&rawdoc! { "_id": 1 });
        let request = Request::new("insert", "shop".into(), rawdoc! { "insert": "c" }).with_sequence(documents);
        let mut tail = Vec::new();
        crate::wire::TailWriter::new(&mut tail).string(bson::raw::cstr!("$db"), &request.database);
        let command = request.message(&tail, MessageFlags::NONE, 1).to_command_document().unwrap();
        assert_eq!(command, rawdoc! { "insert": "c", "$db": "shop", "documents": [{ "_id": 1 }] });
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let shown = |body| format!("{:?}", Request::from_document("admin".into(), body).unwrap());
        let secret = shown(rawdoc! { "createUser": "ada", "pwd": "hunter2" });
        assert!(secret.contains("createUser") && !secret.contains("pwd") && !secret.contains("hunter2"), "{secret}");
        assert!(shown(rawdoc! { "find": "orders", "filter": { "open": true } }).contains("body"));
    }

    #[test]
    fn the_first_key_names_a_command_of_the_user() {
        let request = Request::from_document("admin".into(), rawdoc! { "ping": 1, "comment": "x" }).unwrap();
        assert_eq!(request.name, "ping");
        assert_eq!(Request::from_document("admin".into(), rawdoc! {}), Err(InvalidCommand::Empty));
        let broken = RawDocumentBuf::from_bytes(vec![6, 0, 0, 0, 1, 0]).unwrap();
        assert_eq!(Request::from_document("admin".into(), broken), Err(InvalidCommand::Malformed));
    }
}
