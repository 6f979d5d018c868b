//! Whether a certificate was revoked: what the server staples, what was learnt before, what responders say.
//!
//! A certificate that nobody can say anything about is accepted ("soft fail"), unless it demands a stapled answer.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use mongo_actors_protocol::{
    ocsp::{Answer, AnswerCache, CheckedCertificate, InvalidAnswer, Known, Status},
    options::Socks5Proxy,
};
use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::UnixTime};

use crate::net::http::{self, Request, header::CONTENT_TYPE};

/// Responders of one certificate that are asked at most.
const MAX_RESPONDERS: usize = 4;

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum RevocationFault {
    #[error("its certificate is revoked")]
    Revoked,
    #[error(
        "its certificate demands that the server staples proof that it was not revoked, which the server did not: ask \
         its administrator, or set tlsDisableCertificateRevocationCheck=true"
    )]
    NotStapled,
    #[error("the proof it staples that its certificate was not revoked is of no use: {0}")]
    InvalidStaple(InvalidAnswer),
}

/// What the connections of one client know of revoked certificates.
#[derive(Debug)]
pub(super) struct Revocation {
    algorithms: WebPkiSupportedAlgorithms,
    /// Whether responders may be asked.
    asks_responders: bool,
    /// The way to them, which is that to the servers.
    proxy: Option<Socks5Proxy>,
    cache: Mutex<AnswerCache>,
}

impl Revocation {
    pub(super) fn new(
        algorithms: WebPkiSupportedAlgorithms,
        asks_responders: bool,
        proxy: Option<Socks5Proxy>,
    ) -> Self {
        Self { algorithms, asks_responders, proxy, cache: Mutex::default() }
    }

    fn cache(&self) -> MutexGuard<'_, AnswerCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges what the server has stapled, which may be nothing.
    pub(super) fn check_staple(
        &self,
        certificate: &CheckedCertificate,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<(), RevocationFault> {
        if staple.is_empty() {
            return if certificate.must_staple() { Err(RevocationFault::NotStapled) } else { Ok(()) };
        }
        let answer = certificate.judge(staple, self.algorithms.all, now).map_err(RevocationFault::InvalidStaple)?;
        self.cache().note(certificate.id(), answer, now);
        accept(answer.status)
    }

    /// Finds out what is known, asking the certificate's responders for at most `limit` if need be.
    pub(super) async fn check(
        &self,
        certificate: &CheckedCertificate,
        now: UnixTime,
        limit: Duration,
    ) -> Result<(), RevocationFault> {
        let known = self.cache().look_up(&certificate.id(), now);
        match known {
            Known::Good | Known::Silence => return Ok(()),
            Known::Revoked => return Err(RevocationFault::Revoked),
            Known::Nothing => {}
        }
        if !self.asks_responders || certificate.responders().is_empty() {
            return Ok(());
        }
        let answer = tokio::time::timeout(limit, self.ask(certificate, now)).await.ok().flatten();
        match answer {
            Some(answer) => {
                self.cache().note(certificate.id(), answer, now);
                accept(answer.status)
            }
            None => {
                self.cache().note_silence(certificate.id(), now);
                let responders = certificate.responders().join(", ");
                tracing::warn!(
                    target: "mongo_actors::connection",
                    responders,
                    "no OCSP responder could say whether a server's certificate was revoked; it is accepted"
                );
                Ok(())
            }
        }
    }

    async fn fetch(&self, url: &str, request: Vec<u8>) -> io::Result<Bytes> {
        let request = Request::post(url).header(CONTENT_TYPE, "application/ocsp-request").body(request);
        http::send(request.map_err(io::Error::other)?, self.proxy.as_ref()).await
    }

    /// The first conclusive answer of any responder.
    async fn ask(&self, certificate: &CheckedCertificate, now: UnixTime) -> Option<Answer> {
        let request = certificate.request().ok()?;
        let responders = certificate.responders().iter().take(MAX_RESPONDERS);
        let mut answers: FuturesUnordered<_> = responders
            .map(|url| {
                let request = request.clone();
                async move { (url, self.fetch(url, request).await) }
            })
            .collect();
        while let Some((url, response)) = answers.next().await {
            let judged = response
                .map_err(|error| error.to_string())
                .and_then(|response| certificate.judge(&response, self.algorithms.all, now).map_err(|e| e.to_string()));
            match judged {
                Ok(answer) if answer.is_conclusive() => return Some(answer),
                Ok(_) => tracing::debug!(target: "mongo_actors::connection", url, "the OCSP responder does not know"),
                Err(error) => {
                    tracing::debug!(target: "mongo_actors::connection", url, error, "the OCSP responder is of no use");
                }
            }
        }
        None
    }
}

fn accept(status: Status) -> Result<(), RevocationFault> {
    match status {
        Status::Revoked => Err(RevocationFault::Revoked),
        Status::Good | Status::Unknown => Ok(()),
    }
}
