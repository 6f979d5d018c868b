//! Which suite runs which file. Each suite turns a file into cases.

mod auth_legacy;
mod bson_corpus;
mod cmap_format;
mod concerns;
mod connection_string;
mod described;
mod max_staleness;
mod sdam;
mod seedlist;
mod server_selection;
mod uri_options;

use libtest_mimic::Failed;

use crate::discovery::SpecFile;

/// One test of a specification file.
pub(crate) struct Case {
    /// `suite/path/case`.
    pub(crate) name: String,
    /// Runs it; the error says what differs from what the file expects.
    pub(crate) run: Box<dyn FnOnce() -> Result<(), Failed> + Send>,
}

impl Case {
    /// The case `case` of `file`.
    pub(crate) fn new(file: &SpecFile, case: &str, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Self {
        Self { name: format!("{}/{case}", file.name), run: Box::new(run) }
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
