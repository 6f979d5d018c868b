//! The events that have arrived, and the place behind the one that was handed out last.

use bson::{RawDocument, Timestamp};
use bytes::Bytes;

use super::{ChangeStreamOptions, ResumeToken, Start};
use crate::{
    command::{Batch, CursorReply, Envelope, InvalidReply},
    wire::ReplyBody,
};

/// One batch of a change stream's cursor.
#[derive(Debug)]
pub struct Arrival {
    /// The events.
    pub batch: Batch,
    /// Where the server has looked up to, matching changes or not.
    pub post_batch_resume_token: Option<ResumeToken>,
    /// The time of the reply.
    pub operation_time: Option<Timestamp>,
    /// Whether the server has closed the cursor.
    pub exhausted: bool,
    /// Whether it is the first batch of a cursor, for which the server does not wait.
    pub opened: bool,
}

impl Arrival {
    /// Reads the reply of `aggregate` or `getMore`.
    ///
    /// # Errors
    /// [`InvalidReply`] when it has no cursor.
    pub fn read(body: &ReplyBody) -> Result<Self, InvalidReply> {
        let reply = body.as_document();
        let cursor = CursorReply::read(reply)?;
        Ok(Self {
            batch: cursor.documents(body)?,
            post_batch_resume_token: cursor.post_batch_resume_token.map(ResumeToken::from),
            operation_time: Envelope::read(reply).ok().and_then(|envelope| envelope.operation_time),
            exhausted: cursor.id == 0,
            opened: reply.get_document("cursor").is_ok_and(|cursor| matches!(cursor.get("firstBatch"), Ok(Some(_)))),
        })
    }
}

/// An event without `_id`: the stream could not be resumed behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot provide resume functionality when the resume token is missing: a stage of the pipeline has removed the \
     event's _id"
)]
pub struct MissingResumeToken;

/// What a change stream owes to its reader: events that have arrived and were not handed out, and the resume token,
/// which advances with each event that is.
///
/// Whoever fetches events is told by [`start`](Self::start) where to begin. So it does not matter when the fetcher is
/// lost: nothing is lost or repeated, because the place is kept where events are handed out.
#[derive(Debug)]
pub struct Delivery {
    started_with_start_after: bool,
    has_given_start: bool,
    operation_time: Option<Timestamp>,
    token: Option<ResumeToken>,
    opened: bool,
    returned_any: bool,
    batch: Batch,
    post_batch_resume_token: Option<ResumeToken>,
    ended: bool,
}

impl Delivery {
    /// A stream with these options, of which nothing has arrived.
    pub fn new(options: &ChangeStreamOptions) -> Self {
        Self {
            started_with_start_after: options.start_after.is_some(),
            has_given_start: options.has_start(),
            operation_time: options.start_at_operation_time,
            token: options.start_after.clone().or_else(|| options.resume_after.clone()),
            opened: false,
            returned_any: false,
            batch: Batch::empty(),
            post_batch_resume_token: None,
            ended: false,
        }
    }

    /// A batch has arrived, after the last one was handed out. A stream that has ended takes none.
    pub fn arrived(&mut self, arrival: Arrival) {
        if self.ended {
            return;
        }
        let first = !std::mem::replace(&mut self.opened, true);
        let empty = arrival.batch.is_empty();
        if first && empty && arrival.post_batch_resume_token.is_none() && !self.has_given_start {
            self.operation_time = arrival.operation_time;
        }
        self.batch = arrival.batch;
        self.post_batch_resume_token = arrival.post_batch_resume_token;
        self.ended = arrival.exhausted;
        if empty {
            self.take_post_batch_token();
        }
    }

    /// Hands out the next event; none when no more have arrived.
    ///
    /// # Errors
    /// [`MissingResumeToken`], after which the stream has ended. [`InvalidReply`] for an element that is not a
    /// document; those behind it are lost.
    pub fn hand_out(&mut self) -> Option<Result<Bytes, DeliveryError>> {
        let event = match self.batch.next_bytes()? {
            Ok(event) => event,
            Err(error) => return Some(Err(error.into())),
        };
        let token = RawDocument::from_bytes(&event).ok().and_then(ResumeToken::of_event);
        let Some(token) = token else {
            self.end();
            return Some(Err(MissingResumeToken.into()));
        };
        self.returned_any = true;
        self.token = Some(token);
        if self.batch.is_empty() {
            self.take_post_batch_token();
        }
        Some(Ok(event))
    }

    fn take_post_batch_token(&mut self) {
        if let Some(token) = self.post_batch_resume_token.take() {
            self.token = Some(token);
        }
    }

    /// The token to resume with behind the last event handed out, or behind what the server has looked at since.
    pub fn resume_token(&self) -> Option<&ResumeToken> {
        self.token.as_ref()
    }

    /// Where a cursor is to be opened now so that its first event is the next one.
    pub fn start(&self) -> Start {
        match (&self.token, self.operation_time) {
            _ if !self.opened => Start::AsGiven,
            (Some(token), _) if self.started_with_start_after && !self.returned_any => Start::StartAfter(token.clone()),
            (Some(token), _) => Start::ResumeAfter(token.clone()),
            (None, Some(time)) => Start::AtOperationTime(time),
            (None, None) => Start::AsGiven,
        }
    }

    /// Nothing more is handed out.
    pub fn end(&mut self) {
        self.batch = Batch::empty();
        self.ended = true;
    }

    /// Whether an event has arrived that was not handed out.
    pub fn has_next(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Whether there may be more events.
    pub fn is_alive(&self) -> bool {
        !self.ended || self.has_next()
    }
}

/// Why an event cannot be handed out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It has no `_id`.
    #[error(transparent)]
    MissingResumeToken(#[from] MissingResumeToken),
    /// It is not a document.
    #[error(transparent)]
    InvalidReply(#[from] InvalidReply),
}
