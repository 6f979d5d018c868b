use super::*;

#[test]
fn the_kind_of_server_is_told_by_the_reply() {
    let kind = |reply: RawDocumentBuf| HelloReply::from_document(&reply).unwrap().server_type();
    assert_eq!(kind(standalone()), ServerType::Standalone);
    assert_eq!(kind(mongos()), ServerType::Mongos);
    assert_eq!(kind(primary(&["a"])), ServerType::RsPrimary);
    assert_eq!(kind(rawdoc! { "ok": 1, "ismaster": true, "setName": "rs" }), ServerType::RsPrimary);
    assert_eq!(
        kind(rawdoc! { "ok": 1, "isWritablePrimary": false, "ismaster": true, "setName": "rs" }),
        ServerType::RsOther
    );
    assert_eq!(kind(member("secondary", &["a"])), ServerType::RsSecondary);
    assert_eq!(kind(member("arbiterOnly", &["a"])), ServerType::RsArbiter);
    assert_eq!(kind(rawdoc! { "ok": 1, "secondary": true, "hidden": true, "setName": "rs" }), ServerType::RsOther);
    assert_eq!(kind(rawdoc! { "ok": 1, "isreplicaset": true, "setName": "rs" }), ServerType::RsGhost);
}

#[test]
fn names_are_lower_case() {
    let reply = rawdoc! { "ok": 1, "setName": "RS", "me": "A.Example:1", "primary": "B", "hosts": ["A.Example:1"] };
    let reply = HelloReply::from_document(&reply).unwrap();
    assert_eq!(reply.me, Some(address("a.example:1")));
    assert_eq!(reply.primary, Some(address("b:27017")));
    assert_eq!(reply.hosts, [address("a.example:1")]);
    assert_eq!(reply.set_name.as_deref(), Some("RS"));
}

#[test]
fn a_bad_reply_names_its_field() {
    let error = |reply: RawDocumentBuf| HelloReply::from_document(&reply).unwrap_err();
    assert!(matches!(error(rawdoc! { "ok": 0, "errmsg": "no" }), HelloError::Refused(_)));
    let crowd: bson::RawArrayBuf = (0..1001).map(|number| format!("a:{}", number + 1)).collect();
    let crowd = error(rawdoc! { "ok": 1, "hosts": crowd });
    assert_eq!(crowd.to_string(), "the field \"hosts\" of the reply to hello is not an array of at most 1000 members");
    let hosts = error(rawdoc! { "ok": 1, "hosts": ["a:x"] });
    assert_eq!(hosts.to_string(), "the field \"hosts\" of the reply to hello is not an array of server addresses");
    assert!(matches!(error(rawdoc! { "ok": 1, "maxWireVersion": 1_i64 << 40 }), HelloError::InvalidField { .. }));
    assert!(matches!(error(rawdoc! { "ok": 1, "tags": { "dc": 1 } }), HelloError::InvalidField { .. }));
}

#[test]
fn numbers_may_be_of_any_type_and_null_is_absent() {
    let reply = rawdoc! {
        "ok": 1.0, "maxWireVersion": 21.0, "setVersion": 7_i64, "logicalSessionTimeoutMinutes": 30.0, "setName": bson::RawBson::Null,
    };
    let reply = HelloReply::from_document(&reply).unwrap();
    assert_eq!((reply.max_wire_version, reply.set_version), (21, Some(7)));
    assert_eq!(reply.logical_session_timeout_minutes, Some(30));
    assert_eq!(reply.set_name, None);
}

#[test]
fn equality_ignores_what_is_measured_and_the_order_of_hosts() {
    let one = description("a", &primary(&["a", "b"]));
    let mut other = description("a", &primary(&["b", "a"]));
    other.round_trip_time = Some(Duration::from_secs(1));
    other.last_update_time = None;
    other.last_write_date = Some(bson::DateTime::from_millis(1));
    assert_eq!(one, other);
    other.error = Some("x".into());
    assert_ne!(one, other);
}
