//! Published conversations, and servers that cheat.

use rand::{Rng, SeedableRng, rngs::StdRng};
use zeroize::Zeroizing;

use super::*;
use crate::auth::credential::Credential;

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// A conversation that waits for its keys, with the derivation it asked for.
fn challenged(mechanism: ScramMechanism, challenge: &str) -> Result<(ScramClient, KeyDerivation), ScramError> {
    let (mut client, _) = ScramClient::new(mechanism, "user", "pencil", NONCE.to_owned())?;
    match client.step(challenge.as_bytes(), false)? {
        Step::NeedKeys(derivation) => Ok((client, derivation)),
        step => panic!("{step:?}"),
    }
}

/// A conversation whose proof is out.
fn proved() -> ScramClient {
    let challenge = format!("r={NONCE}x,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=4096");
    let (mut client, derivation) = challenged(ScramMechanism::Sha1, &challenge).unwrap();
    client.with_keys(derivation.derive()).unwrap();
    client
}

fn fault(challenge: &str) -> ScramError {
    challenged(ScramMechanism::Sha256, challenge).map(|_| ()).unwrap_err()
}

#[test]
fn the_conversation_of_the_specification_with_sha_1() {
    let challenge = "r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000";
    let (mut client, derivation) = challenged(ScramMechanism::Sha1, challenge).unwrap();
    let proof = client.with_keys(derivation.derive()).unwrap();
    let expected = "c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY=";
    assert_eq!(String::from_utf8(proof).unwrap(), expected);
    assert!(matches!(client.step(b"v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=", true), Ok(Step::Done)));
}

#[test]
fn the_conversation_of_rfc_5802() {
    let password = Zeroizing::new(b"pencil".to_vec());
    let (mut client, first) =
        ScramClient::with_prepared_password(ScramMechanism::Sha1, "user", password, NONCE.to_owned()).unwrap();
    assert_eq!(first, b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    let challenge = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    let Ok(Step::NeedKeys(derivation)) = client.step(challenge, false) else { panic!("keys are due") };
    let proof = client.with_keys(derivation.derive()).unwrap();
    assert_eq!(proof, b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    assert!(matches!(client.step(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", true), Ok(Step::Done)));
}

#[test]
fn the_conversation_of_rfc_7677_with_the_longer_exchange_of_old_servers() {
    let (mut client, first) =
        ScramClient::new(ScramMechanism::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned()).unwrap();
    assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let Ok(Step::NeedKeys(derivation)) = client.step(challenge, false) else { panic!("keys are due") };
    assert_eq!(derivation.iterations(), 4096);
    let proof = client.with_keys(derivation.derive()).unwrap();
    assert!(proof.ends_with(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    let step = client.step(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", false).unwrap();
    assert!(matches!(step, Step::Send(payload) if payload.is_empty()));
    assert!(matches!(client.step(b"", true), Ok(Step::Done)));
    assert_eq!(client.step(b"", true).unwrap_err(), ScramError::OutOfTurn);
}

#[test]
fn user_names_are_escaped_but_not_prepared() {
    let (_, first) = ScramClient::new(ScramMechanism::Sha256, "a=b,\u{2168}", "x", NONCE.to_owned()).unwrap();
    assert_eq!(String::from_utf8(first).unwrap(), format!("n,,n=a=3Db=2C\u{2168},r={NONCE}"));
}

#[test]
fn passwords_are_prepared_for_sha_256_alone() {
    let id = |mechanism, password| {
        let (mut client, _) = ScramClient::new(mechanism, "user", password, NONCE.to_owned()).unwrap();
        match client.step(format!("r={NONCE}x,s=QSXCR+Q6sek8bf92,i=4096").as_bytes(), false) {
            Ok(Step::NeedKeys(derivation)) => derivation.id(),
            step => panic!("{step:?}"),
        }
    };
    for (raw, prepared) in [("I\u{ad}X", "IX"), ("\u{2163}", "IV"), ("I\u{ad}V", "IV"), ("a\u{a0}b", "a b")] {
        assert_eq!(id(ScramMechanism::Sha256, raw), id(ScramMechanism::Sha256, prepared));
        assert_ne!(id(ScramMechanism::Sha1, raw), id(ScramMechanism::Sha1, prepared));
    }
    assert_ne!(id(ScramMechanism::Sha256, "a"), id(ScramMechanism::Sha1, "a"));
    let error = ScramClient::new(ScramMechanism::Sha256, "user", "a\u{7}", NONCE.to_owned()).unwrap_err();
    assert_eq!(error, ScramError::ProhibitedPassword);
}

#[test]
fn what_we_bring_is_checked_first() {
    let new = |username, nonce: &str| {
        ScramClient::new(ScramMechanism::Sha1, username, "x", nonce.to_owned()).map(|_| ()).unwrap_err()
    };
    assert_eq!(new("", NONCE), ScramError::EmptyUsername);
    for nonce in ["", "a,b", "a b", "\u{e9}"] {
        assert_eq!(new("user", nonce), ScramError::InvalidNonce, "{nonce}");
    }
    let mut rng = StdRng::seed_from_u64(1);
    let (first, second) = (nonce(&mut rng), nonce(&mut rng));
    assert_ne!(first, second);
    assert_eq!(first.len(), 32);
    assert!(ScramClient::new(ScramMechanism::Sha1, "user", "x", first).is_ok());
}

#[test]
fn a_credential_begins_the_same_conversation() {
    let credential = Credential::new("user", "pencil");
    let (_, first) = ScramClient::for_credential(ScramMechanism::Sha1, &credential, NONCE.to_owned()).unwrap();
    assert_eq!(first, format!("n,,n=user,r={NONCE}").into_bytes());
    let mut incomplete = Credential::new("user", "pencil");
    incomplete.password = None;
    let error = ScramClient::for_credential(ScramMechanism::Sha1, &incomplete, NONCE.to_owned()).unwrap_err();
    assert_eq!(error, ScramError::MissingPassword);
    assert_eq!(ScramMechanism::of(AuthMechanism::ScramSha256), Some(ScramMechanism::Sha256));
    assert_eq!(ScramMechanism::of(AuthMechanism::Plain), None);
}

#[test]
fn each_fault_of_a_challenge_has_a_name() {
    let salt = "s=QSXCR+Q6sek8bf92";
    assert_eq!(fault(&format!("r=other,{salt},i=4096")), ScramError::NonceMismatch);
    assert_eq!(fault(&format!("r={NONCE},{salt},i=4096")), ScramError::NonceMismatch);
    assert_eq!(fault(&format!("m=x,r={NONCE}x,{salt},i=4096")), ScramError::UnsupportedExtension);
    assert_eq!(fault(""), ScramError::MissingAttribute { attribute: 'r' });
    assert_eq!(fault(&format!("r={NONCE}x,i=4096")), ScramError::MissingAttribute { attribute: 's' });
    assert_eq!(fault(&format!("r={NONCE}x,{salt}")), ScramError::MissingAttribute { attribute: 'i' });
    for salt in ["", "=", "QSXCR+Q6sek8bf9", "Q*=="] {
        assert_eq!(fault(&format!("r={NONCE}x,s={salt},i=4096")), ScramError::InvalidSalt, "{salt}");
    }
    for count in ["", "x", "-1", "+4096", "4096x", " 4096"] {
        assert_eq!(fault(&format!("r={NONCE}x,{salt},i={count}")), ScramError::InvalidIterationCount, "{count}");
    }
    for iterations in [0, 1, 4095] {
        let error = fault(&format!("r={NONCE}x,{salt},i={iterations}"));
        assert_eq!(error, ScramError::TooFewIterations { iterations });
    }
    assert_eq!(
        fault(&format!("r={NONCE}x,{salt},i=99999999999")),
        ScramError::TooManyIterations { iterations: u32::MAX }
    );
    assert!(challenged(ScramMechanism::Sha256, &format!("r={NONCE}x,{salt},i=4096,x=later")).is_ok());
}

#[test]
fn a_server_must_prove_itself_before_it_ends() {
    let (mut client, _) = ScramClient::new(ScramMechanism::Sha1, "user", "pencil", NONCE.to_owned()).unwrap();
    assert_eq!(client.step(b"", true).unwrap_err(), ScramError::EndedEarly);
    assert_eq!(proved().step(b"", true).unwrap_err(), ScramError::MissingAttribute { attribute: 'v' });
    assert_eq!(proved().step(b"v=***", true).unwrap_err(), ScramError::InvalidSignature);
    assert_eq!(proved().step(b"v=", true).unwrap_err(), ScramError::WrongSignature);
    assert_eq!(proved().step(b"v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=", true).unwrap_err(), ScramError::WrongSignature);
    assert_eq!(proved().step(b"\xff", true).unwrap_err(), ScramError::MalformedMessage);
    let rejected = ScramError::Rejected { message: "other-error".to_owned() };
    assert_eq!(proved().step(b"e=other-error,x=1", true).unwrap_err(), rejected);
}

#[test]
fn nothing_goes_on_after_a_fault() {
    let mut client = proved();
    assert!(client.step(b"v=", true).is_err());
    assert_eq!(client.step(b"v=", true).unwrap_err(), ScramError::OutOfTurn);
    let (mut client, derivation) =
        challenged(ScramMechanism::Sha1, &format!("r={NONCE}x,s=QSXCR+Q6sek8bf92,i=4096")).unwrap();
    assert_eq!(client.step(b"v=", true).unwrap_err(), ScramError::OutOfTurn);
    assert_eq!(client.with_keys(derivation.derive()).unwrap_err(), ScramError::OutOfTurn);
}

#[test]
fn cached_keys_serve_the_same_challenge_and_no_other() {
    let challenge = |salt: &str, iterations: u32| {
        challenged(ScramMechanism::Sha1, &format!("r={NONCE}x,s={salt},i={iterations}")).unwrap()
    };
    let (mut client, derivation) = challenge("QSXCR+Q6sek8bf92", 4096);
    let keys = derivation.derive();
    assert_eq!(keys.id(), derivation.id());
    let proof = client.with_keys(keys.clone()).unwrap();
    let (mut again, same) = challenge("QSXCR+Q6sek8bf92", 4096);
    assert_eq!(same.id(), keys.id());
    assert_eq!(again.with_keys(keys.clone()).unwrap(), proof);
    for (salt, iterations) in [("QSXCR+Q6sek8bf92", 4097), ("QSXCR+Q6sek8bf93", 4096)] {
        let (mut other, derivation) = challenge(salt, iterations);
        assert_ne!(derivation.id(), keys.id());
        assert_eq!(other.with_keys(keys.clone()).unwrap_err(), ScramError::ForeignKeys);
    }
}

#[test]
fn the_server_decides_what_a_credential_without_a_mechanism_uses() {
    let negotiate = |listed: Option<&[&str]>| ScramMechanism::negotiate(listed);
    assert_eq!(negotiate(None), ScramMechanism::Sha1);
    assert_eq!(negotiate(Some(&[])), ScramMechanism::Sha1);
    assert_eq!(negotiate(Some(&["PLAIN", "SCRAM-SHA-512"])), ScramMechanism::Sha1);
    assert_eq!(negotiate(Some(&["SCRAM-SHA-1", "SCRAM-SHA-256"])), ScramMechanism::Sha256);
}

#[test]
fn secrets_do_not_show() {
    let (client, derivation) =
        challenged(ScramMechanism::Sha256, &format!("r={NONCE}x,s=QSXCR+Q6sek8bf92,i=4096")).unwrap();
    let keys = derivation.derive();
    let (started, _) = ScramClient::new(ScramMechanism::Sha256, "user", "pencil", NONCE.to_owned()).unwrap();
    let shown = format!("{client:?} {derivation:?} {keys:?} {:?} {started:?}", keys.id());
    assert!(!shown.contains("pencil") && !shown.contains("112, 101, 110"), "{shown}");
}

#[test]
fn random_payloads_never_panic() {
    let mut rng = StdRng::seed_from_u64(3);
    let seed = format!("r={NONCE}x,s=QSXCR+Q6sek8bf92,i=4096").into_bytes();
    for _ in 0..2000 {
        let (mut client, _) = ScramClient::new(ScramMechanism::Sha256, "user", "x", NONCE.to_owned()).unwrap();
        let mut payload = seed.clone();
        for _ in 0..rng.random_range(0..4) {
            let position = rng.random_range(0..payload.len());
            payload[position] = rng.random();
        }
        let _ = client.step(&payload, rng.random_bool(0.1));
        let _ = client.step(&payload, rng.random_bool(0.5));
        let _ = message::parse_server_final(&String::from_utf8_lossy(&payload));
    }
}
