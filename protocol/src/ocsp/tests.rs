//! Answers that OpenSSL 3.0 wrote, and what can be done to them.

use std::time::Duration;

use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/", $name, ".der")).as_slice()
    };
}

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::ring::ECDSA_P256_SHA256, webpki::ring::RSA_PKCS1_2048_8192_SHA256];

/// A minute after the answers were made; most hold for seven days.
const NOW: u64 = 1_795_649_644;
const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn server() -> CheckedCertificate {
    CheckedCertificate::read(fixture!("server"), fixture!("ca.spki")).unwrap()
}

fn judge(response: &[u8]) -> Result<Answer, InvalidAnswer> {
    server().judge(response, ALGORITHMS, at(NOW))
}

#[test]
fn a_certificate_tells_whom_to_ask_and_what_to_demand() {
    let server = server();
    assert_eq!(server.responders(), ["http://one.example/ocsp", "http://two.example:8080/"]);
    assert!(server.must_staple());
    assert!(server.is_valid_at(at(NOW)) && !server.is_valid_at(at(NOW - DAY)) && !server.is_valid_at(at(NOW << 2)));
    let other = CheckedCertificate::read(fixture!("other"), fixture!("ca.spki")).unwrap();
    assert!(other.responders().is_empty() && !other.must_staple());
    assert_ne!(server.id(), other.id());
    assert!(CheckedCertificate::read(b"nonsense", fixture!("ca.spki")).is_err());
    assert!(CheckedCertificate::read(fixture!("server"), b"nonsense").is_err());
}

#[test]
fn the_request_is_the_one_that_openssl_makes() {
    assert_eq!(server().request().unwrap(), fixture!("req"));
}

#[test]
fn true_answers_are_believed() {
    let status = |response| judge(response).map(|answer| answer.status);
    assert_eq!(status(fixture!("good")), Ok(Status::Good));
    assert_eq!(status(fixture!("bykey")), Ok(Status::Good));
    assert_eq!(status(fixture!("sha256")), Ok(Status::Good));
    assert_eq!(status(fixture!("delegate")), Ok(Status::Good));
    assert_eq!(status(fixture!("noend")), Ok(Status::Good));
    assert_eq!(status(fixture!("revoked")), Ok(Status::Revoked));
    assert_eq!(status(fixture!("unknown")), Ok(Status::Unknown));
}

#[test]
fn an_answer_holds_from_its_update_up_to_the_next_one() {
    let answer = judge(fixture!("good")).unwrap();
    let next = answer.next_update.unwrap();
    assert_eq!(next - answer.this_update, 7 * DAY);
    let at = |seconds| server().judge(fixture!("good"), ALGORITHMS, at(seconds)).map(|answer| answer.status);
    assert_eq!(at(next - 1), Ok(Status::Good));
    assert_eq!(at(next), Err(InvalidAnswer::Expired));
    assert_eq!(at(answer.this_update), Ok(Status::Good));
    assert_eq!(at(answer.this_update - CLOCK_SKEW.as_secs()), Ok(Status::Good));
    assert_eq!(at(answer.this_update - CLOCK_SKEW.as_secs() - 1), Err(InvalidAnswer::NotYetValid));
}

#[test]
fn an_answer_without_an_end_holds_for_a_day() {
    let answer = judge(fixture!("noend")).unwrap();
    assert_eq!(answer.next_update, None);
    assert!(answer.holds_at(at(answer.this_update + DAY - 1)));
    assert!(!answer.holds_at(at(answer.this_update + DAY)));
}

#[test]
fn nobody_answers_for_others() {
    assert_eq!(judge(fixture!("impostor")), Err(InvalidAnswer::Unauthorized));
    let other = CheckedCertificate::read(fixture!("other"), fixture!("ca.spki")).unwrap();
    assert_eq!(other.judge(fixture!("good"), ALGORITHMS, at(NOW)), Err(InvalidAnswer::OtherCertificate));
    // Without the algorithm there is no telling.
    let rsa_only: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::RSA_PKCS1_2048_8192_SHA256];
    assert_eq!(server().judge(fixture!("good"), rsa_only, at(NOW)), Err(InvalidAnswer::BadSignature));
    assert_eq!(server().judge(fixture!("delegate"), rsa_only, at(NOW)), Err(InvalidAnswer::Unauthorized));
}

#[test]
fn a_refusal_to_answer_is_told() {
    for (code, reason) in [(1, "malformedRequest"), (2, "internalError"), (3, "tryLater"), (6, "unauthorized")] {
        assert_eq!(judge(&[0x30, 3, 0x0a, 1, code]), Err(InvalidAnswer::Declined(reason)));
    }
    // A success without an answer is none.
    assert_eq!(judge(&[0x30, 3, 0x0a, 1, 0]), Err(InvalidAnswer::Malformed));
}

/// No bit of an answer can be turned without its being noticed, or making no difference.
#[test]
fn damage_never_passes_for_another_answer() {
    for (response, expected) in [(fixture!("revoked"), Status::Revoked), (fixture!("delegate"), Status::Good)] {
        for index in 0..response.len() {
            for bit in [0x01, 0x80] {
                let mut damaged = response.to_vec();
                damaged[index] ^= bit;
                if let Ok(answer) = judge(&damaged) {
                    // What is outside of the signature, such as certificates that nobody needs.
                    assert_eq!(answer.status, expected, "byte {index}");
                }
            }
        }
        for length in 0..response.len() {
            assert!(judge(&response[..length]).is_err(), "{length} bytes");
        }
    }
}

fn answer(status: Status, this_update: u64, next_update: u64) -> Answer {
    Answer { status, this_update, next_update: Some(next_update) }
}

#[test]
fn the_cache_keeps_conclusive_answers_while_they_hold() {
    let (mut cache, id) = (AnswerCache::default(), server().id());
    assert_eq!(cache.look_up(&id, at(NOW)), Known::Nothing);
    cache.note(id.clone(), answer(Status::Unknown, NOW, NOW + DAY), at(NOW));
    assert_eq!(cache.look_up(&id, at(NOW)), Known::Nothing);
    cache.note(id.clone(), answer(Status::Good, NOW, NOW + DAY), at(NOW));
    assert_eq!(cache.look_up(&id, at(NOW + DAY - 1)), Known::Good);
    assert_eq!(cache.look_up(&id, at(NOW + DAY)), Known::Nothing);
}

#[test]
fn the_cache_prefers_the_answer_that_holds_longer_and_never_forgets_a_revocation() {
    let (mut cache, id) = (AnswerCache::default(), server().id());
    let mut note = |answer: Answer| {
        cache.note(server().id(), answer, at(NOW));
        cache.look_up(&id, at(NOW))
    };
    assert_eq!(note(answer(Status::Good, NOW, NOW + 2 * DAY)), Known::Good);
    assert_eq!(note(answer(Status::Revoked, NOW, NOW + DAY)), Known::Revoked);
    assert_eq!(note(answer(Status::Good, NOW, NOW + DAY)), Known::Revoked);
    assert_eq!(note(answer(Status::Good, NOW, NOW + 3 * DAY)), Known::Good);
}

#[test]
fn silence_is_remembered_for_a_minute() {
    let (mut cache, id) = (AnswerCache::default(), server().id());
    cache.note_silence(id.clone(), at(NOW));
    assert_eq!(cache.look_up(&id, at(NOW + 59)), Known::Silence);
    assert_eq!(cache.look_up(&id, at(NOW + 60)), Known::Nothing);
    assert_eq!(cache.look_up(&id, at(NOW - 1)), Known::Nothing);
    cache.note(id.clone(), answer(Status::Good, NOW, NOW + DAY), at(NOW));
    assert_eq!(cache.look_up(&id, at(NOW)), Known::Good);
}

#[test]
fn the_cache_does_not_grow_for_ever() {
    let mut cache = AnswerCache::default();
    let mut ids = Vec::new();
    for number in 0..1000_u32 {
        // The serial number, and with it the identity, is in the certificate where openssl was told to put it.
        let mut certificate = fixture!("server").to_vec();
        let place = certificate.windows(4).position(|bytes| bytes == [2, 2, 0x10, 0]).unwrap();
        certificate[place + 2..place + 4].copy_from_slice(&(0x1000 + number).to_be_bytes()[2..]);
        let id = CheckedCertificate::read(&certificate, fixture!("ca.spki")).unwrap().id();
        cache.note(id.clone(), answer(Status::Good, NOW, NOW + DAY + u64::from(number)), at(NOW));
        cache.note_silence(id.clone(), at(NOW));
        ids.push(id);
    }
    let known = ids.iter().filter(|id| cache.look_up(id, at(NOW)) == Known::Good).count();
    assert_eq!(known, 256);
    assert_eq!(cache.look_up(&ids[999], at(NOW)), Known::Good);
}
