//! A transport that fails when it is due.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use mongo_actors_protocol::chaos::{SocketFault, SocketStep};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::state::Chaos;
use crate::net::BoxedTransport;

/// The bytes before a message's body: its header, its flags, and the kind of its first section.
const BEFORE_BODY: usize = 21;
/// Where in a header its operation code is.
const OP_CODE: usize = 12;

/// Passes bytes on, and looks at each message that is written for its command.
pub(crate) struct FaultyTransport {
    inner: BoxedTransport,
    chaos: Chaos,
    server: String,
    reader: Arc<AtomicWaker>,
    /// How much of the message that is being written is still to come.
    unwritten: usize,
    /// How much of it passes before the connection is closed.
    cut_after: Option<usize>,
    command: Option<String>,
    /// A message was written, and nothing of its reply was read.
    awaits_reply: bool,
    stall: Option<Pin<Box<Sleep>>>,
    corrupt: bool,
    broken: Option<io::ErrorKind>,
}

impl FaultyTransport {
    pub(crate) fn new(inner: BoxedTransport, chaos: Chaos, server: String) -> Self {
        let reader = chaos.open();
        Self {
            inner,
            chaos,
            server,
            reader,
            unwritten: 0,
            cut_after: None,
            command: None,
            awaits_reply: false,
            stall: None,
            corrupt: false,
            broken: None,
        }
    }

    fn check(&mut self) -> io::Result<()> {
        if self.chaos.is_partitioned(&self.server) {
            self.broken = Some(io::ErrorKind::HostUnreachable);
        }
        match self.broken {
            Some(kind) => Err(io::Error::new(kind, "a fault that was ordered")),
            None => Ok(()),
        }
    }

    fn break_with(&mut self, kind: io::ErrorKind) -> io::Result<()> {
        self.broken = Some(kind);
        self.check()
    }

    /// A message begins, of which these are the first bytes.
    fn begin(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.first_chunk().map(|length| i32::from_le_bytes(*length));
        self.unwritten = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(bytes.len()).max(bytes.len());
        if !self.chaos.is_active() {
            self.command = None;
            return Ok(());
        }
        self.command = command_of(bytes).map(str::to_owned);
        match self.chaos.at_socket(&self.server, self.command.as_deref(), SocketStep::Write) {
            Some(SocketFault::CloseBeforeWrite) => self.break_with(io::ErrorKind::BrokenPipe),
            Some(SocketFault::Reset) => self.break_with(io::ErrorKind::ConnectionReset),
            Some(SocketFault::CloseInWrite) => {
                self.cut_after = Some(self.unwritten / 2);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// So many bytes of the message were written.
    fn wrote(&mut self, taken: usize) {
        if let Some(rest) = &mut self.cut_after {
            *rest -= taken;
        }
        self.unwritten = self.unwritten.saturating_sub(taken);
        self.awaits_reply = self.unwritten == 0;
    }

    /// A reply is about to be read.
    fn begin_reply(&mut self) -> io::Result<()> {
        self.awaits_reply = false;
        match self.chaos.at_socket(&self.server, self.command.as_deref(), SocketStep::Read) {
            Some(SocketFault::CloseBeforeReply) => self.break_with(io::ErrorKind::ConnectionReset),
            Some(SocketFault::Stall(pause)) => {
                self.stall = Some(Box::pin(tokio::time::sleep(pause)));
                Ok(())
            }
            Some(SocketFault::Corrupt) => {
                self.corrupt = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The name of the command that a message carries: the first name in its body.
fn command_of(message: &[u8]) -> Option<&str> {
    // The length of the document, and the type of its first element.
    let name = message.get(BEFORE_BODY + 5..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&name[..end]).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

impl AsyncRead for FaultyTransport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.reader.register(cx.waker());
        this.check()?;
        if this.awaits_reply {
            this.begin_reply()?;
        }
        if let Some(stall) = &mut this.stall {
            ready!(stall.as_mut().poll(cx));
            this.stall = None;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        if let Some(byte) = buf.filled_mut().get_mut(before + OP_CODE).filter(|_| this.corrupt) {
            *byte ^= 0x55;
            this.corrupt = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FaultyTransport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        if this.unwritten == 0 {
            this.begin(buf)?;
        }
        let allowed = this.cut_after.unwrap_or(usize::MAX).min(buf.len());
        if allowed == 0 {
            this.break_with(io::ErrorKind::BrokenPipe)?;
        }
        let taken = ready!(Pin::new(&mut this.inner).poll_write(cx, &buf[..allowed]))?;
        this.wrote(taken);
        Poll::Ready(Ok(taken))
    }

    /// In one go while nothing is to fail; else slice by slice, as a fault may be due within one.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        if self.chaos.is_active() || self.cut_after.is_some() {
            return self.poll_write(cx, first);
        }
        let this = &mut *self;
        this.check()?;
        if this.unwritten == 0 {
            this.begin(first)?;
        }
        let taken = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, slices))?;
        this.wrote(taken);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
