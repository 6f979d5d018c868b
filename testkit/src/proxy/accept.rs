//! Listening, and finding the server for a new connection.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

use super::{
    Shared,
    relay::{self, Cuts},
};
use crate::{
    background,
    deployment::{Member, current_primary},
};

/// How long until a port somebody else holds is tried again.
const REBIND: Duration = Duration::from_millis(20);

/// Where connections lead.
#[derive(Debug)]
pub(crate) enum Upstream {
    Fixed(SocketAddr),
    /// To whichever of these is primary when the connection is made.
    PrimaryOf(Vec<Member>),
}

impl Upstream {
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let address = match self {
            Self::Fixed(address) => *address,
            Self::PrimaryOf(members) => current_primary(members).await.map_err(io::Error::other)?.direct_socket(),
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Accepts connections until the proxy is closed, and listens only while that is wanted.
pub(super) async fn accept(shared: Arc<Shared>, first: StdListener) {
    let mut listener = TcpListener::from_std(first).ok();
    let mut closed = shared.closed.subscribe();
    let mut wanted = shared.wanted.subscribe();
    loop {
        if *closed.borrow_and_update() {
            return;
        }
        let is_wanted = *wanted.borrow_and_update();
        if !is_wanted {
            listener = None;
        } else if listener.is_none() {
            listener = shared.port.listen().and_then(TcpListener::from_std).ok();
            if listener.is_none() {
                tokio::time::sleep(REBIND).await;
                continue;
            }
        }
        shared.listening.send_replace(listener.is_some());
        tokio::select! {
            accepted = next(listener.as_ref()) => if let Ok((stream, _)) = accepted {
                take(&shared, stream);
            },
            _ = wanted.changed() => {}
            _ = closed.changed() => {}
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn take(shared: &Arc<Shared>, stream: TcpStream) {
    let ordinal = shared.accepted.fetch_add(1, Ordering::SeqCst);
    let count = shared.disguises.len().max(1) as u64;
    let disguise = usize::try_from(ordinal % count).ok().and_then(|index| shared.disguises.get(index).copied());
    let cuts = shared.cuts.subscribe();
    let cut_before = cuts.borrow().0;
    shared.open.send_modify(|open| {
        open.insert(ordinal, cut_before);
    });
    let shared = shared.clone();
    background::spawn(async move {
        relay::relay(&shared, stream, disguise.unwrap_or_default(), Cuts { receiver: cuts, ordinal }).await;
        shared.open.send_modify(|open| {
            open.remove(&ordinal);
        });
    });
}
