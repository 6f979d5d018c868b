//! Certificates, keys and answers about certificates, in DER. Whether a signature is right is not ours to find out: it
//! always is, or never.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::ocsp::{AnswerCache, CheckedCertificate, Known, Status};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, UnixTime, alg_id};

const SERVER: &[u8] = include_bytes!("../../protocol/src/ocsp/fixtures/server.der");
const ISSUER: &[u8] = include_bytes!("../../protocol/src/ocsp/fixtures/ca.spki.der");
/// A minute after the answers among the seeds were made.
const NOW: u64 = 1_795_649_644;

#[derive(Debug)]
struct Ecdsa {
    accepts: bool,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        if self.accepts { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    match choice % 3 {
        0 => certificate(data, ISSUER),
        1 => certificate(SERVER, data),
        _ => answer(data),
    }
});

fn certificate(certificate: &[u8], issuer: &[u8]) {
    let Ok(read) = CheckedCertificate::read(certificate, issuer) else { return };
    assert!(read.responders().len() <= certificate.len());
    let request = read.request().expect("what was read can be asked for");
    assert!(request.len() < certificate.len() + 200, "a request of {} bytes", request.len());
    assert_eq!(read.id(), read.clone().id());
    let _ = (read.must_staple(), read.is_valid_at(UnixTime::since_unix_epoch(Duration::from_secs(NOW))));
}

fn answer(data: &[u8]) {
    let server = CheckedCertificate::read(SERVER, ISSUER).expect("a good certificate");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let refused = server.judge(data, &[&Ecdsa { accepts: false }], now);
    assert!(refused.is_err(), "believed without a signature");
    let Ok(answer) = server.judge(data, &[&Ecdsa { accepts: true }], now) else { return };
    assert!(answer.holds_at(now), "believed although it does not hold");
    let mut cache = AnswerCache::default();
    cache.note(server.id(), answer, now);
    let expected = match answer.status {
        Status::Good => Known::Good,
        Status::Revoked => Known::Revoked,
        _ => Known::Nothing,
    };
    assert_eq!(cache.look_up(&server.id(), now), expected);
}
