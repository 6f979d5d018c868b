//! Forwarding one connection.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    disguise::Disguise,
    faults::{Ending, Faults, Way},
    link::{Item, Link},
};
use crate::wire::message::Header;

/// How much may be on its way in one direction. While nothing is forwarded, the sender is slowed down beyond it.
const IN_FLIGHT: usize = 256;
const CHUNK: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What both directions look at.
struct Context<'a> {
    shared: &'a Arc<Shared>,
    link: &'a Mutex<Link>,
}

impl Context<'_> {
    /// Whether faults concern the connection.
    fn suffers(&self) -> bool {
        let scope = self.shared.faults.borrow().scope;
        self.link.lock().unwrap_or_else(PoisonError::into_inner).suffers(scope)
    }

    /// What becomes of `frame`, which came from that side.
    fn items(&self, from: Side, frame: Vec<u8>) -> Vec<Item> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match from {
            Side::Client => link.request(self.shared, frame),
            Side::Server => link.reply(self.shared, frame),
        }
    }

    /// The faults at present for what comes from that side.
    fn way(&self, from: Side, faults: &Faults) -> Way {
        if !self.link.lock().unwrap_or_else(PoisonError::into_inner).suffers(faults.scope) {
            return Way::default();
        }
        match from {
            Side::Client => faults.to_server.clone(),
            Side::Server => faults.to_client.clone(),
        }
    }
}

/// What tells a connection of cuts.
pub(super) struct Cuts {
    pub(super) receiver: watch::Receiver<(u64, Ending)>,
    /// The number of the connection.
    pub(super) ordinal: u64,
}

impl Cuts {
    /// Waits for a cut that concerns the connection, or the end of the proxy.
    async fn wait(&mut self, context: &Context<'_>) -> Ending {
        let mut closed = context.shared.closed.subscribe();
        loop {
            tokio::select! {
                           _ = closed.wait_for(|closed| *closed) => return Ending::Reset,
                           changed = self.receiver.changed() => {
                               let (count, ending) = *self.receiver.borrow_and_update();
                               if changed.is_err() || context.suffers() {
                                   return ending;
                               }
                               context.shared.open.send_modify(|open| {
            open.insert(self.ordinal, count);
            });
                           }
                       }
        }
    }
}

/// Forwards between `client` and a new connection to the server until either ends or the proxy ends it.
pub(super) async fn relay(shared: &Arc<Shared>, mut client: TcpStream, disguise: Disguise, mut cuts: Cuts) {
    let _ = client.set_nodelay(true);
    let link = Mutex::new(Link::new(disguise));
    let context = Context { shared, link: &link };
    let stopped = cuts.wait(&context);
    tokio::pin!(stopped);
    let connected = tokio::select! {
        connected = shared.upstream.connect() => connected,
        ending = &mut stopped => return end(&client, ending),
    };
    let Ok(mut server) = connected else { return end(&client, Ending::Reset) };
    let ending = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            let up = pump(&context, Side::Client, from_client, to_server);
            let down = pump(&context, Side::Server, from_server, to_client);
            match tokio::try_join!(up, down) {
                Ok(((), ())) => Ending::Orderly,
                Err(ending) => ending,
            }
        };
        tokio::select! {
            ending = both => ending,
            ending = &mut stopped => ending,
        }
    };
    end(&client, ending);
    end(&server, ending);
}

fn end(stream: &TcpStream, ending: Ending) {
    if ending == Ending::Reset {
        // The socket is closed when it is dropped, and then sends a reset.
        let _ = stream.set_zero_linger();
    }
}

/// Forwards one direction. `Ok` after an orderly close by the sender.
async fn pump(
    context: &Context<'_>,
    from: Side,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> Result<(), Ending> {
    let (queue, items) = mpsc::channel(IN_FLIGHT);
    let read = async {
        read_all(context, from, reader, queue).await;
        Ok(())
    };
    tokio::try_join!(read, write_all(context, from, writer, items)).map(drop)
}

/// Cuts the bytes into messages and queues what is to be done with them, with the time they came.
async fn read_all(
    context: &Context<'_>,
    from: Side,
    mut reader: impl AsyncRead + Unpin,
    queue: mpsc::Sender<(Instant, Item)>,
) {
    let mut splitter = Splitter::default();
    loop {
        let (items, more) = match splitter.next(&mut reader).await {
            Ok(Some(frame)) => (context.items(from, frame), true),
            Ok(None) => (vec![Item::Bytes(splitter.rest()), Item::Eof], false),
            Err(_) => (vec![Item::Bytes(splitter.rest()), Item::End(Ending::Reset)], false),
        };
        for item in items {
            if queue.send((Instant::now(), item)).await.is_err() {
                return;
            }
        }
        if !more {
            return;
        }
    }
}

async fn write_all(
    context: &Context<'_>,
    from: Side,
    mut writer: impl AsyncWrite + Unpin,
    mut items: mpsc::Receiver<(Instant, Item)>,
) -> Result<(), Ending> {
    let mut faults = context.shared.faults.subscribe();
    let mut budget = Budget::default();
    while let Some((came, item)) = items.recv().await {
        let way = until_due(context, from, &mut faults, came).await?;
        match item {
            Item::End(ending) => return Err(ending),
            Item::Eof => return writer.shutdown().await.map_err(|_| Ending::Reset),
            Item::Bytes(mut bytes) => {
                let is_over = budget.spend(way.budget, &mut bytes);
                writer.write_all(&bytes).await.map_err(|_| Ending::Reset)?;
                if is_over {
                    return Err(Ending::Reset);
                }
            }
        }
    }
    Ok(())
}

/// Waits until what came at that time may go on, under the faults as they change; returns the faults then.
async fn until_due(
    context: &Context<'_>,
    from: Side,
    faults: &mut watch::Receiver<Faults>,
    came: Instant,
) -> Result<Way, Ending> {
    loop {
        let way = context.way(from, &faults.borrow_and_update());
        let due = came + way.latency;
        if !way.stalled && due <= Instant::now() {
            return Ok(way);
        }
        tokio::select! {
            () = sleep_until(due), if !way.stalled => {}
            changed = faults.changed() => changed.map_err(|_| Ending::Reset)?,
        }
    }
}

/// The bytes that may still pass.
#[derive(Default)]
struct Budget {
    times_set: u64,
    left: u64,
}

impl Budget {
    /// Shortens `bytes` to what may pass; whether the budget is used up.
    fn spend(&mut self, allowed: Option<(u64, u64)>, bytes: &mut Vec<u8>) -> bool {
        let Some((times_set, allowed)) = allowed else { return false };
        if self.times_set != times_set {
            (self.times_set, self.left) = (times_set, allowed);
        }
        let passing = self.left.min(bytes.len() as u64);
        self.left -= passing;
        bytes.truncate(usize::try_from(passing).unwrap_or(usize::MAX));
        self.left == 0
    }
}

/// Cuts a stream into MongoDB messages; into arbitrary pieces once something else appears.
#[derive(Default)]
struct Splitter {
    buffer: Vec<u8>,
    is_foreign: bool,
}

impl Splitter {
    /// The next message or piece; none at the end of the stream.
    async fn next(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            self.buffer.reserve(CHUNK);
            if reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        if let Some(header) = Header::read(&self.buffer) {
            self.is_foreign |= !header.is_plausible();
            let length = usize::try_from(header.length).unwrap_or(usize::MAX);
            if !self.is_foreign && length <= self.buffer.len() {
                let rest = self.buffer.split_off(length);
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
        }
        let is_ready = self.is_foreign && !self.buffer.is_empty();
        is_ready.then(|| std::mem::take(&mut self.buffer))
    }

    /// What is left when the stream ends within a message.
    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }
}
