//! The cases that are not run, each with its reason.

use std::cell::RefCell;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use crate::suites::Case;

/// The content of `skips.toml`.
pub(crate) struct Skips {
    entries: Vec<Skip>,
    used: RefCell<Vec<bool>>,
}

#[derive(Deserialize)]
struct File {
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(flatten)]
    which: Which,
    /// A reason that a user of the driver could accept.
    reason: String,
}

/// Which cases an entry is about.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// Those of this name, with or without the topology they run on; a `*` stands for any text.
    Case(String),
    /// Those that make use of this.
    Uses(String),
}

impl Skips {
    pub(crate) fn load() -> Self {
        let file: File = toml::from_str(include_str!("skips.toml")).expect("skips.toml is well-formed");
        let used = RefCell::new(vec![false; file.skip.len()]);
        Self { entries: file.skip, used }
    }

    /// Why `case` is not run; none when it is.
    pub(crate) fn reason_for(&self, case: &Case) -> Option<&str> {
        let index = self.entries.iter().position(|skip| skip.covers(case))?;
        self.used.borrow_mut()[index] = true;
        Some(&self.entries[index].reason)
    }

    /// A test that fails when an entry covers no case any more.
    pub(crate) fn stale_entries_trial(self) -> Trial {
        let used = self.used.into_inner();
        let stale: Vec<String> =
            self.entries.into_iter().zip(used).filter(|(_, used)| !used).map(|(skip, _)| skip.into_name()).collect();
        Trial::test("skips.toml/every entry covers a case", move || match stale.is_empty() {
            true => Ok(()),
            false => Err(Failed::from(format!("these entries cover no case: {}", stale.join(", ")))),
        })
    }
}

impl Skip {
    fn covers(&self, case: &Case) -> bool {
        match &self.which {
            Which::Case(pattern) => fits(pattern, &case.name) || fits(pattern, &case.full_name()),
            Which::Uses(feature) => case.uses.contains(feature),
        }
    }

    fn into_name(self) -> String {
        match self.which {
            Which::Case(name) | Which::Uses(name) => name,
        }
    }
}

/// Whether `name` is what `pattern` says, in which a `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut tails = name.char_indices().map(|(index, _)| &name[index..]).chain([""]);
            tails.any(|tail| fits(rest, tail))
        }),
    }
}
