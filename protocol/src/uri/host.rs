//! The hosts of a connection string.

use std::{net::IpAddr, path::PathBuf};

use super::decode;
use crate::{
    address::{DEFAULT_PORT, ServerAddress},
    options::ConfigError,
};

/// What a host of a connection string looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A name.
    Name,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address, in brackets when written.
    IpLiteral,
    /// The path of a Unix domain socket.
    Unix,
}

/// One host of a connection string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeedHost {
    /// What it looks like.
    pub kind: HostKind,
    /// The decoded text, an IPv6 address without its brackets.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
}

impl SeedHost {
    /// The address, with `default_port` where none was written.
    pub fn address(&self, default_port: u16) -> ServerAddress {
        match self.kind {
            HostKind::Unix => ServerAddress::Unix { path: PathBuf::from(&self.host) },
            _ => ServerAddress::Tcp { host: self.host.to_ascii_lowercase(), port: self.port.unwrap_or(default_port) },
        }
    }
}

/// Parses a comma-separated list. Texts are quoted in messages only if `quotable`.
pub(super) fn parse_list(text: &str, quotable: bool) -> Result<Vec<SeedHost>, ConfigError> {
    if text.is_empty() {
        return Err(ConfigError::uri("hosts", "at least one host must be given"));
    }
    let parse = |(index, text): (usize, &str)| {
        parse(text).map_err(|reason| {
            let place = match quotable {
                true => format!("host {} (\"{text}\")", index + 1),
                false => format!("host {}", index + 1),
            };
            let hint = if quotable { "" } else { "; slashes in a user name or password must be written %2F" };
            ConfigError::uri(place, format!("{reason}{hint}"))
        })
    };
    text.split(',').enumerate().map(parse).collect()
}

fn parse(text: &str) -> Result<SeedHost, String> {
    if text.is_empty() {
        return Err("it is empty: remove the comma or write a host".to_owned());
    }
    let decoded = decode(text).map_err(|fault| fault.remedy().to_owned())?;
    if decoded.contains('/') {
        return match decoded.ends_with(".sock") {
            true => Ok(SeedHost { kind: HostKind::Unix, host: decoded, port: None }),
            false => Err("a host has no slash, and the path of a Unix socket ends in .sock without a port".to_owned()),
        };
    }
    if decoded.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it contains white space".to_owned());
    }
    let (host, port) = match text.starts_with('[') {
        true => split_literal(&decoded)?,
        false => split_name(text)?,
    };
    let kind = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => HostKind::Ipv4,
        _ if text.starts_with('[') => HostKind::IpLiteral,
        _ => HostKind::Name,
    };
    Ok(SeedHost { kind, host, port })
}

/// Splits `[address]` or `[address]:port`.
fn split_literal(text: &str) -> Result<(String, Option<u16>), String> {
    let address = ServerAddress::parse(text, DEFAULT_PORT).map_err(|error| error.reason.to_owned())?;
    let port = if text.ends_with(']') { None } else { address.port() };
    Ok((address.host().into_owned(), port))
}

/// Splits `name` or `name:port`; the colon of a port is never escaped.
fn split_name(text: &str) -> Result<(String, Option<u16>), String> {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        Some(_) => return Err("it has several colons: an IPv6 address must stand in brackets".to_owned()),
        None => (text, None),
    };
    let name = decode(name).map_err(|fault| fault.remedy().to_owned())?;
    if name.contains([':', '[', ']', '@', ',']) {
        return Err("it contains a character that no host name has; an IPv6 address must stand in brackets".to_owned());
    }
    if name.is_empty() {
        return Err("no host comes before the port".to_owned());
    }
    Ok((name, port.map(parse_port).transpose()?))
}

fn parse_port(text: &str) -> Result<u16, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port @ 1..) if is_number => Ok(port),
        _ => Err("the port must be a number from 1 to 65535".to_owned()),
    }
}
