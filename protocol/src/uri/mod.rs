//! The syntax of connection strings (connection string and initial DNS seedlist discovery specifications).
//!
//! Nothing is looked up and no option is interpreted here; [`crate::options`] does the latter.

mod host;
pub mod srv;

use std::fmt;

pub use host::{HostKind, SeedHost};

use crate::{auth::secret::Secret, options::ConfigError};

/// The scheme of a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `mongodb://`: a list of hosts.
    MongoDb,
    /// `mongodb+srv://`: one name that DNS turns into a list of hosts.
    MongoDbSrv,
}

/// A connection string taken apart, its parts percent-decoded. Its `Debug` output shows no secrets.
///
/// ```
/// use mongo_actors_protocol::uri::ConnectionString;
///
/// let uri = ConnectionString::parse("mongodb://alice:p%40ss@db0,db1:27018/app?w=majority").unwrap();
/// assert_eq!(uri.username.as_deref(), Some("alice"));
/// assert_eq!(uri.hosts.len(), 2);
/// assert_eq!(uri.database.as_deref(), Some("app"));
/// assert_eq!(uri.options[0].name, "w");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionString {
    /// The scheme.
    pub scheme: Scheme,
    /// The user name, never empty.
    pub username: Option<String>,
    /// The password, which may be empty.
    pub password: Option<Secret>,
    /// The hosts in their order; never empty, and exactly one for [`Scheme::MongoDbSrv`].
    pub hosts: Vec<SeedHost>,
    /// The database, up to the first dot.
    pub database: Option<String>,
    /// What follows that dot.
    pub collection: Option<String>,
    /// The options in their order, repetitions included.
    pub options: Vec<UriOption>,
}

/// One `name=value` pair of a connection string.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UriOption {
    /// The name as it was written.
    pub name: String,
    /// The decoded value, which may be empty.
    pub value: String,
}

impl fmt::Debug for UriOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.to_ascii_lowercase();
        let is_secret = ["pass", "properties", "token", "secret"].iter().any(|part| name.contains(part));
        write!(f, "{}={}", self.name, if is_secret { "<secret>" } else { &self.value })
    }
}

impl ConnectionString {
    /// Takes a connection string apart.
    ///
    /// # Errors
    /// [`ConfigError::InvalidUri`] names the part that is at fault and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let (scheme, rest) = split_scheme(text)?;
        let (authority, path, query) = split_sections(rest)?;
        let (user_info, host_list) = match authority.rsplit_once('@') {
            Some((user_info, host_list)) => (Some(user_info), host_list),
            None => (None, authority),
        };
        let (username, password) = match user_info {
            Some(user_info) => parse_user_info(user_info)?,
            None => (None, None),
        };
        // Hosts must not be quoted in messages when they may be a piece of a password.
        let quotable = !path.contains('@');
        let hosts = host::parse_list(host_list, quotable)?;
        if scheme == Scheme::MongoDbSrv {
            srv::check_seed(&hosts)?;
        }
        let (database, collection) = parse_namespace(path)?;
        let options = parse_options(query)?;
        Ok(Self { scheme, username, password, hosts, database, collection, options })
    }

    /// Database and collection as they were written; none without a database.
    pub fn namespace(&self) -> Option<String> {
        let database = self.database.as_ref()?;
        Some(match &self.collection {
            Some(collection) => format!("{database}.{collection}"),
            None => database.clone(),
        })
    }
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), ConfigError> {
    let (scheme, rest) = if let Some(rest) = text.strip_prefix("mongodb://") {
        (Scheme::MongoDb, rest)
    } else if let Some(rest) = text.strip_prefix("mongodb+srv://") {
        (Scheme::MongoDbSrv, rest)
    } else {
        return Err(ConfigError::uri("scheme", "it must begin with mongodb:// or mongodb+srv://"));
    };
    if rest.is_empty() {
        return Err(ConfigError::uri("hosts", "at least one host must follow the scheme"));
    }
    Ok((scheme, rest))
}

/// Splits into user information with hosts, the part between slash and question mark, and the options.
fn split_sections(rest: &str) -> Result<(&str, &str, &str), ConfigError> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    if authority.is_empty() {
        return Err(ConfigError::uri(
            "hosts",
            "no host comes before the first slash; slashes in the path of a Unix socket must be written %2F",
        ));
    }
    let after = after.strip_prefix('/').unwrap_or(after);
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    Ok((authority, path, query))
}

fn parse_user_info(text: &str) -> Result<(Option<String>, Option<Secret>), ConfigError> {
    let invalid = |reason: &str| ConfigError::uri("user name and password", reason);
    if text.contains('@') {
        return Err(invalid("@ must be written %40"));
    }
    let (username, password) = match text.split_once(':') {
        Some((username, password)) => (username, Some(password)),
        None => (text, None),
    };
    if password.is_some_and(|password| password.contains(':')) {
        return Err(invalid("a colon in a user name or password must be written %3A"));
    }
    if username.is_empty() {
        return Err(invalid("the user name is empty: write one before the @, or drop the @"));
    }
    let username = decode(username).map_err(|fault| invalid(fault.remedy()))?;
    let password = password.map(|text| decode(text).map_err(|fault| invalid(fault.remedy()))).transpose()?;
    Ok((Some(username), password.map(Secret::from)))
}

fn parse_namespace(path: &str) -> Result<(Option<String>, Option<String>), ConfigError> {
    let invalid = |reason: &str| ConfigError::uri("database", reason);
    if path.is_empty() {
        return Ok((None, None));
    }
    let text = decode(path).map_err(|fault| invalid(fault.remedy()))?;
    if text.contains('/') && path.contains('@') {
        return Err(invalid("it contains a slash; slashes in a user name or password must be written %2F"));
    }
    if text.contains(['/', '\\', ' ', '"', '$', '\0']) {
        return Err(invalid("it must not contain a slash, backslash, space, quotation mark or dollar sign"));
    }
    let (database, collection) = match text.split_once('.') {
        Some((database, collection)) => (database, Some(collection)),
        None => (text.as_str(), None),
    };
    if database.is_empty() {
        return Err(invalid("no database comes before the dot"));
    }
    Ok((Some(database.to_owned()), collection.filter(|name| !name.is_empty()).map(str::to_owned)))
}

/// Splits and decodes `name=value` pairs; also the form of TXT records.
pub(crate) fn parse_options(text: &str) -> Result<Vec<UriOption>, ConfigError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let separator = match (text.contains('&'), text.contains(';')) {
        (true, true) => {
            return Err(ConfigError::uri("options", "they are separated by & and by ; both: use & throughout"));
        }
        (false, true) => ';',
        _ => '&',
    };
    text.split(separator).enumerate().map(|(index, pair)| parse_pair(index + 1, pair)).collect()
}

fn parse_pair(number: usize, pair: &str) -> Result<UriOption, ConfigError> {
    let (name, value) = match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => (name, value),
        Some(_) => return Err(ConfigError::uri(format!("option {number}"), "no name comes before the =")),
        None => return Err(ConfigError::uri(format!("option {number}"), "it must have the form name=value")),
    };
    let name = decode(name).map_err(|fault| ConfigError::uri(format!("option {number}"), fault.remedy()))?;
    let value = decode(value).map_err(|fault| ConfigError::uri(format!("option {name}"), fault.remedy()))?;
    Ok(UriOption { name, value })
}

/// Why a text cannot be percent-decoded.
#[derive(Clone, Copy, Debug)]
enum BadEscape {
    NotHexadecimal,
    NotUtf8,
}

impl BadEscape {
    fn remedy(self) -> &'static str {
        match self {
            Self::NotHexadecimal => "% must be followed by two hexadecimal digits; a percent sign is written %25",
            Self::NotUtf8 => "its escapes do not decode to UTF-8 text",
        }
    }
}

/// Replaces `%XX` by bytes. A plus sign stays a plus sign.
fn decode(text: &str) -> Result<String, BadEscape> {
    let mut pieces = text.split('%');
    pieces.next();
    let is_escape = |piece: &str| piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !pieces.all(is_escape) {
        return Err(BadEscape::NotHexadecimal);
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| BadEscape::NotUtf8)?.into_owned())
}

#[cfg(test)]
mod tests;
