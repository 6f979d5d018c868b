//! A change stream that is followed through everything.

use std::time::Duration;

use mongo_actors::{
    Error,
    bson::Document,
    change_stream::event::{ChangeStreamEvent, ResumeToken},
};
use tokio::time::{sleep, timeout};

use super::{
    server::start_of_time,
    workload::{Application, ORDERS},
};

/// How long change streams may be behind at the end.
const CATCH_UP: Duration = Duration::from_secs(15);

impl Application {
    /// Follows the orders, from the first one on.
    pub(crate) async fn follow(&self) {
        let mut place: Option<ResumeToken> = None;
        loop {
            let opening = match place.clone() {
                Some(place) => self.orders().watch().resume_after(place).await,
                None => self.orders().watch().start_at_operation_time(start_of_time()).await,
            };
            let mut stream = match opening {
                Ok(stream) => stream,
                Err(error) => {
                    self.stream_failed(&error);
                    sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            while stream.is_alive() {
                match stream.next().await {
                    Some(Ok(event)) => self.delivered(&event),
                    Some(Err(error)) => {
                        self.stream_failed(&error);
                        sleep(Duration::from_millis(50)).await;
                    }
                    None => break,
                }
                place = stream.resume_token();
            }
        }
    }

    fn delivered(&self, event: &ChangeStreamEvent<Document>) {
        let id = event.document_key.as_ref().and_then(|key| key.get_i32("_id").ok());
        self.history.note("delivered", format!("{id:?}"));
        self.seen.borrow_mut().delivered.extend(id);
    }

    fn stream_failed(&self, error: &Error) {
        self.history.note("stream failed", error.to_string());
        self.seen.borrow_mut().stream_errors += 1;
    }

    /// Waits until the stream has delivered everything that the servers have, or until that takes too long.
    pub(crate) async fn catch_up(&self) {
        let caught_up = async {
            loop {
                let inserted = self.set.borrow().inserted_into(ORDERS);
                if inserted.is_some_and(|inserted| inserted <= self.seen.borrow().delivered.len()) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        if timeout(CATCH_UP, caught_up).await.is_err() {
            self.violation(format!("a change stream is behind {CATCH_UP:?} after everything had healed"));
        }
    }
}
