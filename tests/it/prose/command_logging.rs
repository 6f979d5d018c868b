//! Prose tests of the command logging and monitoring specification. The bound of a log message counts bytes; where it falls
//! within a character is tested for every place in `protocol/src/event/extended_json.rs`
//! (`every_cut_is_a_prefix_on_a_character_boundary`), and once more here.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use mongo_actors::{
    Client, ClientBuilder,
    bson::{Document, doc},
};
use mongo_actors_testkit::Standalone;
use tracing::{Event, Subscriber, field::Field};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

const ELLIPSIS: usize = "...".len();

/// A message on a command, and the document in it.
#[derive(Clone, Debug, Default)]
struct Message {
    text: String,
    command: String,
    document: String,
}

impl tracing::field::Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let place = match field.name() {
            "message" => &mut self.text,
            "commandName" => &mut self.command,
            "command" | "reply" | "failure" => &mut self.document,
            _ => return,
        };
        *place = format!("{value:?}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Message>>>);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "mongo_actors::command" {
            let mut message = Message::default();
            event.record(&mut message);
            self.0.lock().unwrap().push(message);
        }
    }
}

impl Log {
    fn client(&self, builder: ClientBuilder) -> Client {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(self.clone()), || {
            builder.build().unwrap()
        })
    }

    /// The document of the newest message of this kind on commands of this name.
    async fn document(&self, client: &Client, text: &str, command: &str) -> String {
        client.flush_events().await;
        let messages = self.0.lock().unwrap();
        let mut newest_first = messages.iter().rev();
        let found = newest_first.find(|message| message.text == text && message.command == command);
        found.unwrap_or_else(|| panic!("no {text} of {command}: {messages:?}")).document.clone()
    }
}

#[tokio::test]
async fn command_logging_1_documents_end_after_a_thousand_bytes_by_default() {
    let server = Standalone::start().await.unwrap();
    let log = Log::default();
    let client = log.client(Client::builder().uri(server.uri()));
    let things = client.database("db").collection::<Document>("things");
    things.insert_many((0..100).map(|_| doc! { "x": "y" })).await.unwrap();
    assert_eq!(log.document(&client, "Command started", "insert").await.len(), 1000 + ELLIPSIS);
    assert!(log.document(&client, "Command succeeded", "insert").await.len() <= 1000 + ELLIPSIS);
    things.find(doc! {}).await.unwrap().to_vec().await.unwrap();
    assert_eq!(log.document(&client, "Command succeeded", "find").await.len(), 1000 + ELLIPSIS);
    client.close().await;
}

#[tokio::test]
async fn command_logging_2_documents_end_where_they_are_told_to() {
    let server = Standalone::start().await.unwrap();
    let log = Log::default();
    let client = log.client(Client::builder().uri(server.uri()).max_log_document_len(5));
    let database = client.database("admin");
    database.run_command(doc! { "hello": true }).await.unwrap();
    for text in ["Command started", "Command succeeded"] {
        assert_eq!(log.document(&client, text, "hello").await.len(), 5 + ELLIPSIS);
    }
    database.run_command(doc! { "notARealCommand": true }).await.unwrap_err();
    assert_eq!(log.document(&client, "Command failed", "notARealCommand").await.len(), 5 + ELLIPSIS);
    client.close().await;
}

#[tokio::test]
async fn command_logging_3_no_character_is_cut_in_half() {
    let server = Standalone::start().await.unwrap();
    for bound in 0..40 {
        let log = Log::default();
        let client = log.client(Client::builder().uri(server.uri()).max_log_document_len(bound));
        let command = doc! { "ping": 1, "comment": "\u{1f980}\u{e4}\u{20ac}x\u{1f980}" };
        client.database("admin").run_command(command).await.unwrap();
        let shown = log.document(&client, "Command started", "ping").await;
        assert!(shown.len() <= bound + ELLIPSIS && !shown.contains('\u{fffd}'), "{bound}: {shown}");
        client.close().await;
    }
}
