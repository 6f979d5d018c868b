//! Change streams for actors.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use actix::{Message, Recipient};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinHandle};

use super::{ChangeStream, ResumeToken};
use crate::error::Error;

/// What an actor gets of a change stream; see [`ChangeStream::deliver_to`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Change<T> {
    /// Something has changed.
    Event {
        /// The change.
        event: T,
        /// The place behind it: what to store in order to go on from here.
        resume_token: Option<ResumeToken>,
    },
    /// An error that the stream could not deal with. If it is not the last message, the stream goes on.
    Failed(Error),
    /// There is nothing more to come.
    Ended,
}

impl<T: 'static> Message for Change<T> {
    type Result = ();
}

impl<T: DeserializeOwned + Send + 'static> ChangeStream<T> {
    /// Delivers the events to an actor, each as a [`Change`].
    ///
    /// The next event is delivered when the actor has handled the one before, a future that its handler returned
    /// included: a slow actor finds one event in its mailbox, not all of them, and the server keeps the others. The last
    /// message is [`Change::Ended`]. When the actor is gone, the stream is closed; what it had handled until then is
    /// known by [`ChangeDelivery::resume_token`].
    ///
    /// Must be called inside a tokio runtime or on an arbiter, where the delivery then runs.
    ///
    /// ```no_run
    /// use actix::{Actor, Context, Handler};
    /// use mongo_actors::{
    ///     Collection,
    ///     bson::Document,
    ///     change_stream::{Change, event::ChangeStreamEvent},
    /// };
    ///
    /// struct Warehouse;
    ///
    /// impl Actor for Warehouse {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Change<ChangeStreamEvent<Document>>> for Warehouse {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, change: Change<ChangeStreamEvent<Document>>, _: &mut Self::Context) {
    ///         match change {
    ///             Change::Event { event, .. } => println!("{:?}", event.full_document),
    ///             Change::Failed(error) => eprintln!("{error}"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    ///
    /// # async fn example(orders: Collection) -> mongo_actors::error::Result<()> {
    /// let warehouse = Warehouse.start();
    /// let delivery = orders.watch().await?.deliver_to(warehouse.recipient());
    /// // It goes on until the stream has ended, the actor is gone, or this is dropped.
    /// delivery.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn deliver_to(self, recipient: Recipient<Change<T>>) -> ChangeDelivery {
        let handled = Arc::new(Mutex::new(self.resume_token()));
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(deliver(self, recipient, stopped, handled.clone()));
        ChangeDelivery { stop: Some(stop), task, handled }
    }
}

/// A change stream that is being delivered to an actor. Made by [`ChangeStream::deliver_to`]. Dropping it ends the
/// delivery and closes the stream, in the background.
#[must_use = "dropping it ends the delivery"]
pub struct ChangeDelivery {
    /// Dropped to stop.
    stop: Option<watch::Sender<()>>,
    task: JoinHandle<()>,
    handled: Arc<Mutex<Option<ResumeToken>>>,
}

impl ChangeDelivery {
    /// The place behind the last event that the actor has handled. None while there is none.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing is delivered any more: the stream has ended, or the actor is gone.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until nothing is delivered any more.
    ///
    /// # Cancel safety
    /// The delivery goes on when the future is dropped.
    pub async fn over(&mut self) {
        if !self.is_over() {
            // A task that was cancelled with its runtime is over as well.
            drop((&mut self.task).await);
        }
    }

    /// Ends the delivery and closes the stream, and waits for that, though not for the actor: an event that it is handling
    /// does not count as handled.
    ///
    /// # Cancel safety
    /// The delivery ends when the future is dropped.
    pub async fn stop(mut self) {
        self.stop = None;
        self.over().await;
    }
}

impl fmt::Debug for ChangeDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeDelivery").field("over", &self.is_over()).finish_non_exhaustive()
    }
}

/// What comes of `work`; none when the delivery is stopped before.
async fn unless<W: Future>(stopped: &mut watch::Receiver<()>, work: W) -> Option<W::Output> {
    let (mut stopped, mut work) = (pin!(stopped.changed()), pin!(work));
    poll_fn(|cx| match stopped.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

async fn deliver<T: DeserializeOwned + Send + 'static>(
    mut stream: ChangeStream<T>,
    recipient: Recipient<Change<T>>,
    mut stopped: watch::Receiver<()>,
    handled: Arc<Mutex<Option<ResumeToken>>>,
) {
    loop {
        let Some(next) = unless(&mut stopped, stream.next()).await else { break };
        let ended = next.is_none();
        let resume_token = stream.resume_token();
        let change = match next {
            Some(Ok(event)) => Change::Event { event, resume_token: resume_token.clone() },
            Some(Err(error)) => Change::Failed(error),
            None => Change::Ended,
        };
        let is_event = matches!(change, Change::Event { .. });
        let handled_it = unless(&mut stopped, recipient.send(change)).await;
        if !matches!(handled_it, Some(Ok(()))) || ended {
            break;
        }
        if is_event {
            *handled.lock().unwrap_or_else(PoisonError::into_inner) = resume_token;
        }
    }
    stream.close().await;
}
