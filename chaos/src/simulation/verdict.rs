//! What the application was told, against what the servers have.

use std::collections::{BTreeMap, BTreeSet};

use mongo_actors::bson::Document;

use super::{
    server::Truth,
    workload::{Fate, Seen},
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
        match (fate, times.contains_key(id)) {
            (Fate::Acknowledged, false) => found.push(format!("order {id} was acknowledged, and is lost")),
            (Fate::Refused, true) => {
                found.push(format!("order {id} is there, although it was reported as not executed"))
            }
            _ => {}
        }
    }
    increments(seen, truth, &mut found);
    stream(seen, truth, &mut found);
    if let Some(read) = read.filter(|read| **read != truth.documents) {
        let (has, should) = (read.len(), truth.documents.len());
        found.push(format!("the driver read {has} orders at the end, of {should} that are there"));
    }
    found
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
        match (fate, is_there) {
            (Fate::Acknowledged, false) => found.push(format!("increment {mark} was acknowledged, and is lost")),
            (Fate::Refused, true) => {
                found.push(format!("increment {mark} is there, although it was reported as not executed"));
            }
            _ => {}
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
