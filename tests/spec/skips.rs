//! The cases that are not run, each with its reason.

use std::cell::RefCell;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

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
#[serde(deny_unknown_fields)]
struct Skip {
    /// A case's name; a `*` at its end stands for any text.
    case: String,
    /// A reason that a user of the driver could accept.
    reason: String,
}

impl Skips {
    pub(crate) fn load() -> Self {
        let file: File = toml::from_str(include_str!("skips.toml")).expect("skips.toml is well-formed");
        let used = RefCell::new(vec![false; file.skip.len()]);
        Self { entries: file.skip, used }
    }

    /// Why the case `name` is not run; none when it is.
    pub(crate) fn reason_for(&self, name: &str) -> Option<&str> {
        let index = self.entries.iter().position(|skip| skip.covers(name))?;
        self.used.borrow_mut()[index] = true;
        Some(&self.entries[index].reason)
    }

    /// A test that fails when an entry covers no case any more.
    pub(crate) fn stale_entries_trial(self) -> Trial {
        let used = self.used.into_inner();
        let stale: Vec<String> =
            self.entries.into_iter().zip(used).filter(|(_, used)| !used).map(|(skip, _)| skip.case).collect();
        Trial::test("skips.toml/every entry covers a case", move || match stale.is_empty() {
            true => Ok(()),
            false => Err(Failed::from(format!("these entries cover no case: {}", stale.join(", ")))),
        })
    }
}

impl Skip {
    fn covers(&self, name: &str) -> bool {
        match self.case.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.case,
        }
    }
}
