//! The reader's end of a change stream.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use mongo_actors_protocol::{
    change_stream::{Arrival, Delivery, DeliveryError, ResumeToken},
    command::InvalidReply,
    error::Labels,
    retry::{Budget, Outcome, Stage},
};
use tokio::{sync::oneshot, time::Sleep};

use super::{
    actor::ChangeStreamActor,
    messages::{EndStream, Fetch, Fetched},
    plan::{ChangeStreamPlan, GivenUp},
};
use crate::{
    engine::{BACKSTOP, Engine},
    failure::{Cause, Failure},
    runtime::{Address, Inbox},
    shared::Token,
    supervisor::StartChangeStream,
    ticket::SharedSession,
};

/// The reader's end of a change stream: the events that have arrived, and the place behind the last one handed out.
///
/// It tells the actor with each request where it stands. So the actor may be lost at any moment: the one that is
/// restarted, or started in its place, goes on from there.
pub struct ChangeStreamHandle {
    engine: Engine,
    plan: Arc<ChangeStreamPlan>,
    actor: Option<Address<ChangeStreamActor>>,
    delivery: Delivery,
    fetching: Option<Fetching>,
}

/// A request to the actor.
struct Fetching {
    answer: oneshot::Receiver<Fetched>,
    budget: Budget,
    /// Only with a deadline: the engine keeps it by itself, this is for when its thread is blocked.
    backstop: Option<Pin<Box<Sleep>>>,
    /// Whether an actor was started for this request.
    started: bool,
}

/// Which batch was fetched. Either may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchedBatch {
    /// The first of a new cursor, for which a server does not wait.
    First,
    /// A later one.
    Next,
}

/// Why no events came.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// A command failed.
    GivenUp(Box<GivenUp>),
    /// The deadline has passed, and not even the engine answered.
    Unanswered,
    /// A reply without a batch.
    InvalidReply(InvalidReply),
}

impl ChangeStreamHandle {
    pub(crate) fn new(engine: Engine, plan: ChangeStreamPlan) -> Self {
        let delivery = Delivery::new(&plan.options);
        Self { engine, plan: Arc::new(plan), actor: None, delivery, fetching: None }
    }

    /// The events that have arrived.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The application's session that it runs in.
    pub fn session(&self) -> Option<&SharedSession> {
        self.plan.session.as_ref()
    }

    #[cfg(test)]
    pub(super) fn actor(&self) -> Option<&Address<ChangeStreamActor>> {
        self.actor.as_ref()
    }

    /// Hands out the next event that has arrived. The resume token advances with it.
    pub fn next_event(&mut self) -> Option<Result<Bytes, DeliveryError>> {
        let event = self.delivery.hand_out();
        if !self.delivery.is_alive() {
            self.end();
        }
        event
    }

    /// The token to resume with behind the last event handed out.
    pub fn resume_token(&self) -> Option<&ResumeToken> {
        self.delivery.resume_token()
    }

    /// Fetches a batch. Opens the cursor if there is none. The budget counts for a request that
    /// begins now.
    ///
    /// # Errors
    /// [`FetchError`]; [`GivenUp::ends`] tells whether the stream has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is not polled again: the next call waits for the same batch.
    pub fn poll_fetch(&mut self, budget: Budget, cx: &mut Context<'_>) -> Poll<Result<FetchedBatch, FetchError>> {
        loop {
            let Some(fetching) = &mut self.fetching else {
                self.ask(budget);
                continue;
            };
            match Pin::new(&mut fetching.answer).poll(cx) {
                Poll::Ready(Ok(fetched)) => {
                    self.fetching = None;
                    return Poll::Ready(self.take(fetched));
                }
                Poll::Ready(Err(_)) => self.ask_again()?,
                Poll::Pending => {
                    let Some(backstop) = &mut fetching.backstop else { return Poll::Pending };
                    ready!(backstop.as_mut().poll(cx));
                    self.fetching = None;
                    return Poll::Ready(Err(FetchError::Unanswered));
                }
            }
        }
    }

    fn ask(&mut self, budget: Budget) {
        let (reply, answer) = oneshot::channel();
        let backstop =
            budget.deadline().map(|deadline| Box::pin(tokio::time::sleep_until((deadline + BACKSTOP).into())));
        let started = self.actor.is_none();
        let (engine, plan) = (&self.engine, &self.plan);
        let actor = self.actor.get_or_insert_with(|| {
            let inbox = Inbox::default();
            let actor = inbox.address();
            engine.supervisor().do_send(StartChangeStream { plan: plan.clone(), inbox });
            actor
        });
        actor.do_send(Fetch { start: self.delivery.start(), budget, reply });
        self.fetching = Some(Fetching { answer, budget, backstop, started });
    }

    /// The request was lost with an actor's life. Its next life is asked, or a new actor; unless that was new already.
    fn ask_again(&mut self) -> Result<(), FetchError> {
        let Some(Fetching { budget, started, .. }) = self.fetching.take() else { return Ok(()) };
        if self.actor.as_ref().is_some_and(Address::connected) {
            self.ask(budget);
            if let Some(fetching) = &mut self.fetching {
                fetching.started = started;
            }
            return Ok(());
        }
        self.actor = None;
        let refusal = self.engine.shared().status.load().refusal();
        match refusal {
            None if !started => {
                self.ask(budget);
                Ok(())
            }
            refusal => Err(self.lost(refusal)),
        }
    }

    /// There is no actor, and there will be none for this request.
    fn lost(&mut self, refusal: Option<Cause>) -> FetchError {
        let ends = matches!(refusal, Some(Cause::ClientClosed));
        let cause = refusal
            .unwrap_or_else(|| Cause::EngineDown("the actor of the change stream could not be kept alive".into()));
        if ends {
            self.delivery.end();
        }
        FetchError::GivenUp(Box::new(GivenUp {
            command: None,
            failure: Failure { cause, server: None, connection: None, stage: Stage::Queued },
            labels: Labels::new(),
            outcome: Outcome::NotSent,
            attempts: Vec::new(),
            late: false,
            ends,
        }))
    }

    fn take(&mut self, fetched: Fetched) -> Result<FetchedBatch, FetchError> {
        match fetched {
            Ok(body) => match Arrival::read(&body) {
                Ok(arrival) => {
                    let batch = if arrival.opened { FetchedBatch::First } else { FetchedBatch::Next };
                    self.delivery.arrived(arrival);
                    Ok(batch)
                }
                Err(error) => {
                    self.end();
                    Err(FetchError::InvalidReply(error))
                }
            },
            Err(given_up) => {
                if given_up.ends {
                    self.end();
                }
                Err(FetchError::GivenUp(given_up))
            }
        }
    }

    /// Nothing more is handed out, and the actor is no longer needed.
    fn end(&mut self) {
        self.delivery.end();
        self.dismiss(None, None);
    }

    fn dismiss(&mut self, within: Option<Duration>, done: Option<Token>) {
        self.fetching = None;
        if let Some(actor) = self.actor.take() {
            actor.do_send(EndStream { within, done });
        }
    }

    /// Closes the stream's cursor on its server and waits for that: as long as is said, else as long as the stream's
    /// timeout says, else as long as the engine finds right.
    ///
    /// # Cancel safety
    /// It is closed when the future is dropped.
    pub async fn close(mut self, within: Option<Duration>) {
        let (done, closed) = Token::new();
        self.dismiss(within, Some(done));
        closed.await;
    }
}

impl Drop for ChangeStreamHandle {
    fn drop(&mut self) {
        self.dismiss(None, None);
    }
}

impl fmt::Debug for ChangeStreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeStream")
            .field("watched", &self.plan.watched)
            .field("resume_token", &self.delivery.resume_token())
            .field("alive", &self.delivery.is_alive())
            .finish_non_exhaustive()
    }
}
