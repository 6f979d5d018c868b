//! What the application was told, against what the servers have.

use std::collections::{BTreeMap, BTreeSet};

use mongo_actors::bson::Document;

use super::{
    bank,
    seen::{Fate, Seen},
    server::Truth,
};

/// The promises that were broken. `read` is what the driver read at the end.
pub(crate) fn violations(seen: &Seen, truth: &Truth, read: Option<&BTreeMap<i32, Document>>) -> Vec<String> {
    let mut found = truth.violations.clone();
    let mut times: BTreeMap<i32, u32> = BTreeMap::new();
    truth.inserted.iter().for_each(|id| *times.entry(*id).or_default() += 1);
    found.extend(
        times
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(id, times)| format!("order {id} was inserted {times} times")),
    );
    for (id, fate) in &seen.inserts {
        found.extend(lie(*fate, times.contains_key(id)).map(|lie| format!("order {id} {lie}")));
    }
    increments(seen, truth, &mut found);
    transfers(seen, truth, &mut found);
    scans(seen, truth, &mut found);
    stream(seen, truth, &mut found);
    if let Some(read) = read.filter(|read| **read != truth.documents) {
        let (has, should) = (read.len(), truth.documents.len());
        found.push(format!("the driver read {has} orders at the end, of {should} that are there"));
    }
    found
}

/// What was wrong about what the application was told of a write.
fn lie(fate: Fate, is_there: bool) -> Option<&'static str> {
    match (fate, is_there) {
        (Fate::Acknowledged, false) => Some("was acknowledged, and is lost"),
        (Fate::Refused, true) => Some("is there, although it was reported as not executed"),
        _ => None,
    }
}

fn increments(seen: &Seen, truth: &Truth, found: &mut Vec<String>) {
    for (counter, (marks, sum)) in &truth.counters {
        let once: BTreeSet<_> = marks.iter().collect();
        if once.len() != marks.len() || i32::try_from(marks.len()) != Ok(*sum) {
            found.push(format!("counter {counter} was incremented twice by one operation: {sum}, {marks:?}"));
        }
    }
    for (mark, (counter, fate)) in &seen.increments {
        let is_there = truth.counters.get(counter).is_some_and(|(marks, _)| marks.contains(mark));
        found.extend(lie(*fate, is_there).map(|lie| format!("increment {mark} {lie}")));
    }
}

/// A transaction is there as a whole or not at all, once, and as it was told.
fn transfers(seen: &Seen, truth: &Truth, found: &mut Vec<String>) {
    found.extend(bank::audit(&truth.accounts, |mark| seen.transfers.get(&mark).map(|(transfer, _)| *transfer)));
    let applied: BTreeSet<_> = truth.accounts.iter().flat_map(bank::marks).collect();
    for (mark, (_, fate)) in &seen.transfers {
        let (is_applied, has_order) = (applied.contains(mark), truth.documents.contains_key(mark));
        if is_applied != has_order {
            found.push(format!("transaction {mark} was executed in part: order {has_order}, payment {is_applied}"));
        }
        found.extend(lie(*fate, is_applied).map(|lie| format!("transaction {mark} {lie}")));
    }
}

/// What was read was, at some moment, what some member had: the beginning of its log.
fn scans(seen: &Seen, truth: &Truth, found: &mut Vec<String>) {
    for (number, ids) in &seen.scans {
        let is_beginning = |log: &Vec<i32>| {
            log.get(..ids.len()).is_some_and(|beginning| {
                let mut beginning = beginning.to_vec();
                beginning.sort_unstable();
                beginning == *ids
            })
        };
        if !truth.histories.iter().any(is_beginning) {
            found.push(format!("operation {number} read orders that no member ever had: {ids:?}"));
        }
    }
}

fn stream(seen: &Seen, truth: &Truth, found: &mut Vec<String>) {
    let both = seen.delivered.iter().zip(&truth.inserted);
    if let Some(index) = both.clone().position(|(delivered, inserted)| delivered != inserted) {
        let (delivered, inserted) = (seen.delivered[index], truth.inserted[index]);
        found.push(format!("the change stream's event {index} is of order {delivered} instead of {inserted}"));
    } else if seen.delivered.len() != truth.inserted.len() {
        let (delivered, inserted) = (seen.delivered.len(), truth.inserted.len());
        found.push(format!("the change stream has delivered {delivered} events of {inserted}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_the_beginning_of_some_log() {
        let truth = Truth {
            inserted: Vec::new(),
            histories: vec![vec![5, 2, 9, 4], vec![5, 3]],
            documents: BTreeMap::new(),
            counters: BTreeMap::new(),
            accounts: Vec::new(),
            violations: Vec::new(),
        };
        for (ids, is_good) in
            [(vec![], true), (vec![2, 5, 9], true), (vec![3, 5], true), (vec![5, 9], false), (vec![2, 3, 5], false)]
        {
            let seen = Seen { scans: vec![(1, ids.clone())], ..Seen::default() };
            let mut found = Vec::new();
            scans(&seen, &truth, &mut found);
            assert_eq!(found.is_empty(), is_good, "{ids:?}: {found:?}");
        }
    }
}
