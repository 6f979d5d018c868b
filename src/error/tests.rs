//! What errors say.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use bson::rawdoc;
use mongo_actors_engine::{Cause, EstablishError, EstablishFault, EstablishStep, Failure};
use mongo_actors_protocol::{
    cmap::CheckOutError,
    command::{EncodeError, WriteFailure},
    error::{CommandError, Labels, WriteConcernError, WriteError, labels},
    options::ClientOptions,
    retry::{Outcome, Stage},
    sdam::{ServerDescription, TopologyDescription, TopologyType},
    selection::{SelectionCriteria, SelectionError},
};

use super::{Attempt, Context, Error, ErrorKind, InsertManyError, Partial};

fn failure(cause: Cause, stage: Stage) -> Failure {
    let server = Arc::new(ServerDescription::unknown("db0".parse().unwrap()));
    Failure { cause, server: Some(server), connection: None, stage }
}

fn error(cause: Cause) -> Error {
    Error::from_failure(&failure(cause, Stage::Written), &Labels::new(), Some("insert".into()), true, Outcome::Rejected)
}

fn refusal(code: i32, name: &str) -> Cause {
    let reply = rawdoc! { "ok": 0, "code": code, "codeName": name, "errmsg": "no" };
    Cause::Command(Arc::new(CommandError::from_reply(&reply).unwrap()))
}

fn chain(error: &Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        texts.push(source.to_string());
        next = source.source();
    }
    texts
}

#[test]
fn a_servers_refusal_keeps_code_and_reply() {
    let error = error(refusal(13, "Unauthorized"));
    assert!(matches!(error.kind(), ErrorKind::Command(_)));
    assert_eq!((error.code(), error.code_name()), (Some(13), Some("Unauthorized")));
    assert_eq!(error.server_response().unwrap().get_str("errmsg").unwrap(), "no");
    assert_eq!(error.to_string(), "the server db0:27017 refused \"insert\": no (Unauthorized, code 13)");
    assert_eq!(chain(&error), ["no (Unauthorized, code 13)"]);
    assert!(error.is_operation_failure() && !error.is_retryable() && !error.is_connection_failure());
}

#[test]
fn codes_with_a_kind_of_their_own() {
    let not_primary = error(refusal(10107, "NotWritablePrimary"));
    assert!(matches!(not_primary.kind(), ErrorKind::NotPrimary(_)));
    assert!(not_primary.is_auto_reconnect() && not_primary.is_connection_failure() && not_primary.is_retryable());
    assert!(matches!(error(refusal(43, "CursorNotFound")).kind(), ErrorKind::CursorNotFound(_)));
    let expired = error(refusal(50, "MaxTimeMSExpired"));
    assert!(matches!(expired.kind(), ErrorKind::ExecutionTimeout(_)) && expired.is_timeout());
    let duplicate = error(refusal(11000, "DuplicateKey"));
    assert!(duplicate.is_duplicate_key() && duplicate.code() == Some(11000));
}

#[test]
fn a_lost_connection_leaves_the_outcome_open() {
    let lost = Cause::Network(Arc::new(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer")));
    let failure = failure(lost, Stage::Written);
    let labels = Labels::from_iter([labels::RETRYABLE_WRITE_ERROR]);
    let first = Attempt::new(&failure, Outcome::Unknown);
    let error = Error::from_failure(&failure, &labels, Some("insert".into()), true, Outcome::Unknown)
        .after(vec![first.clone(), first], Outcome::Unknown);
    assert_eq!(
        error.to_string(),
        "the connection to the server db0:27017 was lost: reset by peer (after 2 attempts); it is not known whether \
         the server executed it"
    );
    assert!(error.has_label("RetryableWriteError") && error.is_network() && !error.is_timeout());
    assert!(!error.is_retryable(), "the write may have been executed");
    assert_eq!(error.attempts().len(), 2);
    assert_eq!(error.attempts()[0].stage(), Stage::Written);
    assert_eq!(error.attempts()[0].server().unwrap().to_string(), "db0:27017");
    assert_eq!(error.attempts()[0].cause().unwrap().to_string(), "the connection failed: reset by peer");
    assert!(error.source().unwrap().downcast_ref::<io::Error>().is_some());
}

#[test]
fn a_read_may_be_repeated_whatever_became_of_it() {
    let lost = Cause::Network(Arc::new(io::Error::other("gone")));
    let failure = failure(lost, Stage::Written);
    let error = Error::from_failure(&failure, &Labels::new(), Some("find".into()), false, Outcome::Unknown);
    assert!(error.is_retryable());
    assert!(!error.to_string().contains("not known"));
}

#[test]
fn a_server_that_is_not_found_shows_the_topology() {
    let topology = Arc::new(TopologyDescription::new(TopologyType::Unknown, []));
    let waited = Duration::from_millis(30_000);
    let timed_out = SelectionError::timed_out(SelectionCriteria::Writable, waited, topology);
    let error = error(Cause::Selection(Arc::new(timed_out)));
    assert!(matches!(error.kind(), ErrorKind::ServerSelectionTimeout) && error.is_timeout());
    let text = error.to_string();
    assert!(text.starts_with("a writable server was not found within 30000 ms; the topology is Unknown"), "{text}");
    assert!(error.source().unwrap().downcast_ref::<SelectionError>().is_some());
}

#[test]
fn refused_credentials_are_their_own_kind() {
    let reply = rawdoc! { "ok": 0, "code": 18, "codeName": "AuthenticationFailed", "errmsg": "no" };
    let fault = EstablishFault::Command(Arc::new(CommandError::from_reply(&reply).unwrap()));
    let address = Arc::new("db0".parse().unwrap());
    let refused = EstablishError { address, step: EstablishStep::Authenticate, fault, labels: Labels::new() };
    let error = error(Cause::CheckOut(Arc::new(CheckOutError::Establishment(refused))));
    assert!(matches!(error.kind(), ErrorKind::Authentication { error: Some(_), .. }));
    assert_eq!(error.code(), Some(18));
    let text = error.to_string();
    assert!(text.contains("db0:27017") && text.ends_with("check user name, password and authSource"), "{text}");
}

#[test]
fn the_drivers_own_refusals_name_option_and_remedy() {
    let unsupported = mongo_actors_protocol::command::Unsupported::Unacknowledged { option: "hint" };
    let error = error(Cause::Unsupported(unsupported));
    assert!(error.is_configuration());
    let ErrorKind::Configuration { options, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!(options, &["hint", "w"]);
    let closed = self::error(Cause::ClientClosed);
    assert_eq!(closed.to_string(), "invalid operation: the client is closed");
    let size = EncodeError::DocumentTooLarge { index: 3, size: 20, limit: 10 };
    assert_eq!(Error::from(size).to_string(), "document 3 has 20 bytes, and the server accepts at most 10");
    let contradiction = ClientOptions::parse("mongodb://a,b/?directConnection=true").unwrap_err();
    let error = Error::from(contradiction);
    assert!(error.is_configuration() && error.to_string().contains("directConnection"), "{error}");
    assert_eq!((error.outcome(), error.attempts().len()), (Outcome::NotSent, 0));
}

#[test]
fn a_write_reports_its_error_and_its_write_concern() {
    let concern = WriteConcernError::new(64, "WriteConcernTimeout", "waiting for replication timed out");
    let failure = WriteFailure {
        write_errors: vec![WriteError::new(0, 11000, "E11000")],
        write_concern_errors: vec![concern.clone()],
        labels: Labels::from_iter(["A"]),
    };
    let error = Error::from_write_failure(failure);
    assert!(error.is_duplicate_key() && error.has_label("A"));
    assert_eq!(error.write_concern_error(), Some(&concern));
    assert_eq!(error.outcome(), Outcome::Rejected);
    let only = WriteFailure { write_concern_errors: vec![concern], ..WriteFailure::default() };
    let error = Error::from_write_failure(only);
    assert!(matches!(error.kind(), ErrorKind::WriteConcern(_)));
    assert_eq!((error.outcome(), error.code()), (Outcome::Applied, Some(64)));
}

#[test]
fn what_was_inserted_before_is_told() {
    let partial = InsertManyError { inserted_ids: [(0, 1.into()), (1, 2.into())].into(), ..Default::default() };
    let context = Context { server: None, command: Some("insert".into()), writes: true };
    let error = Error::new(ErrorKind::OperationTimeout)
        .with_context(context)
        .with_outcome(Outcome::Unknown)
        .with_partial(Partial::InsertMany(partial.clone()));
    assert_eq!(error.partial_insert(), Some(&partial));
    assert_eq!(
        error.to_string(),
        "the time given to \"insert\" (timeoutMS) is up; that was noticed while it was in the hands of the driver; it is \
         not known whether the server executed it; 2 documents were inserted before"
    );
    let refused = InsertManyError { write_errors: vec![WriteError::new(2, 11000, "E11000")], ..partial };
    let error = Error::new(ErrorKind::InsertMany(refused));
    assert!(error.is_duplicate_key() && error.is_operation_failure());
    assert_eq!(error.to_string(), "document 2 was refused: E11000 (code 11000); 2 documents were inserted");
}

#[test]
fn a_clone_that_is_changed_leaves_the_other_alone() {
    let original = error(refusal(1, "InternalError"));
    let changed = original.clone().with_outcome(Outcome::Unknown);
    assert_eq!((original.outcome(), changed.outcome()), (Outcome::Rejected, Outcome::Unknown));
}
