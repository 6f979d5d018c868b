//! Connection strings.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{tls::ServerTls, wire::client::Credentials};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Option values may show their colons and commas.
const RESERVED_IN_VALUE: &AsciiSet = &RESERVED.remove(b':').remove(b',');

/// Composes a connection string; `options` are appended as they are, apart from percent-encoding their values, and
/// go before those that `tls` needs.
pub(crate) fn compose(
    hosts: &[String],
    credentials: Option<&Credentials>,
    tls: Option<&ServerTls>,
    options: &[(&str, &str)],
) -> String {
    let of_tls = tls.map(ServerTls::uri_options).unwrap_or_default();
    let of_tls = of_tls.iter().map(|(name, value)| (*name, value.as_str()));
    let mut all: Vec<_> = of_tls.filter(|(name, _)| options.iter().all(|(given, _)| given != name)).collect();
    all.extend_from_slice(options);
    let mut uri = "mongodb://".to_owned();
    if let Some(Credentials { user, password }) = credentials {
        let encode = |text| utf8_percent_encode(text, RESERVED);
        uri += &format!("{}:{}@", encode(user), encode(password));
    }
    uri += &hosts.join(",");
    uri.push('/');
    for (index, (name, value)) in all.iter().enumerate() {
        uri.push(if index == 0 { '?' } else { '&' });
        uri += &format!("{name}={}", utf8_percent_encode(value, RESERVED_IN_VALUE));
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_escaped() {
        let credentials = Credentials { user: "a@b".into(), password: "p:/w".into() };
        let hosts = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];
        assert_eq!(
            compose(&hosts, Some(&credentials), None, &[("replicaSet", "rs"), ("readPreferenceTags", "dc:a,x:b")]),
            "mongodb://a%40b:p%3A%2Fw@127.0.0.1:1,127.0.0.1:2/?replicaSet=rs&readPreferenceTags=dc:a,x:b"
        );
        assert_eq!(compose(&hosts[..1], None, None, &[]), "mongodb://127.0.0.1:1/");
    }
}
