//! A connection string, and behind a zero byte each the hosts and TXT records that DNS answers with.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{address::ServerAddress, options::ClientOptions, uri::ConnectionString};
use percent_encoding::percent_decode_str;
use rand::{SeedableRng, rngs::StdRng};

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let uri = parts.next().unwrap_or_default();
    let parsed = ConnectionString::parse(uri);
    let Ok(options) = ClientOptions::parse(uri) else { return };
    let parsed = parsed.expect("what has options can be parsed");
    options.validate().expect("options that were accepted fit together");
    for warning in options.warnings().iter().chain(options.notices()) {
        assert!(!warning.to_string().is_empty());
    }
    let shown = format!("{options:?} {parsed:?}");
    if let Some(password) = parsed.password.as_ref().map(|secret| secret.expose()).filter(|it| it.len() > 12) {
        // It may be part of something else that is shown only if that was given as well, in whatever spelling.
        let decoded = percent_decode_str(uri).decode_utf8_lossy();
        assert!(!shown.contains(password) || decoded.matches(password).count() > 1, "the password is shown");
    }
    if options.srv.is_some() {
        let hosts = parts.next().unwrap_or_default().split(',').filter_map(|host| host.parse::<ServerAddress>().ok());
        let hosts: Vec<_> = hosts.collect();
        let texts: Vec<String> = parts.map(str::to_owned).collect();
        if let Ok(resolved) = options.apply_txt_and_hosts(hosts, &texts, &mut StdRng::seed_from_u64(1)) {
            assert!(!resolved.hosts.is_empty());
            resolved.validate().expect("options that were accepted fit together");
        }
    } else {
        assert!(!options.hosts.is_empty());
        for host in &options.hosts {
            let again: ServerAddress = host.to_string().parse().expect("an address can be read as it is written");
            assert_eq!(again, *host);
        }
    }
});
