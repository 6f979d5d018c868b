//! One command and its reply on a connection.

use std::{
    io,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use mongo_actors_protocol::{
    retry::Stage,
    wire::{MessageFlags, MessageParts, ReplyMessage},
};

use super::link::{Link, LinkFault};
use crate::ticket::Ticket;

/// The only command of operations whose replies may come as a stream.
const GET_MORE: &str = "getMore";

/// A command on its way.
pub(super) struct Exchange {
    pub(super) ticket: Ticket,
    pub(super) request_id: i32,
    pub(super) started: Option<Instant>,
    /// When the server has been silent, or the caller patient, for long enough.
    pub(super) deadline: Option<ExchangeDeadline>,
    tail: Vec<u8>,
    written: usize,
    /// The caller is gone; the reply is read for the sake of the connection.
    pub(super) draining: bool,
}

/// When an exchange is given up, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExchangeDeadline {
    pub(super) at: Instant,
    pub(super) limit: DeadlineKind,
}

/// Whose patience it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeadlineKind {
    /// The operation's own deadline.
    Operation,
    /// `socketTimeoutMS`.
    Socket(Duration),
    /// The caller is gone, and the reply does not come.
    Drain,
}

/// How an exchange got on.
pub(super) enum Progress {
    /// The command is with the kernel, and no reply is to come.
    Sent,
    /// The reply is there.
    Replied(ReplyMessage),
}

impl Exchange {
    pub(super) fn new(ticket: Ticket, request_id: i32, tail: Vec<u8>) -> Self {
        Self { ticket, request_id, started: None, deadline: None, tail, written: 0, draining: false }
    }

    /// The next reply of a stream: the one that answers the reply `last`. There is nothing to be sent for it.
    pub(super) fn of_stream(mut ticket: Ticket, last: i32, tail: Vec<u8>) -> Self {
        ticket.stage = Stage::Written;
        Self::new(ticket, last, tail)
    }

    /// Whether the server may answer with more than one reply.
    pub(super) fn may_be_streamed(&self) -> bool {
        let operation = &self.ticket.operation;
        operation.exhaust && operation.request.name == GET_MORE
    }

    /// The message, whose head the link has encoded.
    pub(super) fn message(&self) -> MessageParts<'_> {
        let operation = &self.ticket.operation;
        MessageParts {
            body: &operation.request.body,
            tail: &self.tail,
            sequences: &operation.request.sequences,
            flags: match operation.is_acknowledged() {
                true if self.may_be_streamed() => MessageFlags::EXHAUST_ALLOWED,
                true => MessageFlags::NONE,
                false => MessageFlags::MORE_TO_COME,
            },
            request_id: self.request_id,
        }
    }

    /// Whether nothing has left this process yet.
    pub(super) fn is_unsent(&self) -> bool {
        self.ticket.stage < Stage::Writing
    }

    /// Writes what is unwritten, then reads the reply if there is to be one.
    pub(super) fn poll(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<Result<Progress, LinkFault>> {
        if self.ticket.stage < Stage::Written {
            ready!(self.poll_write(link, cx)).map_err(LinkFault::Network)?;
            self.ticket.stage = Stage::Written;
            if !self.ticket.operation.is_acknowledged() {
                return Poll::Ready(Ok(Progress::Sent));
            }
        }
        let reply = ready!(link.poll_message(cx))?;
        reply.check_response_to(self.request_id).map_err(LinkFault::Wire)?;
        if !self.may_be_streamed() {
            reply.check_is_last().map_err(LinkFault::Wire)?;
        }
        Poll::Ready(Ok(Progress::Replied(reply)))
    }

    fn poll_write(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = self.written;
        let done = link.poll_write(&self.message(), &mut written, cx);
        if written > 0 {
            self.ticket.stage = Stage::Writing;
        }
        self.written = written;
        done
    }

    /// Takes the exchange apart: the ticket, and the buffer to use again.
    pub(super) fn into_parts(self) -> (Ticket, Vec<u8>) {
        (self.ticket, self.tail)
    }
}
