//! A transport that fails when it is due.

use std::{
    future::Future,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use mongo_actors_protocol::chaos::{SocketFault, SocketStep};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{ORDERED, state::Chaos};
use crate::net::BoxedTransport;

/// The bytes before a message's body: its header, its flags, and the kind of its first section.
const BEFORE_BODY: usize = 21;
/// Where in a header its operation code is.
const OP_CODE: usize = 12;

/// Passes bytes on. While something is to fail, looks at each message that is written for its command.
pub(crate) struct FaultyTransport {
    inner: BoxedTransport,
    chaos: Chaos,
    server: String,
    /// A message is being written. The flush ends it.
    mid_message: bool,
    /// None while nothing is to fail.
    fate: Option<Box<Fate>>,
}

/// What becomes of a connection, and of the command on it.
#[derive(Default)]
struct Fate {
    command: Option<String>,
    /// How much of the message that is being written passes before the connection is closed.
    cut_after: Option<usize>,
    /// A message was written, and nothing of its reply was read.
    awaits_reply: bool,
    stall: Option<Pin<Box<Sleep>>>,
    corrupt: bool,
    broken: Option<io::ErrorKind>,
}

impl Fate {
    /// Whether the connection still works. Once its server is cut off it does not, for good.
    fn check(&mut self, cut_off: bool) -> io::Result<()> {
        match self.broken {
            _ if cut_off => self.break_with(io::ErrorKind::HostUnreachable),
            Some(kind) => self.break_with(kind),
            None => Ok(()),
        }
    }

    fn break_with(&mut self, kind: io::ErrorKind) -> io::Result<()> {
        self.broken = Some(kind);
        Err(io::Error::new(kind, ORDERED))
    }

    /// A fault, if one is due, meets a message of which these are the first bytes.
    fn meet_message(&mut self, fault: Option<SocketFault>, bytes: &[u8]) -> io::Result<()> {
        match fault {
            Some(SocketFault::CloseBeforeWrite) => self.break_with(io::ErrorKind::BrokenPipe),
            Some(SocketFault::Reset) => self.break_with(io::ErrorKind::ConnectionReset),
            Some(SocketFault::CloseInWrite) => {
                self.cut_after = Some(length_of(bytes) / 2);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A fault, if one is due, meets a reply that is about to be read.
    fn meet_reply(&mut self, fault: Option<SocketFault>) -> io::Result<()> {
        match fault {
            Some(SocketFault::CloseBeforeReply) => return self.break_with(io::ErrorKind::ConnectionReset),
            Some(SocketFault::Stall(pause)) => self.stall = Some(Box::pin(tokio::time::sleep(pause))),
            Some(SocketFault::Corrupt) => self.corrupt = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether a later message has nothing to fear from it.
    fn is_over(&self) -> bool {
        self.broken.is_none() && self.stall.is_none() && !self.corrupt
    }
}

impl FaultyTransport {
    pub(crate) fn new(inner: BoxedTransport, chaos: Chaos, server: String) -> Self {
        Self { inner, chaos, server, mid_message: false, fate: None }
    }

    /// Whether bytes just pass. Everything else is off the straight way.
    #[inline]
    fn is_idle(&self) -> bool {
        self.fate.is_none() && !self.chaos.is_active()
    }

    #[cold]
    fn poll_fated_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let fate = self.fate.get_or_insert_default();
        fate.check(self.chaos.is_partitioned(&self.server))?;
        if mem::take(&mut fate.awaits_reply) {
            fate.meet_reply(self.chaos.at_socket(&self.server, fate.command.as_deref(), SocketStep::Read))?;
        }
        if let Some(stall) = &mut fate.stall {
            ready!(stall.as_mut().poll(cx));
            fate.stall = None;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if let Some(byte) = buf.filled_mut().get_mut(before + OP_CODE).filter(|_| fate.corrupt) {
            *byte ^= 0x55;
            fate.corrupt = false;
        }
        Poll::Ready(Ok(()))
    }

    #[cold]
    fn poll_fated_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let fate = self.fate.get_or_insert_default();
        fate.check(self.chaos.is_partitioned(&self.server))?;
        if !mem::replace(&mut self.mid_message, true) {
            let command = command_of(bytes);
            fate.command = command.map(str::to_owned);
            fate.meet_message(self.chaos.at_socket(&self.server, command, SocketStep::Write), bytes)?;
        }
        let allowed = fate.cut_after.unwrap_or(usize::MAX).min(bytes.len());
        if allowed == 0 {
            fate.break_with(io::ErrorKind::BrokenPipe)?;
        }
        let taken = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..allowed]))?;
        if let Some(rest) = &mut fate.cut_after {
            *rest -= taken;
        }
        Poll::Ready(Ok(taken))
    }

    #[cold]
    fn end_fated_message(&mut self) {
        match self.chaos.is_active() {
            true => self.fate.get_or_insert_default().awaits_reply = true,
            false => drop(self.fate.take_if(|fate| fate.is_over())),
        }
    }
}

/// How long a message is, whose first bytes these are.
fn length_of(message: &[u8]) -> usize {
    let length = message.first_chunk().and_then(|length| usize::try_from(i32::from_le_bytes(*length)).ok());
    length.unwrap_or_default().max(message.len())
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
        match this.is_idle() {
            true => Pin::new(&mut this.inner).poll_read(cx, buf),
            false => this.poll_fated_read(cx, buf),
        }
    }
}

impl AsyncWrite for FaultyTransport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.is_idle() {
            return this.poll_fated_write(cx, buf);
        }
        this.mid_message = true;
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    /// In one go while nothing is to fail; else slice by slice, as a fault may be due within one.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.is_idle() {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return this.poll_fated_write(cx, first);
        }
        this.mid_message = true;
        Pin::new(&mut this.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Whoever writes a message flushes it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.mid_message = false;
        if !this.is_idle() {
            this.end_fated_message();
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};
    use mongo_actors_protocol::{
        chaos::{FaultPlan, Rule},
        wire::{MessageFlags, MessageParts},
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SERVER: &str = "a:1";

    struct Scene {
        chaos: Chaos,
        transport: FaultyTransport,
        server: DuplexStream,
    }

    fn scene() -> Scene {
        let (client, server) = duplex(1024);
        let chaos = Chaos::default();
        let transport = FaultyTransport::new(Box::new(client), chaos.clone(), SERVER.to_owned());
        Scene { chaos, transport, server }
    }

    impl Scene {
        fn arm(&self, fault: SocketFault) -> u64 {
            self.chaos.arm(FaultPlan::new(1).rule(Rule::socket(fault).command("ping")))
        }

        async fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.transport.write_all(message).await?;
            self.transport.flush().await
        }

        /// Has the server get so many bytes, and the client be told something.
        async fn exchange(&mut self, length: usize) -> io::Result<()> {
            let mut request = vec![0; length];
            self.server.read_exact(&mut request).await?;
            self.server.write_all(&[0; BEFORE_BODY]).await?;
            self.transport.read_exact(&mut request[..BEFORE_BODY]).await.map(drop)
        }
    }

    fn message(body: &RawDocumentBuf) -> Vec<u8> {
        let (flags, request_id) = (MessageFlags::NONE, 1);
        let parts = MessageParts { body, tail: &[], sequences: &[], flags, request_id };
        let mut bytes = Vec::new();
        parts.write_head(&mut bytes, usize::MAX).unwrap();
        bytes
    }

    fn ping() -> Vec<u8> {
        message(&rawdoc! { "ping": 1 })
    }

    #[tokio::test]
    async fn a_plan_begins_with_the_first_whole_message() {
        let mut scene = scene();
        let ping = ping();
        // The rest of it looks like another message.
        let message = [&[0; 100][..], &ping].concat();
        scene.transport.write_all(&message[..100]).await.unwrap();
        scene.arm(SocketFault::CloseBeforeWrite);
        scene.send(&message[100..]).await.unwrap();
        scene.exchange(message.len()).await.unwrap();
        assert_eq!(scene.send(&ping).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(scene.chaos.disarm(1).unwrap().firings().len(), 1);
    }

    #[tokio::test]
    async fn half_of_a_message_passes_before_it_is_cut_off() {
        let mut scene = scene();
        scene.arm(SocketFault::CloseInWrite);
        let ping = ping();
        assert_eq!(scene.send(&ping).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(scene.transport);
        let mut received = Vec::new();
        scene.server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, ping[..ping.len() / 2]);
    }

    #[tokio::test]
    async fn bytes_just_pass_before_a_plan_and_after_it() {
        let mut scene = scene();
        let (ping, other) = (ping(), message(&rawdoc! { "count": "things" }));
        for _ in 0..2 {
            scene.send(&ping).await.unwrap();
            scene.exchange(ping.len()).await.unwrap();
            assert!(scene.transport.is_idle());
            let id = scene.arm(SocketFault::CloseBeforeReply);
            scene.send(&other).await.unwrap();
            scene.exchange(other.len()).await.unwrap();
            assert!(!scene.transport.is_idle());
            scene.chaos.disarm(id);
        }
        scene.arm(SocketFault::CloseBeforeReply);
        scene.send(&ping).await.unwrap();
        assert_eq!(scene.exchange(ping.len()).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn what_is_broken_stays_so_when_all_is_calm_again() {
        let mut scene = scene();
        scene.chaos.partition(SERVER.to_owned());
        assert_eq!(scene.send(&ping()).await.unwrap_err().kind(), io::ErrorKind::HostUnreachable);
        scene.chaos.calm();
        assert_eq!(scene.transport.read_u8().await.unwrap_err().kind(), io::ErrorKind::HostUnreachable);
    }
}
