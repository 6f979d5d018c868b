//! Events of commands.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId};

use super::redaction::{is_sensitive, redacted_error};
use crate::{address::ServerAddress, error::CommandError, wire::ReplyBody};

/// The connection a command went over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The driver's number for the connection, counted from 1 in each pool.
    pub id: u32,
    /// The server's number for the connection.
    pub server_id: Option<i64>,
    /// The server.
    pub address: Arc<ServerAddress>,
}

impl ConnectionInfo {
    /// A connection of this number to `address`.
    pub fn new(id: u32, server_id: Option<i64>, address: Arc<ServerAddress>) -> Self {
        Self { id, server_id, address }
    }
}

/// What the events of one command have in common. Makes the events, and leaves out what must not be shown.
#[derive(Clone, Debug)]
pub struct CommandInfo {
    command_name: Cow<'static, str>,
    db: Arc<str>,
    request_id: i32,
    operation_id: i64,
    connection: Arc<ConnectionInfo>,
    service_id: Option<ObjectId>,
    sensitive: bool,
}

impl CommandInfo {
    /// Describes the command `command_name` with the document `body`, which only serves to judge whether it is
    /// sensitive.
    ///
    /// `request_id` is the message's number; `operation_id` stays the same over all commands of one operation.
    pub fn new(
        command_name: Cow<'static, str>,
        db: Arc<str>,
        body: &RawDocument,
        request_id: i32,
        operation_id: i64,
        connection: Arc<ConnectionInfo>,
    ) -> Self {
        let sensitive = is_sensitive(&command_name, body);
        Self { command_name, db, request_id, operation_id, connection, service_id: None, sensitive }
    }

    /// Adds the service behind a load balancer.
    #[must_use]
    pub fn with_service_id(mut self, service_id: Option<ObjectId>) -> Self {
        self.service_id = service_id;
        self
    }

    /// Whether command and reply are published without content.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// The command is about to be sent. `command` is only called when its result may be shown.
    pub fn started(&self, command: impl FnOnce() -> RawDocumentBuf) -> CommandStartedEvent {
        let command = if self.sensitive { RawDocumentBuf::new() } else { command() };
        CommandStartedEvent {
            command: Arc::new(command),
            db: self.db.clone(),
            command_name: self.command_name.clone(),
            request_id: self.request_id,
            operation_id: self.operation_id,
            connection: self.connection.clone(),
            service_id: self.service_id,
        }
    }

    /// The server answered that the command succeeded.
    pub fn succeeded(&self, reply: &ReplyBody, duration: Duration) -> CommandSucceededEvent {
        CommandSucceededEvent {
            duration,
            reply: if self.sensitive { ReplyBody::empty() } else { reply.clone() },
            db: self.db.clone(),
            command_name: self.command_name.clone(),
            request_id: self.request_id,
            operation_id: self.operation_id,
            connection: self.connection.clone(),
            service_id: self.service_id,
        }
    }

    /// The command was sent, and no answer is wanted.
    pub fn unacknowledged(&self, duration: Duration) -> CommandSucceededEvent {
        self.succeeded(&ReplyBody::ok(), duration)
    }

    /// The command failed, or its outcome is unknown.
    pub fn failed(&self, failure: CommandFailure, duration: Duration) -> CommandFailedEvent {
        let failure = match failure {
            CommandFailure::Server(error) if self.sensitive => CommandFailure::Server(Arc::new(redacted_error(&error))),
            failure => failure,
        };
        CommandFailedEvent {
            duration,
            failure,
            db: self.db.clone(),
            command_name: self.command_name.clone(),
            request_id: self.request_id,
            operation_id: self.operation_id,
            connection: self.connection.clone(),
            service_id: self.service_id,
        }
    }
}

/// A command is about to be sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandStartedEvent {
    /// The command, with document sequences as arrays; empty when it is sensitive.
    pub command: Arc<RawDocumentBuf>,
    /// The database it runs on.
    pub db: Arc<str>,
    /// Its name.
    pub command_name: Cow<'static, str>,
    /// The number of the message, the same in the event that ends the command.
    pub request_id: i32,
    /// The same for all commands of one operation.
    pub operation_id: i64,
    /// The connection.
    pub connection: Arc<ConnectionInfo>,
    /// The service behind a load balancer.
    pub service_id: Option<ObjectId>,
}

/// A server answered that a command succeeded, write errors included.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandSucceededEvent {
    /// From the first byte sent to the last byte received.
    pub duration: Duration,
    /// The reply; empty when the command is sensitive, `{ok: 1}` when no answer was wanted.
    pub reply: ReplyBody,
    /// The database it ran on.
    pub db: Arc<str>,
    /// The command's name.
    pub command_name: Cow<'static, str>,
    /// The number of the message.
    pub request_id: i32,
    /// The same for all commands of one operation.
    pub operation_id: i64,
    /// The connection.
    pub connection: Arc<ConnectionInfo>,
    /// The service behind a load balancer.
    pub service_id: Option<ObjectId>,
}

/// A command failed, or its outcome is unknown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandFailedEvent {
    /// From the first byte sent to the failure.
    pub duration: Duration,
    /// What happened.
    pub failure: CommandFailure,
    /// The database it ran on.
    pub db: Arc<str>,
    /// The command's name.
    pub command_name: Cow<'static, str>,
    /// The number of the message.
    pub request_id: i32,
    /// The same for all commands of one operation.
    pub operation_id: i64,
    /// The connection.
    pub connection: Arc<ConnectionInfo>,
    /// The service behind a load balancer.
    pub service_id: Option<ObjectId>,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CommandFailure {
    /// The server said so. Nothing but code, code name and labels is left when the command is sensitive.
    Server(Arc<CommandError>),
    /// The driver could not send it or read the answer.
    Connection(Arc<str>),
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Connection(message) => f.write_str(message),
        }
    }
}

/// Any event of a command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CommandEvent {
    /// A command is about to be sent.
    Started(CommandStartedEvent),
    /// A command succeeded.
    Succeeded(CommandSucceededEvent),
    /// A command failed.
    Failed(CommandFailedEvent),
}

impl CommandEvent {
    /// The command's name.
    pub fn command_name(&self) -> &str {
        match self {
            Self::Started(event) => &event.command_name,
            Self::Succeeded(event) => &event.command_name,
            Self::Failed(event) => &event.command_name,
        }
    }

    /// The number of the message.
    pub fn request_id(&self) -> i32 {
        match self {
            Self::Started(event) => event.request_id,
            Self::Succeeded(event) => event.request_id,
            Self::Failed(event) => event.request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn info(name: &'static str, body: &RawDocument) -> CommandInfo {
        let address: ServerAddress = "localhost".parse().unwrap();
        let connection = Arc::new(ConnectionInfo::new(3, Some(70), Arc::new(address)));
        CommandInfo::new(name.into(), "admin".into(), body, 11, 22, connection)
    }

    fn reply(document: RawDocumentBuf) -> ReplyBody {
        ReplyBody::try_from(bytes::Bytes::from(document.into_bytes())).unwrap()
    }

    #[test]
    fn events_of_one_command_belong_together() {
        let body = rawdoc! { "ping": 1 };
        let id = ObjectId::from_bytes([1; 12]);
        let info = info("ping", &body).with_service_id(Some(id));
        let started = info.started(|| body.clone());
        let succeeded = info.succeeded(&reply(rawdoc! { "ok": 1 }), Duration::from_millis(5));
        let failed = info.failed(CommandFailure::Connection("reset".into()), Duration::ZERO);
        assert_eq!(*started.command, body);
        assert_eq!(succeeded.reply.as_document(), &*rawdoc! { "ok": 1 });
        assert_eq!(failed.failure.to_string(), "reset");
        let ids = [started.request_id, succeeded.request_id, failed.request_id];
        assert_eq!(ids, [11; 3]);
        assert_eq!([started.operation_id, succeeded.operation_id, failed.operation_id], [22; 3]);
        assert_eq!([started.service_id, succeeded.service_id, failed.service_id], [Some(id); 3]);
        assert_eq!(CommandEvent::Started(started).command_name(), "ping");
        assert_eq!(CommandEvent::Failed(failed).request_id(), 11);
    }

    #[test]
    fn a_sensitive_command_shows_nothing() {
        let body = rawdoc! { "saslStart": 1, "payload": "secret" };
        let info = info("saslStart", &body);
        let started = info.started(|| panic!("the document is not to be built"));
        assert!(started.command.is_empty());
        let succeeded = info.succeeded(&reply(rawdoc! { "payload": "secret", "ok": 1 }), Duration::ZERO);
        assert!(succeeded.reply.as_document().is_empty());
        let error = CommandError::from_reply(&rawdoc! { "ok": 0, "errmsg": "secret", "code": 18 }).unwrap();
        let failed = info.failed(CommandFailure::Server(Arc::new(error)), Duration::ZERO);
        assert!(!format!("{failed:?}").contains("secret"));
        assert!(matches!(failed.failure, CommandFailure::Server(error) if error.code == 18));
    }

    #[test]
    fn an_unacknowledged_command_succeeds_with_ok() {
        let event = info("insert", &rawdoc! { "insert": "c" }).unacknowledged(Duration::ZERO);
        assert_eq!(event.reply.as_document(), &*rawdoc! { "ok": 1 });
    }
}
