use mongo_actors::bson::{Binary, Bson, spec::BinarySubtype};

use super::*;
use crate::simulation::server::set::SharedSet;

fn set(members: usize) -> SharedSet {
    let set = Set::new(1, members, Slip::None);
    set.borrow_mut().elect(0);
    set
}

/// The command in the transaction of this session.
fn within(mut command: Document, session: u8, number: i64, starts: bool) -> Document {
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: vec![session; 16] };
    command.insert("$db", "bank");
    command.insert("lsid", doc! { "id": id });
    command.insert("txnNumber", number);
    command.insert("autocommit", false);
    if starts {
        command.insert("startTransaction", true);
    }
    command
}

fn insert(id: i32) -> Document {
    doc! { "insert": "accounts", "documents": [{ "_id": id, "balance": 10 }] }
}

fn pay(id: i32) -> Document {
    let update = doc! { "$inc": { "balance": -1 } };
    doc! { "update": "accounts", "updates": [{ "q": { "_id": id }, "u": update }] }
}

fn commit() -> Document {
    doc! { "commitTransaction": 1 }
}

fn told(set: &SharedSet, command: &Document) -> Document {
    match set.borrow_mut().answer(0, command) {
        Answer::Now(reply) | Answer::WhenCommitted { reply, .. } => reply,
        _ => panic!("the server waits"),
    }
}

fn n(reply: &Document) -> i32 {
    reply.get_i32("n").unwrap()
}

/// 0 when it is no error.
fn code(reply: &Document) -> i32 {
    reply.get_i32("code").unwrap_or(0)
}

fn labels(reply: &Document) -> Vec<&str> {
    reply.get_array("errorLabels").into_iter().flatten().filter_map(Bson::as_str).collect()
}

fn balances(set: &SharedSet) -> Vec<i32> {
    let (set, all) = (set.borrow(), Document::new());
    let found = set.members[0].data.documents.find("bank.accounts", &all);
    found.map(|account| account.get_i32("balance").unwrap()).collect()
}

#[test]
fn nobody_sees_a_transaction_before_it_is_committed_and_everybody_all_of_it_then() {
    let set = set(1);
    assert_eq!(n(&told(&set, &within(insert(1), 1, 1, true))), 1);
    assert_eq!(n(&told(&set, &within(insert(2), 1, 1, false))), 1);
    assert_eq!(n(&told(&set, &within(pay(2), 1, 1, false))), 1);
    assert_eq!(balances(&set), [] as [i32; 0]);
    let find = within(doc! { "find": "accounts" }, 1, 1, false);
    let batch = told(&set, &find).get_document("cursor").unwrap().get_array("firstBatch").unwrap().len();
    assert_eq!(batch, 2);
    let before = set.borrow().members[0].log.len();
    for _ in 0..2 {
        assert_eq!(code(&told(&set, &within(commit(), 1, 1, false))), 0);
        assert_eq!(balances(&set), [10, 9]);
        assert_eq!(set.borrow().members[0].log.len(), before + 1, "it is committed once");
    }
    assert_eq!(code(&told(&set, &within(pay(2), 1, 1, false))), 256);
}

#[test]
fn an_error_aborts_the_whole() {
    let set = set(1);
    told(&set, &within(insert(1), 1, 1, true));
    told(&set, &within(commit(), 1, 1, false));
    told(&set, &within(pay(1), 1, 2, true));
    let twice = told(&set, &within(insert(1), 1, 2, false));
    assert_eq!((twice.get_array("writeErrors").unwrap().len(), labels(&twice).len()), (1, 0));
    let missing = told(&set, &within(commit(), 1, 2, false));
    assert_eq!((code(&missing), labels(&missing)), (251, vec!["TransientTransactionError"]));
    assert_eq!(balances(&set), [10]);
}

#[test]
fn of_two_that_change_the_same_the_second_is_told_to_try_again() {
    let set = set(1);
    told(&set, &within(insert(1), 1, 1, true));
    told(&set, &within(commit(), 1, 1, false));
    told(&set, &within(pay(1), 1, 2, true));
    let conflict = told(&set, &within(pay(1), 2, 1, true));
    assert_eq!((code(&conflict), labels(&conflict)), (112, vec!["TransientTransactionError"]));
    // What is no transaction waits.
    let mut outside = pay(1);
    outside.insert("$db", "bank");
    assert!(matches!(set.borrow_mut().answer(0, &outside), Answer::WhenFree));
    assert_eq!(code(&told(&set, &within(doc! { "abortTransaction": 1 }, 1, 2, false))), 0);
    assert_eq!(n(&told(&set, &outside)), 1);
    assert_eq!(balances(&set), [9]);
}

#[test]
fn a_member_that_is_primary_no_more_has_forgotten_its_transactions() {
    let set = set(3);
    told(&set, &within(insert(1), 1, 1, true));
    assert!(set.borrow_mut().step_down(0));
    let statement = told(&set, &within(insert(2), 1, 1, false));
    assert_eq!((code(&statement), labels(&statement)), (10_107, vec!["TransientTransactionError"]));
    let ended = told(&set, &within(commit(), 1, 1, false));
    assert_eq!((code(&ended), labels(&ended)), (10_107, vec!["RetryableWriteError"]));
    set.borrow_mut().elect(0);
    let statement = told(&set, &within(insert(2), 1, 1, false));
    assert_eq!((code(&statement), labels(&statement)), (251, vec!["TransientTransactionError"]));
}

#[test]
fn that_a_transaction_is_missing_is_said_when_a_majority_knows() {
    let set = set(3);
    let answer = set.borrow_mut().answer(0, &within(commit(), 1, 1, false));
    let Answer::WhenCommitted { wait, .. } = answer else { panic!("it is said too early") };
    assert_eq!(set.borrow().is_committed(0, &wait), Some(false));
    assert!(set.borrow_mut().step_down(0));
    assert_eq!(set.borrow().is_committed(0, &wait), None);
}
