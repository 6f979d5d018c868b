//! Remembers the commands of a client.

use std::sync::{Arc, Mutex};

use mongo_actors::{
    Client,
    bson::{Document, RawDocument},
    event::{CommandListener, CommandStartedEvent, CommandSucceededEvent},
};

/// Listens to a client's commands and remembers them.
#[derive(Default)]
pub(crate) struct Recorder {
    commands: Mutex<Vec<Started>>,
    replies: Mutex<Vec<(String, Document)>>,
}

/// A command that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) name: String,
    pub(crate) body: Document,
    pub(crate) server: String,
}

impl Recorder {
    /// A client whose commands are remembered.
    pub(crate) fn client(uri: &str) -> (Client, Arc<Self>) {
        let recorder = Arc::new(Self::default());
        let client = Client::builder().uri(uri).command_listener(recorder.clone()).build().unwrap();
        (client, recorder)
    }

    /// The commands of this name so far.
    pub(crate) async fn commands(&self, client: &Client, name: &str) -> Vec<Started> {
        client.flush_events().await;
        self.commands.lock().unwrap().iter().filter(|command| command.name == name).cloned().collect()
    }

    /// The replies to successful commands of this name so far.
    pub(crate) async fn replies(&self, client: &Client, name: &str) -> Vec<Document> {
        client.flush_events().await;
        let replies = self.replies.lock().unwrap();
        replies.iter().filter(|(command, _)| command == name).map(|(_, reply)| reply.clone()).collect()
    }
}

fn document(raw: &RawDocument) -> Document {
    Document::try_from(raw).unwrap()
}

impl CommandListener for Recorder {
    fn command_started(&self, event: &CommandStartedEvent) {
        let name = event.command_name.to_string();
        let started = Started { name, body: document(&event.command), server: event.connection.address.to_string() };
        self.commands.lock().unwrap().push(started);
    }

    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        let reply = document(event.reply.as_document());
        self.replies.lock().unwrap().push((event.command_name.to_string(), reply));
    }
}
