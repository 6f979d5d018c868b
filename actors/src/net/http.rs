//! One request and its answer over plain HTTP, for what surrounds a connection: nothing of MongoDB itself.

use std::{future::Future, io, pin::pin};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
pub(crate) use hyper::{Request, header};
use hyper::{StatusCode, Uri, client::conn::http1, header::HeaderValue};
use hyper_util::rt::TokioIo;
use mongo_actors_protocol::{address::ServerAddress, options::Socks5Proxy};

/// Bytes of an answer that are read at most.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends a request, whose URL is whole, through `proxy` if there is one, and returns the body of the answer. The caller
/// limits the time.
///
/// # Errors
/// Those of the network; an answer that is no success, or too large; a URL that is not plain HTTP.
pub(crate) async fn send(request: Request<Vec<u8>>, proxy: Option<&Socks5Proxy>) -> io::Result<Bytes> {
    let (mut head, body) = request.into_parts();
    let url = head.uri.clone();
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{url}: only plain HTTP is spoken")));
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    // Whatever stands before an @ is nobody's business.
    let named = authority.as_str().rsplit('@').next().unwrap_or_default();
    head.headers.insert(header::HOST, HeaderValue::from_str(named).map_err(io::Error::other)?);
    head.uri = url.path_and_query().map_or(Uri::default(), |path| Uri::from(path.clone()));
    let address = ServerAddress::Tcp { host, port: authority.port_u16().unwrap_or(80) };
    let stream = super::connect(&address, proxy).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let exchange = async {
        let request = Request::from_parts(head, Full::new(Bytes::from(body)));
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(io::Error::other(format!("{url} answered with {}", response.status())));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(io::Error::other)
    };
    driven(exchange, connection).await
}

/// The outcome of `exchange`, while `connection` moves the bytes.
async fn driven<T>(
    exchange: impl Future<Output = io::Result<T>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> io::Result<T> {
    match select(pin!(exchange), pin!(connection)).await {
        Either::Left((outcome, _)) => outcome,
        // The whole answer may have come before the end.
        Either::Right((_, exchange)) => exchange.await,
    }
}
