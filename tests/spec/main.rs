//! Runs the public MongoDB driver specifications' test files against this driver.
//!
//! Every JSON file below the specification folder (`MONGO_SPECS`, else `../shared/specs` beside the
//! project) is discovered and becomes one test per case, named `suite/path/case`. A file that no suite
//! claims fails, unless `skips.toml` names it with a reason.

mod discovery;
mod skips;
mod suites;
mod unified;

use std::{num::NonZero, process::ExitCode, thread};

use libtest_mimic::{Arguments, Trial};

/// Most cases at a time by default: each may have a deployment of its own.
const MOST_AT_A_TIME: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(cases_at_a_time);
    let Some(folder) = discovery::specification_folder() else {
        let reason = "specification files not found: set MONGO_SPECS to a folder that holds them; nothing was tested";
        eprintln!("{reason}");
        let nothing = Trial::test(reason, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&arguments, vec![nothing]).exit_code();
    };
    let skips = skips::Skips::load();
    let mut trials = Vec::new();
    for file in discovery::files(&folder) {
        for case in suites::cases_of(&file) {
            let reason = case.ignored.as_deref().or_else(|| skips.reason_for(&case));
            let name = match reason {
                Some(reason) => format!("{} [{reason}]", case.full_name()),
                None => case.full_name(),
            };
            let is_ignored = reason.is_some();
            trials.push(Trial::test(name, case.run).with_ignored_flag(is_ignored));
        }
    }
    if folder.is_default {
        trials.push(skips.stale_entries_trial());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Cases wait for servers, and for time to pass, more than they compute.
fn cases_at_a_time() -> usize {
    (2 * thread::available_parallelism().map_or(1, NonZero::get)).min(MOST_AT_A_TIME)
}
