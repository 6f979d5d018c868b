//! Accounts, between which money is moved in transactions: it does not come about, and it does not vanish.

use std::collections::{BTreeMap, BTreeSet};

use mongo_actors::bson::{Bson, Document, doc};

/// How many accounts there are.
const COUNT: i32 = 4;
/// What is in each of them at first.
const START: i32 = 1_000;

/// Money that is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) from: i32,
    pub(crate) to: i32,
    pub(crate) amount: i32,
}

impl Transfer {
    /// The transfer that follows from a random number.
    pub(crate) fn draw(choice: u32) -> Self {
        let below = |number: u32, limit: i32| i32::try_from(number % limit.unsigned_abs()).unwrap_or(0);
        let from = below(choice, COUNT);
        let to = (from + 1 + below(choice >> 8, COUNT - 1)) % COUNT;
        Self { from, to, amount: 1 + below(choice >> 16, 100) }
    }

    /// What it does to an account.
    fn effect_on(self, account: i32) -> i32 {
        self.amount * (i32::from(self.to == account) - i32::from(self.from == account))
    }
}

/// The accounts before anything was moved.
pub(crate) fn accounts() -> impl Iterator<Item = Document> {
    (0..COUNT).map(|id| doc! { "_id": id, "balance": START })
}

/// The transfers that an account knows of.
pub(crate) fn marks(account: &Document) -> Vec<i32> {
    account.get_array("marks").into_iter().flatten().filter_map(Bson::as_i32).collect()
}

/// What is wrong with the accounts as somebody has found them, at whatever moment.
pub(crate) fn audit(accounts: &[Document], transfer: impl Fn(i32) -> Option<Transfer>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for account in accounts {
        let (id, balance) = (account.get_i32("_id").unwrap_or(-1), account.get_i32("balance").unwrap_or(0));
        let marks = marks(account);
        let mut expected = START;
        for mark in &marks {
            if !known.entry(*mark).or_default().insert(id) {
                wrong.push(format!("transfer {mark} was applied to account {id} twice"));
            }
            match transfer(*mark).map(|transfer| transfer.effect_on(id)) {
                None | Some(0) => wrong.push(format!("account {id} knows of {mark}, which does not concern it")),
                Some(effect) => expected += effect,
            }
        }
        if balance != expected {
            wrong.push(format!("account {id} has {balance} instead of {expected}, after {marks:?}"));
        }
    }
    let halves = known.iter().filter(|(_, accounts)| accounts.len() == 1);
    wrong.extend(halves.map(|(mark, account)| format!("transfer {mark} was applied in part: to {account:?}")));
    let total: i32 = accounts.iter().filter_map(|account| account.get_i32("balance").ok()).sum();
    // They are made one by one.
    if total != START * COUNT && (accounts.len() == COUNT as usize || !known.is_empty()) {
        wrong.push(format!("{} accounts have {total} together, instead of {}", accounts.len(), START * COUNT));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(marks: [&[i32]; 4], balances: [i32; 4]) -> Vec<String> {
        let accounts =
            (0..).zip(marks.into_iter().zip(balances)).map(|(id, (marks, balance)): (i32, (&[i32], i32))| {
                doc! { "_id": id, "balance": balance, "marks": marks.to_vec() }
            });
        audit(&accounts.collect::<Vec<_>>(), |mark| {
            (mark < 3).then_some(Transfer { from: 0, to: mark, amount: 10 * mark })
        })
    }

    #[test]
    fn transfers_are_between_two_accounts() {
        for choice in (0..u32::MAX).step_by(7_654_321) {
            let transfer = Transfer::draw(choice);
            assert!(transfer.from != transfer.to && transfer.amount > 0, "{transfer:?}");
            assert!([transfer.from, transfer.to].iter().all(|id| (0..COUNT).contains(id)), "{transfer:?}");
        }
        assert!(audit(&accounts().collect::<Vec<_>>(), |_| None).is_empty());
    }

    #[test]
    fn money_that_comes_about_or_vanishes_is_noticed() {
        assert_eq!(moved([&[1, 2], &[1], &[2], &[]], [970, 1_010, 1_020, 1_000]), [] as [String; 0]);
        for (marks, balances, part) in [
            ([&[1][..], &[], &[], &[]], [990, 1_000, 1_000, 1_000], "applied in part"),
            ([&[1], &[1], &[], &[]], [990, 1_000, 1_000, 1_000], "instead of 1010"),
            ([&[1, 1], &[1, 1], &[], &[]], [980, 1_020, 1_000, 1_000], "twice"),
            ([&[1], &[1], &[1], &[]], [990, 1_010, 1_000, 1_000], "does not concern it"),
            ([&[7], &[7], &[], &[]], [1_000, 1_000, 1_000, 1_000], "does not concern it"),
            ([&[], &[], &[], &[]], [1_000, 1_000, 1_000, 1_001], "4001 together"),
        ] {
            let wrong = moved(marks, balances);
            assert!(wrong.iter().any(|wrong| wrong.contains(part)), "{part}: {wrong:?}");
        }
    }
}
