//! A change stream that is followed through all faults.

use std::{sync::Arc, time::Duration};

use mongo_actors::{
    Collection,
    bson::{Document, Timestamp},
    change_stream::{ChangeStream, ResumeToken, event::ChangeStreamEvent},
    error::Result,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::log::Log;

/// How long the server waits for events.
const AWAIT: Duration = Duration::from_millis(300);
/// After an error.
const PAUSE: Duration = Duration::from_millis(50);

type Stream = ChangeStream<ChangeStreamEvent<Document>>;

/// What the stream has shown: the `_id` of each document that was inserted, and when.
pub(super) type Seen = Vec<(String, Option<Timestamp>)>;

/// Follows the inserts into a collection.
pub(super) struct Follower(JoinHandle<Seen>);

impl Follower {
    /// Opens the stream, and follows it until the document `last` was inserted.
    pub(super) async fn start(collection: Collection<Document>, last: &str, log: Arc<Log>) -> Result<Self> {
        let stream = collection.watch().max_await_time(AWAIT).await?;
        let last = last.to_owned();
        Ok(Self(tokio::spawn(async move { follow(collection, stream, &last, &log).await })))
    }

    /// What was seen up to the last document; an error if that does not come in time.
    pub(super) async fn end(mut self, limit: Duration) -> std::result::Result<Seen, String> {
        match timeout(limit, &mut self.0).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => Err(format!("the task that follows the change stream failed: {error}")),
            Err(_) => {
                self.0.abort();
                Err(format!("the change stream did not show the last insert within {limit:?}"))
            }
        }
    }
}

async fn follow(collection: Collection<Document>, mut stream: Stream, last: &str, log: &Log) -> Seen {
    let mut seen = Seen::new();
    loop {
        match stream.next_if_any().await {
            Ok(None) => {}
            Ok(Some(event)) => {
                let id = event.document_key.as_ref().and_then(|key| key.get_str("_id").ok());
                let Some(id) = id else {
                    log.violate(format!("an event of the change stream has no document: {event:?}"));
                    continue;
                };
                seen.push((id.to_owned(), event.cluster_time));
                if id == last {
                    return seen;
                }
            }
            Err(_) => {
                sleep(PAUSE).await;
                if !stream.is_alive() {
                    stream = reopen(&collection, stream.resume_token()).await;
                }
            }
        }
    }
}

/// An application goes on where it stands.
async fn reopen(collection: &Collection<Document>, token: Option<ResumeToken>) -> Stream {
    loop {
        let watch = collection.watch().max_await_time(AWAIT);
        let watch = match token.clone() {
            Some(token) => watch.start_after(token),
            None => watch,
        };
        match watch.await {
            Ok(stream) => return stream,
            Err(_) => sleep(PAUSE).await,
        }
    }
}
