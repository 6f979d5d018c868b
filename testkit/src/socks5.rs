//! A SOCKS5 proxy that maps names to where they are to lead.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{background, ports, wire::message::invalid};

/// A SOCKS5 proxy on the loopback interface (RFC 1928, RFC 1929). It ends when it is dropped.
///
/// Where it is asked to go to, it goes as the map says, which stands for the names that only the proxy knows; else as
/// the system says.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use mongo_actors_testkit::Socks5Server;
///
/// let proxy = Socks5Server::builder()
///     .auth("ada", "secret")
///     .map("db0.inside:27017", "127.0.0.1:27017".parse().unwrap())
///     .start()
///     .await?;
/// println!("proxyHost=127.0.0.1&proxyPort={}", proxy.address().port());
/// assert!(proxy.requests().is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Socks5Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

/// Chooses how a [`Socks5Server`] is started.
#[derive(Debug, Default)]
#[must_use]
pub struct Socks5ServerBuilder {
    plan: Plan,
}

#[derive(Clone, Debug, Default)]
struct Plan {
    auth: Option<(String, String)>,
    map: HashMap<String, SocketAddr>,
    refusal: Option<u8>,
    silent: bool,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    requests: Mutex<Vec<String>>,
}

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;
const COMMAND_NOT_SUPPORTED: u8 = 7;

impl Socks5ServerBuilder {
    /// Demands this user name and password. Default: none.
    pub fn auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.plan.auth = Some((user.into(), password.into()));
        self
    }

    /// Leads those who ask for `host:port` to `address`.
    pub fn map(mut self, host_and_port: impl Into<String>, address: SocketAddr) -> Self {
        self.plan.map.insert(host_and_port.into(), address);
        self
    }

    /// Refuses every connection with this reply code of RFC 1928, such as 2 for "not allowed by the ruleset".
    pub fn refuse(mut self, code: u8) -> Self {
        self.plan.refusal = Some(code);
        self
    }

    /// Accepts connections and never says anything.
    pub fn silent(mut self) -> Self {
        self.plan.silent = true;
        self
    }

    /// Starts the proxy.
    ///
    /// # Errors
    /// Those of listening on the loopback interface.
    pub async fn start(self) -> io::Result<Socks5Server> {
        let (listener, port) = ports::listen()?;
        let shared = Arc::new(Shared { plan: self.plan, requests: Mutex::default() });
        let (stop, mut stopped) = oneshot::channel::<()>();
        let serving = shared.clone();
        background::spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(serving.clone(), stream));
                    },
                    Some(_) = connections.join_next() => {}
                    _ = &mut stopped => return,
                }
            }
        });
        Ok(Socks5Server { address: (Ipv4Addr::LOCALHOST, port).into(), shared, _stop: stop })
    }
}

impl Socks5Server {
    /// A proxy that demands no credentials and maps nothing.
    ///
    /// # Errors
    /// As [`Socks5ServerBuilder::start`].
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Chooses options first.
    pub fn builder() -> Socks5ServerBuilder {
        Socks5ServerBuilder::default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where those who were let in wanted to go, as they wrote it, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests().clone()
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(shared: Arc<Shared>, mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    if shared.plan.silent {
        let mut ignored = [0; 256];
        while client.read(&mut ignored).await? > 0 {}
        return Ok(());
    }
    greet(&shared.plan, &mut client).await?;
    let target = request(&mut client).await?;
    shared.requests().push(target.clone());
    if let Some(code) = shared.plan.refusal {
        return answer(&mut client, code).await;
    }
    let connected = match shared.plan.map.get(&target) {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(&target).await,
    };
    match connected {
        Ok(mut server) => {
            server.set_nodelay(true)?;
            answer(&mut client, SUCCEEDED).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        Err(_) => answer(&mut client, HOST_UNREACHABLE).await,
    }
}

/// Agrees on a method, and checks the credentials.
async fn greet(plan: &Plan, client: &mut TcpStream) -> io::Result<()> {
    let [version, count] = read(client).await?;
    if version != VERSION {
        return Err(invalid("not SOCKS5"));
    }
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    let wanted = if plan.auth.is_some() { PASSWORD } else { NO_AUTHENTICATION };
    if !methods.contains(&wanted) {
        client.write_all(&[VERSION, NO_ACCEPTABLE_METHOD]).await?;
        return Err(invalid("no method in common"));
    }
    client.write_all(&[VERSION, wanted]).await?;
    let Some((user, password)) = &plan.auth else { return Ok(()) };
    let [version] = read(client).await?;
    let given = (text(client).await?, text(client).await?);
    let accepted = version == 1 && given.0 == user.as_bytes() && given.1 == password.as_bytes();
    client.write_all(&[1, u8::from(!accepted)]).await?;
    if accepted { Ok(()) } else { Err(invalid("wrong credentials")) }
}

/// Where the client wants to go, as `host:port`.
async fn request(client: &mut TcpStream) -> io::Result<String> {
    let [_version, command, _reserved, kind] = read(client).await?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(client).await?).to_string(),
        3 => String::from_utf8_lossy(&text(client).await?).into_owned(),
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(client).await?)),
        other => return Err(invalid(format!("an address of the kind {other}"))),
    };
    let port = u16::from_be_bytes(read(client).await?);
    if command != CONNECT {
        answer(client, COMMAND_NOT_SUPPORTED).await?;
        return Err(invalid("not a connection"));
    }
    Ok(format!("{host}:{port}"))
}

async fn answer(client: &mut TcpStream, code: u8) -> io::Result<()> {
    client.write_all(&[VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

async fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Bytes with their number before them.
async fn text(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let [length] = read(client).await?;
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
