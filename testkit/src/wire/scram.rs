//! A SCRAM-SHA-256 login (RFC 7677) for names and passwords of plain ASCII.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use super::message::invalid;

const GS2_HEADER: &str = "n,,";

/// The client's side of one login.
pub(super) struct Login {
    password: String,
    client_first_bare: String,
    nonce: String,
    server_signature: Option<[u8; 32]>,
}

impl Login {
    pub(super) fn new(user: &str, password: &str) -> Self {
        let nonce = STANDARD.encode(rand::rng().random::<[u8; 24]>());
        let escaped = user.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={escaped},r={nonce}");
        Self { password: password.to_owned(), client_first_bare, nonce, server_signature: None }
    }

    pub(super) fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.client_first_bare)
    }

    /// Answers the server's first message with the proof.
    pub(super) fn proof(&mut self, server_first: &str) -> io::Result<String> {
        let field = |name: &str| {
            let value = server_first.split(',').find_map(|part| part.strip_prefix(name));
            value.ok_or_else(|| invalid(format!("the server's first SCRAM message lacks {name}")))
        };
        let nonce = field("r=")?;
        if !nonce.starts_with(&self.nonce) {
            return Err(invalid("the server changed the SCRAM nonce"));
        }
        let salt = STANDARD.decode(field("s=")?).map_err(io::Error::other)?;
        let rounds: u32 = field("i=")?.parse().map_err(io::Error::other)?;
        let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(self.password.as_bytes(), &salt, rounds);
        let client_key = mac(&salted, b"Client Key")?;
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(GS2_HEADER));
        let signed = format!("{},{server_first},{without_proof}", self.client_first_bare);
        let signature = mac(&stored_key, signed.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
        self.server_signature = Some(mac(&mac(&salted, b"Server Key")?, signed.as_bytes())?);
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Checks that the server knows the password too.
    pub(super) fn verify(&self, server_final: &str) -> io::Result<()> {
        let sent = server_final.strip_prefix("v=").and_then(|text| STANDARD.decode(text).ok());
        match (sent, self.server_signature) {
            (Some(sent), Some(expected)) if sent == expected => Ok(()),
            _ => Err(invalid("the server's SCRAM signature is wrong")),
        }
    }
}

fn mac(key: &[u8], data: &[u8]) -> io::Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(io::Error::other)?;
    mac.update(data);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_rfc() {
        let mut login = Login::new("user", "pencil");
        login.nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        login.client_first_bare = "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned();
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = login.proof(server_first).unwrap();
        assert!(proof.ends_with("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{proof}");
        login.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(login.verify("v=AAAA").is_err());
    }
}
