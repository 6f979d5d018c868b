//! A server's part of a SCRAM conversation: its messages, with a zero byte between them.

#![no_main]

use std::sync::OnceLock;

use bson::RawDocument;
use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::auth::{
    sasl::SaslReply,
    scram::{ClientKeys, ScramClient, ScramMechanism, Step},
};

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

fn client(mechanism: ScramMechanism) -> ScramClient {
    ScramClient::new(mechanism, "user", "pencil", NONCE.to_owned()).expect("a good user").0
}

/// Keys that were derived before: deriving takes too long to do it for every input.
fn known_keys(mechanism: ScramMechanism) -> ClientKeys {
    static KEYS: OnceLock<[ClientKeys; 2]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [ScramMechanism::Sha1, ScramMechanism::Sha256].map(|mechanism| {
            match client(mechanism).step(CHALLENGE, false) {
                Ok(Step::NeedKeys(derivation)) => derivation.derive(),
                other => panic!("{other:?}"),
            }
        })
    });
    keys[usize::from(mechanism == ScramMechanism::Sha256)].clone()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    if let Ok(document) = RawDocument::from_bytes(data) {
        let _ = SaslReply::read(document);
    }
    let mechanism = if choice & 1 == 0 { ScramMechanism::Sha1 } else { ScramMechanism::Sha256 };
    let mut client = client(mechanism);
    let mut proved = false;
    for (turn, message) in data.split(|byte| *byte == 0).take(6).enumerate() {
        let done = choice >> (turn + 1) & 1 == 1;
        match client.step(message, done) {
            // Keys of another salt are refused; those that fit lead on.
            Ok(Step::NeedKeys(derivation)) => {
                let keys = known_keys(mechanism);
                let fits = derivation.id() == keys.id();
                match client.with_keys(keys) {
                    Ok(_) => assert!(fits),
                    Err(_) => return,
                }
            }
            Ok(Step::Send(_)) => proved = true,
            Ok(Step::Done) => {
                assert!(proved || message.starts_with(b"v="), "done without the server's signature");
                return;
            }
            Err(error) => {
                assert!(!error.to_string().contains("pencil"));
                return;
            }
        }
    }
});
