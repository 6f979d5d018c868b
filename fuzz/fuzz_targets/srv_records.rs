//! What DNS answers about a `mongodb+srv` name: a line with the connection string, one per SRV record (target, port and
//! lifetime), and behind a zero byte each the TXT records.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    address::ServerAddress,
    options::ClientOptions,
    sdam::{SrvPolling, SrvRecord},
};
use rand::{SeedableRng, rngs::StdRng};

fn record(line: &str) -> Option<SrvRecord> {
    let mut fields = line.split(' ');
    let host = fields.next()?.to_ascii_lowercase();
    let port = fields.next()?.parse().ok()?;
    let ttl = Duration::from_secs(fields.next()?.parse::<u32>().ok()?.into());
    Some(SrvRecord { target: ServerAddress::Tcp { host, port }, ttl })
}

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let mut lines = parts.next().unwrap_or_default().lines();
    let Ok(options) = ClientOptions::parse(lines.next().unwrap_or_default()) else { return };
    let Some(srv) = options.srv.clone() else { return };
    let records: Vec<SrvRecord> = lines.filter_map(record).collect();
    let texts: Vec<String> = parts.map(str::to_owned).collect();
    let inside = |host: &ServerAddress| {
        let domain = srv.host.trim_end_matches('.').rsplit('.').take(2).collect::<Vec<_>>();
        let host = host.host().trim_end_matches('.').to_ascii_lowercase();
        host.rsplit('.').zip(domain).all(|(theirs, ours)| theirs == ours)
    };

    let least = SrvPolling::LEAST_INTERVAL;
    let rescan = SrvPolling::new(&options, least).answered(&srv, records.clone());
    assert_eq!(rescan.hosts.len() + rescan.refused.len(), records.len());
    assert!(rescan.hosts.iter().all(inside), "{:?} for {}", rescan.hosts, srv.host);
    assert!(rescan.next >= least || rescan.hosts.is_empty() && rescan.next == options.heartbeat_frequency);
    assert!(rescan.refused.iter().all(|reason| !reason.to_string().is_empty()));

    let hosts: Vec<_> = records.into_iter().map(|record| record.target).collect();
    let resolved = options.apply_txt_and_hosts(hosts.clone(), &texts, &mut StdRng::seed_from_u64(1));
    let Ok(mut resolved) = resolved else { return };
    assert!(resolved.hosts.iter().all(|host| inside(host) && hosts.contains(host)));
    let limit = usize::try_from(srv.max_hosts).unwrap_or(usize::MAX);
    assert_eq!(resolved.hosts.len(), if limit == 0 { hosts.len() } else { hosts.len().min(limit) });
    resolved.validate().expect("options that were accepted fit together");
    // Nothing else may be changed from outside: no TLS option, no mechanism, no limit.
    if options.replica_set.is_none() {
        resolved.replica_set = None;
    }
    if !options.load_balanced {
        resolved.load_balanced = false;
    }
    if let (Some(mine), Some(theirs)) = (&options.credential, &mut resolved.credential) {
        theirs.source.clone_from(&mine.source);
    }
    resolved.hosts.clear();
    let changed = |options: &ClientOptions| {
        let mut fields = format!("{options:?}");
        // Warnings about what TXT records say are welcome.
        fields.truncate(fields.find("warnings: ").unwrap_or(fields.len()));
        fields
    };
    assert_eq!(changed(&resolved), changed(&options));
});
