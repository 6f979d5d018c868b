//! Records the commands that a client sends, and their replies.

use std::sync::{Arc, Mutex};

use mongo_actors::{
    Client,
    bson::{Document, RawDocumentBuf},
    event::{CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent, Delivery},
};

/// What was sent and what came back, in order. It is told inline, so that nothing is missing when an operation ends.
#[derive(Default)]
pub(crate) struct Commands {
    started: Mutex<Vec<Sent>>,
    replies: Mutex<Vec<(String, Document)>>,
}

/// A command that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) command: Document,
    pub(crate) server: String,
}

impl Sent {
    /// The session id.
    pub(crate) fn lsid(&self) -> Option<&Document> {
        self.command.get_document("lsid").ok()
    }

    /// A field of the read concern.
    pub(crate) fn read_concern(&self, field: &str) -> Option<&mongo_actors::bson::Bson> {
        self.command.get_document("readConcern").ok()?.get(field)
    }

    /// Which fields of transactions it carries.
    pub(crate) fn transaction_fields(&self) -> Vec<&str> {
        let known = ["startTransaction", "autocommit", "recoveryToken"];
        known.into_iter().filter(|field| self.command.contains_key(field)).collect()
    }
}

impl Commands {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A client whose commands are recorded.
    pub(crate) fn client(uri: &str) -> (Client, Arc<Self>) {
        let commands = Self::new();
        let client = Client::builder().uri(uri).command_listener(commands.clone()).build().unwrap();
        (client, commands)
    }

    /// The commands of this name sent so far.
    pub(crate) fn named(&self, name: &str) -> Vec<Sent> {
        self.started.lock().unwrap().iter().filter(|sent| sent.name == name).cloned().collect()
    }

    /// The replies to commands of this name so far.
    pub(crate) fn replies(&self, name: &str) -> Vec<Document> {
        let replies = self.replies.lock().unwrap();
        replies.iter().filter(|(command, _)| command == name).map(|(_, reply)| reply.clone()).collect()
    }

    /// The commands sent so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.started.lock().unwrap())
    }

    /// The commands of this name sent so far, which are forgotten with all others.
    pub(crate) fn take_named(&self, name: &str) -> Vec<Sent> {
        self.take().into_iter().filter(|sent| sent.name == name).collect()
    }

    /// Forgets all commands but the last.
    pub(crate) fn last(&self) -> Sent {
        self.take().pop().expect("a command was sent")
    }

    /// The names of the commands sent so far, which are forgotten.
    pub(crate) fn take_names(&self) -> Vec<String> {
        self.take().into_iter().map(|sent| sent.name).collect()
    }

    /// The last reply to a command of this name, with success or an error.
    pub(crate) fn last_reply(&self, name: &str) -> Document {
        let replies = self.replies.lock().unwrap();
        replies.iter().rev().find(|(command, _)| command == name).expect("the command was answered").1.clone()
    }
}

fn document(raw: &RawDocumentBuf) -> Document {
    Document::try_from(&**raw).unwrap()
}

impl CommandListener for Commands {
    fn delivery(&self) -> Delivery {
        Delivery::Inline
    }

    fn command_started(&self, event: &CommandStartedEvent) {
        let sent = Sent {
            name: event.command_name.to_string(),
            command: document(&event.command),
            server: event.connection.address.to_string(),
        };
        self.started.lock().unwrap().push(sent);
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        let reply = Document::try_from(event.reply.as_document()).unwrap();
        self.replies.lock().unwrap().push((event.command_name.to_string(), reply));
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        if let mongo_actors::event::CommandFailure::Server(error) = &event.failure {
            let reply = Document::try_from(&*error.response).unwrap();
            self.replies.lock().unwrap().push((event.command_name.to_string(), reply));
        }
    }
}
