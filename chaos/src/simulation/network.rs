//! How the simulated client gets its bytes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use mongo_actors::{
    ServerAddress,
    simulation::{Dialer, Dialing, Stream},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use super::history::History;

/// Connects through turmoil's network, and notes every byte.
pub(crate) struct Network {
    pub(crate) history: History,
    pub(crate) dialed: Arc<AtomicU64>,
}

impl Dialer for Network {
    fn dial(&self, address: &ServerAddress) -> Dialing {
        let ServerAddress::Tcp { host, port } = address else {
            return Box::pin(async { Err(io::ErrorKind::Unsupported.into()) });
        };
        let (host, port, history) = (host.clone(), *port, self.history.clone());
        let name = format!("{host} #{}", self.dialed.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            history.note("dials", &name);
            let stream = TcpStream::connect((&*host, port)).await?;
            let (written, read) = (format!("to {name}"), format!("from {name}"));
            Ok(Box::new(Observed { stream, history, written, read }) as Box<dyn Stream>)
        })
    }
}

struct Observed {
    stream: TcpStream,
    history: History,
    written: String,
    read: String,
}

impl AsyncRead for Observed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.history.note(&self.read, &buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Observed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.history.note(&self.written, &buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
