//! One request and its answer over plain HTTP, for what surrounds a connection: nothing of MongoDB itself.

use std::{future::Future, io, pin::pin};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Bytes of an answer that are read at most.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends `body` to `url` and returns the body of the answer. The caller limits the time.
///
/// # Errors
/// Those of the network; an answer that is no success, or too large; a URL that is not plain HTTP.
pub(super) async fn post(url: &str, content_type: &'static str, body: Vec<u8>) -> io::Result<Bytes> {
    let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{url}: {reason}"));
    let uri: Uri = url.parse().map_err(|_| invalid("no URL"))?;
    let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid("only plain HTTP is spoken"));
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let exchange = async {
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
