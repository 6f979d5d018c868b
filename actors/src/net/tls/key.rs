//! Private keys in PEM, in all the forms that tools write: plain, encrypted PKCS#8, and the older encryption of PEM
//! itself (RFC 1421), whose key is derived as OpenSSL does it.

use aes::{Aes128, Aes192, Aes256};
use cbc::{
    Decryptor,
    cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7},
};
use des::TdesEde3;
use md5::{Digest, Md5};
use pem::Pem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

/// What every encoded key begins with.
const DER_SEQUENCE: u8 = 0x30;

/// Why a key cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("the private key is encrypted: give its password with tlsCertificateKeyFilePassword")]
    PasswordMissing,
    #[error("the private key cannot be decrypted: the password is wrong, or the key is damaged")]
    PasswordWrong,
    #[error("the private key is encrypted in a way that is not supported ({0}): use PKCS#8 with AES-256")]
    Encryption(String),
    #[error("the private key cannot be read: {0}")]
    Malformed(&'static str),
}

impl KeyFault {
    /// The option at fault.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::PasswordMissing | Self::PasswordWrong => "tlsCertificateKeyFilePassword",
            Self::Encryption(_) | Self::Malformed(_) => "tlsCertificateKeyFile",
        }
    }
}

/// Reads the key in `block`, whose tag ends with `PRIVATE KEY`. A password is not looked at unless it is needed.
pub(super) fn read(block: Pem, password: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, KeyFault> {
    let tag = block.tag().to_owned();
    let encrypted = block.headers().get("Proc-Type").is_some_and(|kind| kind.contains("ENCRYPTED"));
    let der = match (tag.as_str(), encrypted) {
        ("ENCRYPTED PRIVATE KEY", _) => pkcs8(block.contents(), password.ok_or(KeyFault::PasswordMissing)?)?,
        (_, true) => legacy(&block, password.ok_or(KeyFault::PasswordMissing)?)?,
        (_, false) => Zeroizing::new(block.into_contents()),
    };
    let der = der.to_vec();
    match tag.as_str() {
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => Ok(PrivateKeyDer::Pkcs8(der.into())),
        "RSA PRIVATE KEY" => Ok(PrivateKeyDer::Pkcs1(der.into())),
        "EC PRIVATE KEY" => Ok(PrivateKeyDer::Sec1(der.into())),
        _ => Err(KeyFault::Malformed("it is neither an RSA, an EC nor an Ed25519 key")),
    }
}

fn pkcs8(contents: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let key = EncryptedPrivateKeyInfoRef::try_from(contents)
        .map_err(|_| KeyFault::Encryption("an unknown PKCS#5 scheme".into()))?;
    let decrypted = key.decrypt(password).map_err(|_| KeyFault::PasswordWrong)?;
    Ok(Zeroizing::new(decrypted.as_bytes().to_vec()))
}

fn legacy(block: &Pem, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let info = block.headers().get("DEK-Info").ok_or(KeyFault::Malformed("it has no DEK-Info"))?;
    let (cipher, iv) = info.split_once(',').ok_or(KeyFault::Malformed("its DEK-Info has no salt"))?;
    let iv = hex(iv.trim()).ok_or(KeyFault::Malformed("the salt in its DEK-Info is not hexadecimal"))?;
    let (data, cipher) = (block.contents(), cipher.trim());
    match cipher {
        "AES-128-CBC" => decrypt::<Aes128>(data, password, &iv),
        "AES-192-CBC" => decrypt::<Aes192>(data, password, &iv),
        "AES-256-CBC" => decrypt::<Aes256>(data, password, &iv),
        "DES-EDE3-CBC" => decrypt::<TdesEde3>(data, password, &iv),
        _ => Err(KeyFault::Encryption(cipher.to_owned())),
    }
}

fn decrypt<C: BlockCipherDecrypt + KeyInit>(
    data: &[u8],
    password: &[u8],
    iv: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let salt = iv.get(..8).ok_or(KeyFault::Malformed("the salt in its DEK-Info is too short"))?;
    let key = derive(password, salt, C::key_size());
    let cipher = Decryptor::<C>::new_from_slices(&key, iv)
        .map_err(|_| KeyFault::Malformed("the salt in its DEK-Info has the wrong length"))?;
    // A wrong password nearly always leaves a wrong padding; whatever remains is then no key.
    let plain = cipher.decrypt_padded_vec::<Pkcs7>(data).map_err(|_| KeyFault::PasswordWrong)?;
    match plain.first() {
        Some(&DER_SEQUENCE) => Ok(Zeroizing::new(plain)),
        _ => Err(KeyFault::PasswordWrong),
    }
}

/// The key that OpenSSL derives from a password for PEM: digests chained until there are enough bytes.
fn derive(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    while key.len() < length {
        let mut digest = Md5::new();
        digest.update(&key[key.len().saturating_sub(16)..]);
        digest.update(password);
        digest.update(salt);
        key.extend_from_slice(&digest.finalize());
    }
    key.truncate(length);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
