//! TCP proxies with faults.

mod accept;
mod disguise;
mod faults;
mod fronts;
mod link;
mod relay;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mongo_actors_protocol::address::ServerAddress;
use tokio::sync::watch;

use crate::{
    background,
    ports::Port,
    wait::{self, Look},
};
use accept::Upstream;
use disguise::Disguise;
use faults::{Armed, Ending, Faults};
pub use faults::{Break, Direction, Scope};
pub use fronts::{LoadBalancerProxy, MongosProxy};

/// How long [`Proxy::refuse`] and [`Proxy::accept`] wait for the listener to follow.
const LISTENER_LIMIT: Duration = Duration::from_secs(10);

/// A TCP proxy on the loopback interface that can be told to misbehave while it runs.
///
/// It forwards whole MongoDB messages, so that it can tell which command a byte belongs to; traffic that is not
/// MongoDB's, such as TLS, is forwarded as it comes, and a [`Break`] never meets it. Commands inside compressed
/// messages are not recognised either.
///
/// Handles are cheap to clone; the proxy and its connections end with the last of them. Faults spare the members'
/// traffic among themselves unless [`affect`](Self::affect) says otherwise.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use std::time::Duration;
///
/// use mongo_actors_testkit::{Break, Direction, Proxy, ScriptedServer};
///
/// let server = ScriptedServer::builder().start().await?;
/// let proxy = Proxy::start(server.socket_address()).await?;
/// proxy.delay(Direction::ToClient, Duration::from_millis(20));
/// proxy.arm(Break::before_reply("insert"));
/// // ... point a client at proxy.address() ...
/// proxy.heal().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Owner>);

/// Ends the proxy when the last handle goes.
#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.closed.send_replace(true);
    }
}

/// What the handles and the connections share.
#[derive(Debug)]
struct Shared {
    port: Port,
    upstream: Upstream,
    /// Used in turn by the connections.
    disguises: Vec<Disguise>,
    faults: watch::Sender<Faults>,
    /// How often, and how last, the connections were ended.
    cuts: watch::Sender<(u64, Ending)>,
    breaks: Mutex<Vec<Armed>>,
    /// Whether the listener should be there, and whether it is.
    wanted: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    closed: watch::Sender<bool>,
    fired: watch::Sender<u64>,
    /// The open connections by number, each with the count of the last cut it has obeyed or was spared by.
    open: watch::Sender<BTreeMap<u64, u64>>,
    accepted: AtomicU64,
}

impl Proxy {
    /// Starts a proxy in front of `server`.
    ///
    /// # Errors
    /// Those of listening on the loopback interface.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_with(Upstream::Fixed(server), vec![Disguise::None]).await
    }

    pub(crate) async fn start_with(upstream: Upstream, disguises: Vec<Disguise>) -> io::Result<Self> {
        let port = Port::reserve()?;
        let listener = port.listen()?;
        let shared = Arc::new(Shared {
            port,
            upstream,
            disguises,
            faults: watch::Sender::default(),
            cuts: watch::Sender::new((0, Ending::Reset)),
            breaks: Mutex::default(),
            wanted: watch::Sender::new(true),
            listening: watch::Sender::new(true),
            closed: watch::Sender::new(false),
            fired: watch::Sender::new(0),
            open: watch::Sender::default(),
            accepted: AtomicU64::new(0),
        });
        background::spawn(accept::accept(shared.clone(), listener));
        Ok(Self(Arc::new(Owner(shared))))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Where the proxy listens.
    pub fn address(&self) -> ServerAddress {
        ServerAddress::Tcp { host: "127.0.0.1".into(), port: self.shared().port.number() }
    }

    /// Where the proxy listens.
    pub fn socket_address(&self) -> SocketAddr {
        self.shared().port.address()
    }

    /// Delays every byte in `direction` by `latency`, without limiting the throughput. Zero ends it.
    pub fn delay(&self, direction: Direction, latency: Duration) {
        self.change(direction, |way| way.latency = latency);
    }

    /// Forwards nothing more in `direction`, while connections stay open and new ones are accepted: a half-open
    /// connection, or a network that swallows packets. What arrives meanwhile is forwarded after
    /// [`resume`](Self::resume).
    pub fn stall(&self, direction: Direction) {
        self.change(direction, |way| way.stalled = true);
    }

    /// Ends [`stall`](Self::stall).
    pub fn resume(&self, direction: Direction) {
        self.change(direction, |way| way.stalled = false);
    }

    /// Resets every connection after `bytes` further bytes in `direction`; connections yet to come count from their
    /// first byte. [`heal`](Self::heal) ends it.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.change(direction, |way| way.set_budget(bytes));
    }

    /// Resets all connections of the present and waits until that is done.
    pub async fn cut(&self) {
        self.end_connections(Ending::Reset).await;
    }

    /// Closes all connections of the present in order, as a server does that ends, and waits until that is done.
    pub async fn close_connections(&self) {
        self.end_connections(Ending::Orderly).await;
    }

    async fn end_connections(&self, ending: Ending) {
        let mut this_cut = 0;
        self.shared().cuts.send_modify(|(count, how)| {
            *count += 1;
            *how = ending;
            this_cut = *count;
        });
        let mut open = self.shared().open.subscribe();
        let _ = open.wait_for(|open| open.values().all(|obeyed| *obeyed >= this_cut)).await;
    }

    /// Stops listening: whoever connects is refused, including other members. Present connections stay.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the listener does not close within ten seconds.
    pub async fn refuse(&self) -> io::Result<()> {
        self.set_listening(false).await
    }

    /// Ends [`refuse`](Self::refuse).
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the port could not be had again within ten seconds.
    pub async fn accept(&self) -> io::Result<()> {
        self.set_listening(true).await
    }

    async fn set_listening(&self, wanted: bool) -> io::Result<()> {
        self.shared().wanted.send_replace(wanted);
        let mut listening = self.shared().listening.subscribe();
        let followed = background::run(async move {
            let follow = async { listening.wait_for(|state| *state == wanted).await.map(drop) };
            tokio::time::timeout(LISTENER_LIMIT, follow).await.is_ok()
        });
        if followed.await { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    /// Whether to reset new connections at their first message, as an overloaded server or a firewall does.
    pub fn reset_new_connections(&self, reset: bool) {
        self.shared().faults.send_modify(|faults| faults.reset_new = reset);
    }

    /// Chooses whose connections suffer: by default those of clients only, not those between members.
    pub fn affect(&self, scope: Scope) {
        self.shared().faults.send_modify(|faults| faults.scope = scope);
    }

    /// Adds a break at a certain point of a certain command.
    pub fn arm(&self, fault: Break) {
        self.shared().armed().push(Armed::new(fault));
    }

    /// How many breaks have fired so far.
    pub fn fired(&self) -> u64 {
        *self.shared().fired.borrow()
    }

    /// Waits until `count` breaks have fired, for at most `within`.
    ///
    /// # Errors
    /// [`Error::Timeout`](crate::Error::Timeout).
    pub async fn wait_for_fired(&self, count: u64, within: Duration) -> crate::Result<()> {
        let fired = self.shared().fired.subscribe();
        background::run(async move {
            wait::until("a break to fire", within, || async {
                let seen = *fired.borrow();
                Ok(if seen >= count { Look::Done(()) } else { Look::NotYet(format!("{seen} of {count} fired")) })
            })
            .await
        })
        .await
    }

    /// Ends all faults, forgets all breaks and listens again. Connections that were cut stay cut.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub async fn heal(&self) -> io::Result<()> {
        self.shared().armed().clear();
        self.shared().faults.send_replace(Faults::default());
        self.accept().await
    }

    /// How many connections pass through the proxy now.
    pub fn connections(&self) -> usize {
        self.shared().open.borrow().len()
    }

    /// How many connections were ever accepted.
    pub fn accepted(&self) -> u64 {
        self.shared().accepted.load(Ordering::SeqCst)
    }

    fn change(&self, direction: Direction, change: impl Fn(&mut faults::Way)) {
        self.shared().faults.send_modify(|faults| {
            if direction != Direction::ToClient {
                change(&mut faults.to_server);
            }
            if direction != Direction::ToServer {
                change(&mut faults.to_client);
            }
        });
    }
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
