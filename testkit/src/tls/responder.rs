//! A responder of the Online Certificate Status Protocol.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{
    authority::TlsAuthority,
    ocsp::{self, OcspAnswer, OcspStatus},
};
use crate::{background, ports};

/// What a responder does with a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OcspBehaviour {
    /// Answers so, whatever the certificate.
    Answer(OcspAnswer),
    /// Answers so, but about another certificate.
    AboutAnother(OcspAnswer),
    /// Asks to be asked later.
    TryLater,
    /// Sends these bytes with the right headers.
    Bytes(Vec<u8>),
    /// Sends this HTTP status.
    Http(u16),
    /// Sends these bytes instead of HTTP.
    Raw(Vec<u8>),
    /// Never answers.
    Never,
    /// Answers, later.
    Delayed(Duration, OcspAnswer),
}

/// A responder on the loopback interface, which counts what it is asked. It ends when it is dropped.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::{
///     CertificateSpec, OcspAnswer, OcspBehaviour, OcspResponder, OcspStatus, ServerTls, Standalone, TlsAuthority,
/// };
///
/// let authority = TlsAuthority::new()?;
/// let responder = OcspResponder::start(&authority, OcspBehaviour::Answer(OcspAnswer::new(OcspStatus::Good)))?;
/// let certificate = authority.issue(CertificateSpec::server().responder(responder.url()))?;
/// // The server asks the responder and staples its answer.
/// let server = Standalone::builder().tls(ServerTls::with_certificate(&authority, certificate)?).start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct OcspResponder {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    authority: TlsAuthority,
    behaviour: Mutex<OcspBehaviour>,
    requests: watch::Sender<u64>,
    ended: watch::Sender<bool>,
}

impl OcspResponder {
    /// Starts a responder for certificates of `authority`.
    ///
    /// # Errors
    /// [`Error::System`](crate::Error::System) when it cannot listen.
    pub fn start(authority: &TlsAuthority, behaviour: OcspBehaviour) -> crate::Result<Self> {
        let (listener, port) = ports::listen().map_err(crate::Error::system("a port for a responder"))?;
        let shared = Arc::new(Shared {
            authority: authority.clone(),
            behaviour: Mutex::new(behaviour),
            requests: watch::Sender::default(),
            ended: watch::Sender::default(),
        });
        background::spawn(accept(shared.clone(), listener));
        Ok(Self { port, shared })
    }

    /// Its address, for [`CertificateSpec::responder`](crate::CertificateSpec::responder).
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/ocsp", self.port)
    }

    /// From now on behaves so.
    pub fn behave(&self, behaviour: OcspBehaviour) {
        *self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// How many requests have come so far.
    pub fn requests(&self) -> u64 {
        *self.shared.requests.borrow()
    }
}

impl Drop for OcspResponder {
    fn drop(&mut self) {
        self.shared.ended.send_replace(true);
    }
}

async fn accept(shared: Arc<Shared>, listener: std::net::TcpListener) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut ended = shared.ended.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let (shared, mut ended) = (shared.clone(), shared.ended.subscribe());
                background::spawn(async move {
                    tokio::select! {
                        _ = serve(&shared, stream) => {}
                        _ = ended.wait_for(|ended| *ended) => {}
                    }
                });
            },
            _ = ended.wait_for(|ended| *ended) => return,
        }
    }
}

async fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    shared.requests.send_modify(|count| *count += 1);
    let behaviour = shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let body = match behaviour {
        OcspBehaviour::Answer(answer) => respond(shared, &answer, &request)?,
        OcspBehaviour::AboutAnother(answer) => {
            let mut id = ocsp::requested(&request).ok_or(io::ErrorKind::InvalidData)?;
            if let Some(last) = id.serial.last_mut() {
                *last ^= 1;
            }
            ocsp::respond(&answer, &id, shared.authority.key()).map_err(io::Error::other)?
        }
        OcspBehaviour::TryLater => ocsp::try_later(),
        OcspBehaviour::Bytes(bytes) => bytes,
        OcspBehaviour::Http(status) => {
            let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return stream.write_all(head.as_bytes()).await;
        }
        OcspBehaviour::Raw(bytes) => return stream.write_all(&bytes).await,
        OcspBehaviour::Never => return std::future::pending().await,
        OcspBehaviour::Delayed(delay, answer) => {
            tokio::time::sleep(delay).await;
            respond(shared, &answer, &request)?
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await
}

fn respond(shared: &Shared, answer: &OcspAnswer, request: &[u8]) -> io::Result<Vec<u8>> {
    let id = ocsp::requested(request).ok_or(io::ErrorKind::InvalidData)?;
    ocsp::respond(answer, &id, shared.authority.key()).map_err(io::Error::other)
}

/// The body of a `POST`, or what a `GET` has in its path: servers use either.
async fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > 64 * 1024 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if let Some(rest) = head.strip_prefix("GET ") {
        let path = rest.split(' ').next().unwrap_or_default();
        let encoded = path.rsplit('/').next().unwrap_or_default();
        let decoded = percent_encoding::percent_decode_str(encoded).collect::<Vec<u8>>();
        use base64::Engine;
        return base64::engine::general_purpose::STANDARD.decode(decoded).map_err(io::Error::other);
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end + 4);
    let missing = length.ok_or(io::ErrorKind::InvalidData)?.saturating_sub(body.len());
    let received = body.len();
    body.resize(received + missing, 0);
    stream.read_exact(&mut body[received..]).await?;
    Ok(body)
}

impl TlsAuthority {
    /// An answer about a certificate of this authority, in DER: for [`ServerTls::staple`](crate::ServerTls::staple).
    ///
    /// # Errors
    /// [`Error::System`](crate::Error::System) when it cannot be signed.
    pub fn ocsp_response(&self, certificate: &crate::TlsCertificate, answer: &OcspAnswer) -> crate::Result<Vec<u8>> {
        let failed = |error: rcgen::Error| crate::Error::System {
            what: "an answer of the authority".into(),
            source: io::Error::other(error),
        };
        ocsp::respond(answer, &self.cert_id(certificate), self.key()).map_err(failed)
    }
}

/// An answer that all is well, for servers whose certificate names a responder.
impl From<OcspStatus> for OcspBehaviour {
    fn from(status: OcspStatus) -> Self {
        Self::Answer(OcspAnswer::new(status))
    }
}
