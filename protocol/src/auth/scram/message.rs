//! The server's two messages.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{MAX_ITERATIONS, MIN_ITERATIONS, ScramError};

/// The server's answer to our first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a str, our_nonce: &str) -> Result<Self, ScramError> {
        let mut attributes = message.split(',');
        if message.starts_with("m=") {
            return Err(ScramError::UnsupportedExtension);
        }
        let nonce = take(&mut attributes, 'r')?;
        let salt = take(&mut attributes, 's')?;
        let iterations = take(&mut attributes, 'i')?;
        if nonce.len() <= our_nonce.len() || !nonce.starts_with(our_nonce) {
            return Err(ScramError::NonceMismatch);
        }
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty()).ok_or(ScramError::InvalidSalt)?;
        Ok(Self { nonce, salt, iterations: parse_iterations(iterations)? })
    }
}

fn parse_iterations(text: &str) -> Result<u32, ScramError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScramError::InvalidIterationCount);
    }
    // Digits that do not fit are a number beyond the bound.
    match text.parse().unwrap_or(u32::MAX) {
        iterations if iterations < MIN_ITERATIONS => Err(ScramError::TooFewIterations { iterations }),
        iterations if iterations > MAX_ITERATIONS => Err(ScramError::TooManyIterations { iterations }),
        iterations => Ok(iterations),
    }
}

/// The signature in the server's last message.
pub(super) fn parse_server_final(message: &str) -> Result<Vec<u8>, ScramError> {
    let mut attributes = message.split(',');
    if let Some(error) = message.strip_prefix("e=") {
        let message = error.split(',').next().unwrap_or_default().chars().take(200).collect();
        return Err(ScramError::Rejected { message });
    }
    let signature = take(&mut attributes, 'v')?;
    STANDARD.decode(signature).map_err(|_| ScramError::InvalidSignature)
}

fn take<'a>(attributes: &mut impl Iterator<Item = &'a str>, attribute: char) -> Result<&'a str, ScramError> {
    attributes
        .next()
        .and_then(|text| text.strip_prefix(attribute))
        .and_then(|text| text.strip_prefix('='))
        .ok_or(ScramError::MissingAttribute { attribute })
}
