use std::time::Duration;

use bson::{oid::ObjectId, rawdoc};

use super::*;

#[test]
fn a_code_decides_alone() {
    let error = CommandError::new(1, "InternalError", "not master or secondary; node is recovering");
    assert!(!error.is_state_change());
    assert!(CommandError::new(10058, "", "").is_not_primary());
    assert!(CommandError::new(91, "", "").is_node_shutting_down());
    assert!(!CommandError::new(189, "", "").is_node_shutting_down());
}

#[test]
fn without_a_code_the_message_decides() {
    let error = |message: &str| CommandError::new(0, "", message);
    assert!(error("not master").is_not_primary());
    assert!(error("not master or secondary").is_node_recovering());
    assert!(!error("not master or secondary").is_not_primary());
    assert!(!error("not master: node is recovering").is_not_primary());
    assert!(error("the node is recovering now").is_state_change());
    assert!(!error("not primary").is_state_change());
}

#[test]
fn a_reply_is_read_whole() {
    let id = ObjectId::from_bytes([7; 12]);
    let reply = rawdoc! {
        "ok": 0.0, "errmsg": "too busy", "code": 462_i64, "codeName": "IngressRequestRateLimitExceeded",
        "errorLabels": ["SystemOverloadedError", "Custom"], "baseBackoffMS": 250,
        "topologyVersion": { "processId": id, "counter": 3_i64 },
    };
    let error = CommandError::from_reply(&reply).unwrap();
    assert_eq!((error.code, error.code_name.as_str()), (462, "IngressRequestRateLimitExceeded"));
    assert!(error.labels.contains(labels::SYSTEM_OVERLOADED_ERROR) && error.labels.contains("Custom"));
    assert_eq!(error.base_backoff, Some(Duration::from_millis(250)));
    assert_eq!(error.topology_version.unwrap().counter, 3);
    assert_eq!(error.to_string(), "too busy (IngressRequestRateLimitExceeded, code 462)");
}

#[test]
fn wrong_types_are_read_as_absent() {
    let reply =
        rawdoc! { "ok": "1", "errmsg": 5, "code": "x", "errorLabels": 7, "topologyVersion": 1, "baseBackoffMS": -1 };
    let error = CommandError::from_reply(&reply).unwrap();
    assert_eq!((error.code, error.message.as_str()), (0, ""));
    assert!(error.labels.is_empty() && error.topology_version.is_none() && error.base_backoff.is_none());
}

#[test]
fn write_concern_errors_take_the_labels_of_the_reply() {
    let reply = rawdoc! {
        "ok": 1, "errorLabels": ["RetryableWriteError"],
        "writeConcernError": { "code": 91, "errmsg": "stopping", "errInfo": { "wtimeout": true } },
    };
    let error = WriteConcernError::from_reply(&reply).unwrap();
    assert!(error.is_node_shutting_down() && error.is_timeout() && error.is_retryable_write_code());
    assert!(error.labels.contains(labels::RETRYABLE_WRITE_ERROR));
    assert!(CommandError::from_write_concern_error(&reply).unwrap().is_node_shutting_down());
    assert_eq!(CommandError::from_reply(&reply), None);
}

#[test]
fn majority_not_available_is_only_retryable_for_reads() {
    let error = CommandError::new(134, "ReadConcernMajorityNotAvailableYet", "");
    assert!(error.is_retryable_read_code() && !error.is_retryable_write_code());
}
