//! A name server with the records it is given.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hickory_server::{
    Server,
    net::runtime::Time,
    proto::{
        op::{HeaderCounts, Metadata, ResponseCode},
        rr::{
            Name, RData, Record, RecordType,
            rdata::{A, SRV, TXT},
        },
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{oneshot, watch},
};

use crate::{background, ports};

/// How long records may be believed unless [`DnsServer::set_ttl`] says otherwise: a day.
const TTL: u32 = 86_400;
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
const TCP_BUFFER: usize = 4096;

/// A DNS server on the loopback interface that knows the records it is given and no others. It ends when it is dropped.
///
/// Names may be written with or without the dot at their end; capitals do not matter.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use mongo_actors_testkit::DnsServer;
///
/// let dns = DnsServer::start().await?;
/// dns.srv("_mongodb._tcp.cluster.example.com", 27017, "db0.example.com");
/// dns.txt("cluster.example.com", &["replicaSet=", "rs"]);
/// println!("{}", dns.address());
/// assert_eq!(dns.queries(), 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
    _stop: oneshot::Sender<()>,
}

/// What a [`DnsServer`] does instead of answering properly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DnsMood {
    /// It answers properly.
    #[default]
    Helpful,
    /// It does not answer at all.
    Silent,
    /// It says that it failed (SERVFAIL).
    Failing,
    /// It says that it does not answer such questions (REFUSED).
    Refusing,
}

#[derive(Default)]
struct Zone {
    state: Mutex<State>,
    queries: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    records: HashMap<(Name, RecordType), Vec<RData>>,
    ttl: Option<u32>,
    mood: DnsMood,
}

impl Zone {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("queries", &*self.queries.borrow()).finish_non_exhaustive()
    }
}

impl DnsServer {
    /// Starts a server without records, on UDP and TCP.
    ///
    /// # Errors
    /// Those of listening on the loopback interface.
    pub async fn start() -> io::Result<Self> {
        let zone = Arc::new(Zone::default());
        let (listener, port) = ports::listen()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = Answers(zone.clone());
        background::spawn(async move {
            let (Ok(listener), Ok(socket)) = (TcpListener::from_std(listener), UdpSocket::from_std(socket)) else {
                return;
            };
            let mut server = Server::new(handler);
            server.register_socket(socket);
            server.register_listener(listener, TCP_TIMEOUT, TCP_BUFFER);
            // Resolves with an error when the value is dropped; the server's tasks end with it.
            let _ = stopped.await;
        });
        Ok(Self { address, zone, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds an SRV record: the service `name` is at `target` and `port`.
    ///
    /// # Panics
    /// When a name is none.
    pub fn srv(&self, name: &str, port: u16, target: &str) {
        self.add(name, RecordType::SRV, RData::SRV(SRV::new(0, 5, port, parse(target))));
    }

    /// Adds a TXT record of these strings.
    ///
    /// # Panics
    /// When the name is none.
    pub fn txt(&self, name: &str, strings: &[&str]) {
        let strings = strings.iter().map(|&text| text.to_owned()).collect();
        self.add(name, RecordType::TXT, RData::TXT(TXT::new(strings)));
    }

    /// Adds an address record.
    ///
    /// # Panics
    /// When the name is none.
    pub fn a(&self, name: &str, address: Ipv4Addr) {
        self.add(name, RecordType::A, RData::A(A(address)));
    }

    /// Forgets all records of this name.
    ///
    /// # Panics
    /// When the name is none.
    pub fn forget(&self, name: &str) {
        let name = parse(name);
        self.zone.state().records.retain(|(known, _), _| *known != name);
    }

    /// How long answers may be believed, in seconds. Default: a day.
    pub fn set_ttl(&self, seconds: u32) {
        self.zone.state().ttl = Some(seconds);
    }

    /// From now on answers like this.
    pub fn set_mood(&self, mood: DnsMood) {
        self.zone.state().mood = mood;
    }

    /// How many questions came so far.
    pub fn queries(&self) -> u64 {
        *self.zone.queries.borrow()
    }

    /// Waits until `count` questions came, counted from the start.
    pub async fn wait_for_queries(&self, count: u64) {
        let mut queries = self.zone.queries.subscribe();
        // The sender lives as long as this server.
        let _ = queries.wait_for(|queries| *queries >= count).await;
    }

    fn add(&self, name: &str, record_type: RecordType, data: RData) {
        self.zone.state().records.entry((parse(name), record_type)).or_default().push(data);
    }
}

fn parse(name: &str) -> Name {
    let complete = format!("{}.", name.trim_end_matches('.'));
    Name::from_ascii(&complete).unwrap_or_else(|error| panic!("{name:?} is no name: {error}")).to_lowercase()
}

struct Answers(Arc<Zone>);

impl Answers {
    fn look_up(&self, name: &Name, record_type: RecordType) -> (DnsMood, ResponseCode, Vec<Record>) {
        let state = self.0.state();
        let name = name.to_lowercase();
        let ttl = state.ttl.unwrap_or(TTL);
        let data = state.records.get(&(name.clone(), record_type)).into_iter().flatten();
        let records = data.map(|data| Record::from_rdata(name.clone(), ttl, data.clone())).collect();
        let code = match state.mood {
            DnsMood::Failing => ResponseCode::ServFail,
            DnsMood::Refusing => ResponseCode::Refused,
            _ if state.records.keys().any(|(known, _)| *known == name) => ResponseCode::NoError,
            _ => ResponseCode::NXDomain,
        };
        (state.mood, code, records)
    }
}

#[async_trait]
impl RequestHandler for Answers {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let Ok(info) = request.request_info() else { return nothing(request) };
        let question = Name::from(info.query.name().clone());
        let (mood, code, records) = self.look_up(&question, info.query.query_type());
        self.0.queries.send_modify(|queries| *queries += 1);
        if mood == DnsMood::Silent {
            return nothing(request);
        }
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = code;
        let answers = if code == ResponseCode::NoError { records } else { Vec::new() };
        let builder = MessageResponseBuilder::from_message_request(request);
        let none = std::iter::empty::<&Record>;
        let message = builder.build(metadata, answers.iter(), none(), none(), none());
        response.send_response(message).await.unwrap_or_else(|_| nothing(request))
    }
}

fn nothing(request: &Request) -> ResponseInfo {
    ResponseInfo::from(hickory_server::proto::op::Header {
        metadata: Metadata::response_from_request(&request.metadata),
        counts: HeaderCounts::default(),
    })
}
