//! Private keys in PEM. Those in encrypted PKCS#8 say themselves how long deriving their key takes, which may be for
//! ever: they are read without their password.

#![no_main]

#[path = "../../actors/src/net/tls/key.rs"]
#[allow(dead_code, unreachable_pub)]
mod key;

use libfuzzer_sys::fuzz_target;
use rustls::{crypto::ring::sign::any_supported_type, pki_types::PrivateKeyDer};

const PASSWORD: &[u8] = b"open-sesame";

fuzz_target!(|data: &[u8]| {
    let Ok(blocks) = pem::parse_many(data) else { return };
    for block in blocks.into_iter().filter(|block| block.tag().ends_with("PRIVATE KEY")).take(4) {
        let without = key::read(block.clone(), None);
        let password = (block.tag() != "ENCRYPTED PRIVATE KEY").then_some(PASSWORD);
        let with = key::read(block, password);
        match (&without, &with) {
            // A password that is not needed is not looked at.
            (Ok(without), Ok(with)) => assert_eq!(without, with),
            (Ok(_), Err(fault)) => panic!("a password spoils a key: {fault}"),
            _ => {}
        }
        for read in [without, with] {
            judge(read);
        }
    }
});

fn judge(read: Result<PrivateKeyDer<'static>, key::KeyFault>) {
    match read {
        // What is no key after all is refused where it is to be used.
        Ok(key) => drop(any_supported_type(&key)),
        Err(fault) => assert!(fault.option().starts_with("tlsCertificateKeyFile") && !fault.to_string().is_empty()),
    }
}
