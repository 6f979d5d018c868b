//! Where a fault can happen.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What may happen to a message, as it is known of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageClass {
    /// It carries a ticket or a lease, whose guard answers if it is lost.
    Ticket,
    /// It comes again by itself.
    Periodic,
    /// Its receiver needs it, though not at once.
    State,
    /// Somebody waits until it is handled; its token tells if it is lost.
    Barrier,
}

impl MessageClass {
    /// Whether a real fault can lose such a message without its receiver.
    pub fn may_be_lost(self) -> bool {
        matches!(self, Self::Ticket | Self::Periodic)
    }
}

/// Which side of a message's handling a fault is on. Before it, the message is lost with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// Before the handler runs.
    #[default]
    Before,
    /// After the handler has run.
    After,
}

/// Which point of an exchange on a socket a fault is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SocketStep {
    /// A message is about to be written.
    Write,
    /// A message was written, and a reply is about to be read.
    Read,
}

/// Where a fault can happen: a message that reaches an actor, or bytes that pass a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Site {
    /// A message of one kind at one actor.
    Message {
        /// What the actor is, such as `connection-pool`.
        role: String,
        /// Where in its client's tree it stands.
        path: String,
        /// The kind of the message, such as `CheckOut`.
        message: String,
        /// What may happen to it.
        class: MessageClass,
        /// Before or after it is handled.
        moment: Moment,
    },
    /// A command on a connection to one server.
    Socket {
        /// The server, as host and port or the path of a socket.
        server: String,
        /// The command, if the bytes tell it: those that are compressed do not.
        command: Option<String>,
        /// Before it is written, or before its reply is read.
        step: SocketStep,
    },
}

impl Site {
    /// A message of one kind at one actor.
    pub fn message(
        role: impl ToString,
        path: impl ToString,
        message: impl Into<String>,
        class: MessageClass,
        moment: Moment,
    ) -> Self {
        Self::Message { role: role.to_string(), path: path.to_string(), message: message.into(), class, moment }
    }

    /// A command on a connection to one server.
    pub fn socket(server: impl ToString, command: Option<&str>, step: SocketStep) -> Self {
        Self::Socket { server: server.to_string(), command: command.map(str::to_owned), step }
    }

    /// A number that is the same for equal sites in every process and version.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        match self {
            Self::Message { role: _, path, message, class: _, moment } => {
                digest.text("message").text(path).text(message).text(match moment {
                    Moment::Before => "before",
                    Moment::After => "after",
                });
            }
            Self::Socket { server, command, step } => {
                digest.text("socket").text(server).text(command.as_deref().unwrap_or("")).text(match step {
                    SocketStep::Write => "write",
                    SocketStep::Read => "read",
                });
            }
        }
        digest.0
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { path, message, moment, .. } => {
                let moment = if *moment == Moment::Before { "before" } else { "after" };
                write!(f, "{path}, {moment} {message}")
            }
            Self::Socket { server, command, step } => {
                let step = if *step == SocketStep::Write { "writing" } else { "reading the reply to" };
                write!(f, "{server}, {step} {}", command.as_deref().unwrap_or("a command"))
            }
        }
    }
}

/// FNV-1a, which will never change under us as a hasher of the standard library may.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn text(&mut self, text: &str) -> &mut Self {
        // The byte that no text contains keeps neighbours apart.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }
}
