use std::time::Instant;

use bson::{Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    command::{Envelope, ReadConcernUse},
    concern::{ReadConcern, WriteConcern},
    transaction::TransactionOptions,
};

const SEVEN: Timestamp = Timestamp { time: 7, increment: 1 };

#[allow(clippy::disallowed_methods, reason = "a starting point for the test's own clock")]
fn session(options: &SessionOptions) -> SessionState {
    SessionState::new(options, ServerSession::new(&mut StdRng::seed_from_u64(3), Instant::now()))
}

fn sent(state: &SessionState, concern: Option<&ReadConcern>, usage: ReadConcernUse, timed: bool) -> Option<Document> {
    let mut command = RawDocumentBuf::new();
    state.read_concern(concern, usage, timed)?.append_to(&mut command);
    Document::try_from(&*command).unwrap().get_document("readConcern").ok().cloned()
}

fn reply(state: &mut SessionState, reply: &RawDocumentBuf) {
    state.received(&Envelope::read(reply).unwrap());
}

#[test]
fn operations_come_after_what_the_session_has_seen() {
    let mut state = session(&SessionOptions::default());
    let majority = ReadConcern::majority();
    assert_eq!(sent(&state, None, ReadConcernUse::Full, true), None);
    reply(&mut state, &rawdoc! { "ok": 0, "code": 1, "errmsg": "", "operationTime": SEVEN });
    assert_eq!(state.operation_time(), Some(SEVEN), "an error tells the time too");
    assert_eq!(sent(&state, None, ReadConcernUse::Full, true), Some(doc! { "afterClusterTime": SEVEN }));
    let merged = Some(doc! { "level": "majority", "afterClusterTime": SEVEN });
    assert_eq!(sent(&state, Some(&majority), ReadConcernUse::Full, true), merged);
    assert_eq!(sent(&state, None, ReadConcernUse::CausalOnly, true), Some(doc! { "afterClusterTime": SEVEN }));
    assert_eq!(sent(&state, None, ReadConcernUse::None, true), None);
    assert_eq!(sent(&state, None, ReadConcernUse::Full, false), None, "a standalone has no cluster times");
    let mut inconsistent = session(&SessionOptions { causal_consistency: Some(false), ..Default::default() });
    inconsistent.advance_operation_time(SEVEN);
    assert_eq!(sent(&inconsistent, None, ReadConcernUse::Full, true), None);
}

#[test]
fn only_the_first_command_of_a_transaction_has_a_read_concern() {
    let mut state = session(&SessionOptions::default());
    state.advance_operation_time(SEVEN);
    state.transaction.start(TransactionOptions::new().read_concern(ReadConcern::snapshot()), 1).unwrap();
    let first = Some(doc! { "level": "snapshot", "afterClusterTime": SEVEN });
    assert_eq!(sent(&state, Some(&ReadConcern::local()), ReadConcernUse::None, true), first);
    state.transaction.sent();
    assert_eq!(sent(&state, Some(&ReadConcern::local()), ReadConcernUse::Full, true), None);
    state.transaction.commit().unwrap();
    assert_eq!(sent(&state, None, ReadConcernUse::None, true), None, "nor has the commit");
}

#[test]
fn every_command_of_a_snapshot_session_is_for_the_snapshot() {
    let mut state = session(&SessionOptions { snapshot: Some(true), ..Default::default() });
    let level = || Some(doc! { "level": "snapshot" });
    assert_eq!(sent(&state, Some(&ReadConcern::local()), ReadConcernUse::Full, true), level());
    assert_eq!(sent(&state, None, ReadConcernUse::None, true), level());
    let later = Timestamp { time: 9, increment: 0 };
    reply(&mut state, &rawdoc! { "ok": 1, "cursor": { "id": 0_i64, "atClusterTime": SEVEN }, "operationTime": later });
    reply(&mut state, &rawdoc! { "ok": 1, "atClusterTime": later });
    assert_eq!(state.snapshot_time(), Some(SEVEN));
    let at = Some(doc! { "level": "snapshot", "atClusterTime": SEVEN });
    assert_eq!(sent(&state, None, ReadConcernUse::CausalOnly, true), at);
    let mut plain = session(&SessionOptions::default());
    reply(&mut plain, &rawdoc! { "ok": 1, "atClusterTime": SEVEN });
    assert_eq!(plain.snapshot_time(), None);
}

#[test]
fn contradictory_options_are_refused() {
    let snapshot = SessionOptions { snapshot: Some(true), ..Default::default() };
    assert_eq!((snapshot.validate(), snapshot.is_causally_consistent()), (Ok(()), false));
    assert!(SessionOptions::default().is_causally_consistent());
    let both = SessionOptions { causal_consistency: Some(true), ..snapshot.clone() };
    assert_eq!(both.validate(), Err(InvalidSessionOptions::SnapshotWithCausalConsistency));
    let timed = SessionOptions { snapshot_time: Some(SEVEN), ..Default::default() };
    assert_eq!(timed.validate(), Err(InvalidSessionOptions::SnapshotTimeWithoutSnapshot));
    assert_eq!(SessionOptions { snapshot_time: Some(SEVEN), ..snapshot }.validate(), Ok(()));
}

#[test]
fn recovery_tokens_of_successful_replies_are_kept() {
    let mut state = session(&SessionOptions::default());
    state.transaction.start(TransactionOptions::new().write_concern(WriteConcern::majority()), 1).unwrap();
    reply(&mut state, &rawdoc! { "ok": 0, "code": 1, "errmsg": "", "recoveryToken": { "a": 1 } });
    assert_eq!(state.transaction.stamp(true).unwrap().recovery_token, None);
    reply(&mut state, &rawdoc! { "ok": 1, "recoveryToken": { "a": 2 } });
    assert_eq!(state.transaction.stamp(true).unwrap().recovery_token, Some(&*rawdoc! { "a": 2 }));
}
