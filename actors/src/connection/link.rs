//! The socket of a connection, and the messages that pass it.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use mongo_actors_protocol::wire::{MessageParts, MessageReader, ReplyMessage, WireError};
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::net::BoxedTransport;

/// Slices written at a time; a message rarely has more parts.
const SLICES: usize = 8;

/// An open socket with the buffers that belong to it, which are used again for every message.
pub(crate) struct Link {
    transport: BoxedTransport,
    reader: MessageReader,
    head: Vec<u8>,
    next_request_id: i32,
}

/// Why no more messages come.
#[derive(Debug)]
pub(crate) enum LinkFault {
    /// The socket failed or was closed.
    Network(io::Error),
    /// What came is not a message.
    Wire(WireError),
}

impl From<LinkFault> for io::Error {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Network(error) => error,
            LinkFault::Wire(error) => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl Link {
    pub(crate) fn new(transport: BoxedTransport, max_message_size: usize) -> Self {
        Self { transport, reader: MessageReader::new(max_message_size), head: Vec::new(), next_request_id: 0 }
    }

    pub(crate) fn set_max_message_size(&mut self, max_message_size: usize) {
        self.reader.set_max_message_size(max_message_size);
    }

    /// The number of the next request, which its reply repeats.
    pub(crate) fn next_request_id(&mut self) -> i32 {
        self.next_request_id = self.next_request_id.wrapping_add(1);
        self.next_request_id
    }

    /// Encodes the head of a message, which [`poll_write`](Self::poll_write) then sends with its sequences.
    pub(crate) fn encode(&mut self, message: &MessageParts<'_>, max_message_size: usize) -> Result<(), WireError> {
        message.write_head(&mut self.head, max_message_size)
    }

    /// Sends what is left of the encoded message; `written` counts the bytes that the socket has taken.
    pub(crate) fn poll_write(
        &mut self,
        message: &MessageParts<'_>,
        written: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = message.unwritten(&self.head, *written, &mut slices);
            if used == 0 {
                return Pin::new(&mut self.transport).poll_flush(cx);
            }
            let taken = ready!(Pin::new(&mut self.transport).poll_write_vectored(cx, &slices[..used]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += taken;
        }
    }

    /// The next message from the server.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<ReplyMessage, LinkFault>> {
        loop {
            if let Some(message) = self.reader.next().map_err(LinkFault::Wire)? {
                return Poll::Ready(Ok(message));
            }
            let read = pin!(self.transport.read_buf(self.reader.unfilled())).poll(cx);
            if ready!(read).map_err(LinkFault::Network)? == 0 {
                let middle = if self.reader.is_mid_message() { " in the middle of a reply" } else { "" };
                let message = format!("the server closed the connection{middle}");
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, message);
                return Poll::Ready(Err(LinkFault::Network(error)));
            }
        }
    }

    /// Sends a command and waits for its reply. For handshakes and monitors, which have nothing else to do meanwhile.
    pub(crate) async fn exchange(&mut self, message: MessageParts<'_>) -> Result<ReplyMessage, LinkFault> {
        self.encode(&message, usize::MAX).map_err(LinkFault::Wire)?;
        let mut written = 0;
        std::future::poll_fn(|cx| self.poll_write(&message, &mut written, cx)).await.map_err(LinkFault::Network)?;
        let reply = self.next_message().await?;
        reply.check_response_to(message.request_id).map_err(LinkFault::Wire)?;
        Ok(reply)
    }

    /// The next message from the server.
    pub(crate) async fn next_message(&mut self) -> Result<ReplyMessage, LinkFault> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }
}
