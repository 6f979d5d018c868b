//! Which suite runs which file. Each suite turns a file into cases.

mod auth_legacy;
mod bson_corpus;
mod bson_vector;
mod cmap_format;
mod concerns;
mod connection_string;
mod described;
mod max_staleness;
mod sdam;
mod seedlist;
mod server_selection;
mod uri_options;

use std::collections::BTreeSet;

use libtest_mimic::Failed;

use crate::{discovery::SpecFile, unified};

/// One test of a specification file.
pub(crate) struct Case {
    /// `suite/path/case`.
    pub(crate) name: String,
    /// Where it runs, if it runs on several topologies.
    pub(crate) variant: Option<&'static str>,
    /// Runs it; the error says what differs from what the file expects.
    pub(crate) run: Box<dyn FnOnce() -> Result<(), Failed> + Send>,
    /// What it makes use of that a driver may lack, as entries of `skips.toml` name it.
    pub(crate) uses: BTreeSet<String>,
    /// Why the file itself says that it cannot run here.
    pub(crate) ignored: Option<String>,
}

impl Case {
    /// The case `case` of `file`.
    pub(crate) fn new(file: &SpecFile, case: &str, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Self {
        let name = format!("{}/{case}", file.name);
        Self { name, variant: None, run: Box::new(run), uses: BTreeSet::new(), ignored: None }
    }

    /// The case `case` of `file`, which cannot run here for a reason that the file gives.
    pub(crate) fn ignored(file: &SpecFile, case: &str, reason: String) -> Self {
        Self { ignored: Some(reason), ..Self::new(file, case, || Ok(())) }
    }

    /// The same, one of several that run on different topologies.
    pub(crate) fn on(self, topology: &'static str) -> Self {
        Self { variant: Some(topology), ..self }
    }
}

impl Case {
    /// The name with the topology it runs on, if there are several.
    pub(crate) fn full_name(&self) -> String {
        match self.variant {
            Some(topology) => format!("{} [{topology}]", self.name),
            None => self.name.clone(),
        }
    }
}

/// A suite: the folders whose files it runs, and how it reads a file.
struct Suite {
    folders: &'static [&'static str],
    cases: fn(&SpecFile) -> Vec<Case>,
}

const SUITES: &[Suite] = &[
    Suite { folders: &["connection-string/"], cases: connection_string::cases },
    Suite { folders: &["uri-options/"], cases: uri_options::cases },
    Suite { folders: &["auth/legacy/"], cases: auth_legacy::cases },
    Suite {
        folders: &["read-write-concern/connection-string/", "read-write-concern/document/"],
        cases: concerns::cases,
    },
    Suite {
        folders: &[
            "server-discovery-and-monitoring/errors/",
            "server-discovery-and-monitoring/load-balanced/",
            "server-discovery-and-monitoring/monitoring/",
            "server-discovery-and-monitoring/rs/",
            "server-discovery-and-monitoring/sharded/",
            "server-discovery-and-monitoring/single/",
        ],
        cases: sdam::cases,
    },
    Suite {
        folders: &["server-selection/in_window/", "server-selection/rtt/", "server-selection/server_selection/"],
        cases: server_selection::cases,
    },
    Suite { folders: &["max-staleness/"], cases: max_staleness::cases },
    Suite { folders: &["connection-monitoring-and-pooling/cmap-format/"], cases: cmap_format::cases },
    Suite { folders: &["initial-dns-seedlist-discovery/"], cases: seedlist::cases },
    Suite { folders: &["bson-corpus/"], cases: bson_corpus::cases },
    Suite { folders: &["bson-binary-vector/"], cases: bson_vector::cases },
    Suite { folders: &["unified-test-format/invalid/"], cases: unified::invalid_cases },
    Suite { folders: &["unified-test-format/valid-fail/"], cases: unified::failing_cases },
    Suite {
        folders: &["client-side-operations-timeout/", "transactions/unified/error-labels-blockConnection"],
        cases: unified::timed_cases,
    },
    Suite {
        folders: &[
            "unified-test-format/valid-pass/",
            "crud/",
            "collection-management/",
            "index-management/",
            "run-command/",
            "command-logging-and-monitoring/",
            "connection-monitoring-and-pooling/logging/",
            "server-selection/logging/",
            "retryable-reads/",
            "retryable-writes/",
            "read-write-concern/operation/",
            "server-discovery-and-monitoring/unified/",
            "mongodb-handshake/",
            "auth/unified/",
            "gridfs/",
            "versioned-api/",
            "load-balancers/",
            "sessions/",
            "causal-consistency/",
            "change-streams/",
            "client-backpressure/",
            "transactions/",
            "transactions-convenient-api/",
        ],
        cases: unified::cases,
    },
];

/// The cases of `file`. Those of a file that no suite claims fail.
pub(crate) fn cases_of(file: &SpecFile) -> Vec<Case> {
    let claims = |suite: &&Suite| suite.folders.iter().any(|folder| file.name.starts_with(folder));
    match SUITES.iter().find(claims) {
        Some(suite) => (suite.cases)(file),
        None => unclaimed(file),
    }
}

fn unclaimed(file: &SpecFile) -> Vec<Case> {
    let fail = || Err(Failed::from("no suite of this runner claims this file"));
    let described = file.json["tests"].as_array().into_iter().flatten();
    let mut cases: Vec<_> =
        described.filter_map(|test| test["description"].as_str()).map(|case| Case::new(file, case, fail)).collect();
    if cases.is_empty() {
        cases.push(Case::new(file, "file", fail));
    }
    cases
}
