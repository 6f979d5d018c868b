//! Connection strings with the options of a test.

use bson::{Bson, Document};

use crate::unified::failure::{Outcome, failure};

/// The connection string `base` with `options`, which go before its own.
///
/// A direct connection has one seed and no replica set.
pub(crate) fn with_options(base: &str, options: &Document) -> Outcome<String> {
    let (servers, given) = base.split_once('?').unwrap_or((base, ""));
    let is_direct = options.get_bool("directConnection").unwrap_or(false);
    let is_kept = |name: &str| {
        let is_overridden = options.keys().any(|key| key.eq_ignore_ascii_case(name));
        let is_out_of_place = is_direct && name == "replicaSet";
        !is_overridden && !is_out_of_place
    };
    let kept = given.split('&').filter(|option| !option.is_empty());
    let mut all: Vec<String> =
        kept.filter(|option| is_kept(option.split('=').next().unwrap_or_default())).map(str::to_owned).collect();
    for (name, value) in options {
        match value {
            Bson::Array(values) if name == "readPreferenceTags" => {
                for value in values {
                    all.push(option(name, value)?);
                }
            }
            value => all.push(option(name, value)?),
        }
    }
    let servers = if is_direct { first_seed(servers) } else { servers.to_owned() };
    Ok(format!("{servers}?{}", all.join("&")))
}

fn first_seed(servers: &str) -> String {
    match servers.split_once(',') {
        Some((first, _)) => format!("{first}/"),
        None => servers.to_owned(),
    }
}

fn option(name: &str, value: &Bson) -> Outcome<String> {
    let text = match value {
        Bson::String(text) => text.clone(),
        Bson::Boolean(_) | Bson::Int32(_) | Bson::Int64(_) => value.to_string(),
        _ => return Err(failure!("the option {name} cannot be {value} in a connection string")),
    };
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    Ok(format!("{name}={}", text.bytes().map(encode).collect::<String>()))
}
