//! The socket of a connection, and the messages that pass it.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use mongo_actors_protocol::{
    options::Compressor,
    wire::{Frame, MessageParts, MessageReader, OpCode, ReplyMessage, WireError, may_compress},
};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::compression::{Packer, Unpacker};
use crate::net::BoxedTransport;

/// Slices written at a time; a message rarely has more parts.
const SLICES: usize = 8;

/// An open socket with the buffers that belong to it, which are used again for every message.
pub(crate) struct Link {
    transport: BoxedTransport,
    reader: MessageReader,
    head: Vec<u8>,
    next_request_id: i32,
    max_message_size: usize,
    packer: Option<Packer>,
    /// Whether the message to send is with the packer.
    is_packed: bool,
    unpacker: Unpacker,
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
        Self {
            transport,
            reader: MessageReader::new(max_message_size),
            head: Vec::new(),
            next_request_id: 0,
            max_message_size,
            packer: None,
            is_packed: false,
            unpacker: Unpacker::default(),
        }
    }

    pub(crate) fn set_max_message_size(&mut self, max_message_size: usize) {
        self.max_message_size = max_message_size;
        self.reader.set_max_message_size(max_message_size);
    }

    /// Compresses the commands that [`encode`](Self::encode) gets from now on, if this build can.
    pub(crate) fn set_compressor(&mut self, compressor: Option<Compressor>) {
        self.packer = compressor.and_then(Packer::new);
    }

    /// The number of the next request, which its reply repeats.
    pub(crate) fn next_request_id(&mut self) -> i32 {
        self.next_request_id = self.next_request_id.wrapping_add(1);
        self.next_request_id
    }

    /// Encodes the message of the command `name`, which [`poll_write`](Self::poll_write) then sends.
    ///
    /// Without compression only its head is encoded; the sequences are sent from where they are.
    pub(crate) fn encode(
        &mut self,
        name: &str,
        message: &MessageParts<'_>,
        max_message_size: usize,
    ) -> Result<(), WireError> {
        match self.packer.as_mut().filter(|_| may_compress(name)) {
            Some(packer) => {
                self.is_packed = true;
                packer.pack(message, max_message_size)
            }
            None => {
                self.is_packed = false;
                message.write_head(&mut self.head, max_message_size)
            }
        }
    }

    /// Sends what is left of the encoded message; `written` counts the bytes that the socket has taken.
    pub(crate) fn poll_write(
        &mut self,
        message: &MessageParts<'_>,
        written: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(packer) = self.packer.as_mut().filter(|_| self.is_packed) {
            let packed = ready!(packer.poll_packed(cx))?;
            while let Some(rest) = packed.get(*written..).filter(|rest| !rest.is_empty()) {
                let taken = ready!(Pin::new(&mut self.transport).poll_write(cx, rest))?;
                *written += at_least_one(taken)?;
            }
            packer.sent();
            return Pin::new(&mut self.transport).poll_flush(cx);
        }
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = message.unwritten(&self.head, *written, &mut slices);
            let transport = Pin::new(&mut self.transport);
            let taken = match &slices[..used] {
                [] => return transport.poll_flush(cx),
                // The kernel's shorter way, for most commands.
                [rest] => transport.poll_write(cx, rest),
                slices => transport.poll_write_vectored(cx, slices),
            };
            *written += at_least_one(ready!(taken)?)?;
        }
    }

    /// The next message from the server.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<ReplyMessage, LinkFault>> {
        loop {
            if let Some(frame) = ready!(self.poll_frame(cx))? {
                return Poll::Ready(ReplyMessage::try_from(frame).map_err(LinkFault::Wire));
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

    /// The next message of those that were read already, decompressed; none when more must be read.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, LinkFault>> {
        if let Some(frame) = ready!(self.unpacker.poll_unpacked(cx))? {
            return Poll::Ready(Ok(Some(frame)));
        }
        match self.reader.next_frame().map_err(LinkFault::Wire)? {
            Some(frame) if frame.header.op_code == OpCode::Compressed => {
                match self.unpacker.unpack(frame, self.max_message_size).map_err(LinkFault::Wire)? {
                    Some(frame) => Poll::Ready(Ok(Some(frame))),
                    None => self.unpacker.poll_unpacked(cx),
                }
            }
            frame => Poll::Ready(Ok(frame)),
        }
    }

    /// Sends a command and waits for its reply. For handshakes and monitors, which have nothing else to do meanwhile;
    /// never compressed.
    pub(crate) async fn exchange(&mut self, message: MessageParts<'_>) -> Result<ReplyMessage, LinkFault> {
        self.is_packed = false;
        message.write_head(&mut self.head, usize::MAX).map_err(LinkFault::Wire)?;
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

fn at_least_one(taken: usize) -> io::Result<usize> {
    if taken == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(taken) }
}
