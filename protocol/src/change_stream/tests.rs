//! Change streams, through their inputs.

use std::time::{Duration, Instant};

use bson::{Bson, Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    command::{Collation, Command, Namespace},
    error::{CommandError, labels},
    wire::ReplyBody,
};

#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
fn start() -> Instant {
    Instant::now()
}

fn token(n: i32) -> ResumeToken {
    rawdoc! { "_data": n }.into()
}

fn event(n: i32) -> RawDocumentBuf {
    rawdoc! { "_id": { "_data": n }, "operationType": "insert" }
}

fn reply(id: i64, events: Vec<RawDocumentBuf>, post_batch: Option<i32>) -> Arrival {
    let mut cursor = rawdoc! { "id": id, "ns": "db.c" };
    cursor.append(bson::raw::cstr!("nextBatch"), events.into_iter().collect::<bson::RawArrayBuf>());
    if let Some(n) = post_batch {
        cursor.append(bson::raw::cstr!("postBatchResumeToken"), rawdoc! { "_data": n });
    }
    let body = rawdoc! { "cursor": cursor, "operationTime": Timestamp { time: 7, increment: 1 }, "ok": 1 };
    Arrival::read(&ReplyBody::try_from(Bytes::from(body.into_bytes())).unwrap()).unwrap()
}

fn hand_out(delivery: &mut Delivery) -> i32 {
    let event = delivery.hand_out().unwrap().unwrap();
    let event = bson::RawDocument::from_bytes(&event).unwrap();
    event.get_document("_id").unwrap().get_i32("_data").unwrap()
}

fn stage(watched: &Watched, options: &ChangeStreamOptions, start: &Start) -> Document {
    let request = Watch { watched, pipeline: &[], options, start }.request().unwrap();
    let body = Document::try_from(request.body).unwrap();
    body.get_array("pipeline").unwrap()[0].as_document().unwrap().get_document("$changeStream").unwrap().clone()
}

fn collection() -> Watched {
    Watched::Collection(Namespace::new("db", "c"))
}

#[test]
fn each_level_watches_by_its_own_command() {
    let options = ChangeStreamOptions::default();
    let pipeline = [doc! { "$match": { "x": 1 } }];
    let request = |watched| {
        let request = Watch { watched: &watched, pipeline: &pipeline, options: &options, start: &Start::AsGiven };
        let request = request.request().unwrap();
        (request.database.to_string(), Document::try_from(request.body).unwrap())
    };
    let pipeline = |stage: Document| [doc! { "$changeStream": stage }, doc! { "$match": { "x": 1 } }].to_vec();
    let body = |first: Bson, stage| doc! { "aggregate": first, "pipeline": pipeline(stage), "cursor": {} };
    assert_eq!(request(collection()), ("db".into(), body("c".into(), doc! {})));
    assert_eq!(request(Watched::Database("db".into())), ("db".into(), body(1.into(), doc! {})));
    let all = doc! { "allChangesForCluster": true };
    assert_eq!(request(Watched::Cluster), ("admin".into(), body(1.into(), all)));
    let refused = Watch {
        watched: &Watched::Database("a.b".into()),
        pipeline: &[],
        options: &ChangeStreamOptions::default(),
        start: &Start::AsGiven,
    };
    assert!(refused.request().is_err());
}

#[test]
fn every_option_is_sent_where_it_belongs() {
    let options = ChangeStreamOptions {
        full_document: Some(FullDocumentType::UpdateLookup),
        full_document_before_change: Some(FullDocumentBeforeChangeType::Other("sometimes".into())),
        resume_after: Some(token(1)),
        start_after: Some(token(2)),
        start_at_operation_time: Some(Timestamp { time: 3, increment: 4 }),
        show_expanded_events: Some(true),
        max_await_time: Some(Duration::from_millis(5)),
        batch_size: Some(6),
        collation: Some(Collation::new("en")),
        comment: Some("why".into()),
        ..ChangeStreamOptions::default()
    };
    let watched = collection();
    let request = Watch { watched: &watched, pipeline: &[], options: &options, start: &Start::AsGiven };
    let expected = doc! {
        "aggregate": "c",
        "pipeline": [{ "$changeStream": {
            "fullDocument": "updateLookup",
            "fullDocumentBeforeChange": "sometimes",
            "showExpandedEvents": true,
            "resumeAfter": { "_data": 1 },
            "startAfter": { "_data": 2 },
            "startAtOperationTime": Timestamp { time: 3, increment: 4 },
        } }],
        "cursor": { "batchSize": 6 },
        "collation": { "locale": "en" },
        "comment": "why",
    };
    assert_eq!(Document::try_from(request.request().unwrap().body).unwrap(), expected);
}

#[test]
fn a_resumption_sends_one_starting_point_in_place_of_those_given() {
    let options = ChangeStreamOptions {
        resume_after: Some(token(1)),
        start_at_operation_time: Some(Timestamp { time: 3, increment: 4 }),
        ..ChangeStreamOptions::default()
    };
    let sent = |start| stage(&collection(), &options, &start);
    assert_eq!(sent(Start::ResumeAfter(token(9))), doc! { "resumeAfter": { "_data": 9 } });
    assert_eq!(sent(Start::StartAfter(token(9))), doc! { "startAfter": { "_data": 9 } });
    let time = Timestamp { time: 5, increment: 0 };
    assert_eq!(sent(Start::AtOperationTime(time)), doc! { "startAtOperationTime": time });
}

#[test]
fn the_token_follows_the_events_that_are_handed_out() {
    let mut delivery = Delivery::new(&ChangeStreamOptions::default());
    assert_eq!((delivery.resume_token(), delivery.start()), (None, Start::AsGiven));
    delivery.arrived(reply(1, vec![event(1), event(2)], Some(5)));
    assert_eq!(delivery.resume_token(), None, "nothing was handed out");
    assert_eq!(hand_out(&mut delivery), 1);
    assert_eq!(delivery.start(), Start::ResumeAfter(token(1)));
    assert_eq!(hand_out(&mut delivery), 2);
    assert_eq!(delivery.resume_token(), Some(&token(5)), "behind the batch counts what the server has looked at");
    assert!(delivery.hand_out().is_none() && delivery.is_alive());
    delivery.arrived(reply(1, vec![], Some(6)));
    assert_eq!(delivery.start(), Start::ResumeAfter(token(6)));
    delivery.arrived(reply(1, vec![], None));
    assert_eq!(delivery.resume_token(), Some(&token(6)));
    delivery.arrived(reply(1, vec![event(7)], None));
    assert_eq!(hand_out(&mut delivery), 7);
    assert_eq!(delivery.resume_token(), Some(&token(7)), "old servers send no token with the batch");
}

#[test]
fn a_stream_started_behind_an_event_keeps_starting_there_until_something_was_handed_out() {
    let options = ChangeStreamOptions {
        start_after: Some(token(1)),
        resume_after: Some(token(2)),
        ..ChangeStreamOptions::default()
    };
    let mut delivery = Delivery::new(&options);
    assert_eq!((delivery.resume_token(), delivery.start()), (Some(&token(1)), Start::AsGiven));
    delivery.arrived(reply(1, vec![], Some(3)));
    assert_eq!(delivery.start(), Start::StartAfter(token(3)));
    delivery.arrived(reply(1, vec![event(4), event(5)], None));
    assert_eq!(delivery.start(), Start::StartAfter(token(3)), "arrived is not handed out");
    hand_out(&mut delivery);
    assert_eq!(delivery.start(), Start::ResumeAfter(token(4)));
}

#[test]
fn the_time_of_the_first_reply_counts_only_without_any_other_place_to_start() {
    let time = Timestamp { time: 7, increment: 1 };
    let after = |options: ChangeStreamOptions, arrival| {
        let mut delivery = Delivery::new(&options);
        delivery.arrived(arrival);
        delivery.start()
    };
    let none = ChangeStreamOptions::default;
    assert_eq!(after(none(), reply(1, vec![], None)), Start::AtOperationTime(time));
    assert_eq!(after(none(), reply(1, vec![], Some(3))), Start::ResumeAfter(token(3)));
    assert_eq!(after(none(), reply(1, vec![event(1)], None)), Start::AsGiven);
    let given = Timestamp { time: 2, increment: 2 };
    let at = ChangeStreamOptions { start_at_operation_time: Some(given), ..none() };
    assert_eq!(after(at, reply(1, vec![], None)), Start::AtOperationTime(given));
    let behind = ChangeStreamOptions { resume_after: Some(token(8)), ..none() };
    assert_eq!(after(behind, reply(1, vec![], None)), Start::ResumeAfter(token(8)));
    // Only the first reply counts.
    let mut delivery = Delivery::new(&none());
    delivery.arrived(reply(1, vec![event(1)], None));
    delivery.arrived(reply(1, vec![], None));
    assert_eq!(delivery.start(), Start::AsGiven);
}

#[test]
fn a_stream_ends_behind_the_last_event_of_a_closed_cursor() {
    let mut delivery = Delivery::new(&ChangeStreamOptions::default());
    delivery.arrived(reply(0, vec![event(1), event(2)], None));
    hand_out(&mut delivery);
    assert!(delivery.is_alive());
    hand_out(&mut delivery);
    assert!(!delivery.is_alive() && delivery.hand_out().is_none());
}

#[test]
fn an_event_without_a_token_ends_the_stream_with_an_error() {
    let mut delivery = Delivery::new(&ChangeStreamOptions::default());
    delivery.arrived(reply(1, vec![event(1), rawdoc! { "operationType": "insert" }, event(3)], Some(4)));
    hand_out(&mut delivery);
    let error = delivery.hand_out().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("cannot provide resume functionality when the resume token is missing"));
    assert!(delivery.hand_out().is_none() && !delivery.is_alive());
    assert_eq!(delivery.resume_token(), Some(&token(1)));
}

/// Whatever is lost on the way, events are handed out once each and in order, because the place is kept with them.
#[test]
fn losing_the_cursor_at_any_moment_loses_and_repeats_nothing() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut delivery = Delivery::new(&ChangeStreamOptions::default());
        delivery.arrived(reply(1, vec![], Some(0)));
        // A server that has the changes 1 to 100 and a cursor that stands somewhere.
        let mut cursor = Some(0);
        let mut seen = Vec::new();
        while seen.len() < 100 {
            if rng.random_bool(0.1) {
                cursor = None;
            }
            if delivery.has_next() {
                seen.push(hand_out(&mut delivery));
                continue;
            }
            let at = match (cursor, delivery.start()) {
                (Some(at), _) => at,
                (None, Start::ResumeAfter(token)) => {
                    bson::serialize_to_bson(&token).unwrap().as_document().unwrap().get_i32("_data").unwrap()
                }
                (None, start) => panic!("{start:?}"),
            };
            let batch: Vec<_> = (at + 1..=(at + rng.random_range(0..5)).min(100)).collect();
            let end = batch.last().copied().unwrap_or(at);
            cursor = Some(end);
            if rng.random_bool(0.2) {
                // The reply is lost, and the cursor with it.
                cursor = None;
                continue;
            }
            let post_batch = rng.random_bool(0.5).then_some(end);
            delivery.arrived(reply(1, batch.into_iter().map(event).collect(), post_batch));
        }
        assert!(seen.iter().copied().eq(1..=100), "seed {seed}: {seen:?}");
    }
}

fn server(code: i32, label: Option<&'static str>) -> CommandError {
    let mut error = CommandError::new(code, "", "");
    label.into_iter().for_each(|label| error.labels.add(label));
    error
}

#[test]
fn resumable_errors_are_those_of_the_specification() {
    let resumable = |error: &CommandError, wire| Fault::Server(error, wire).is_resumable();
    let labelled = server(280, Some(labels::RESUMABLE_CHANGE_STREAM_ERROR));
    assert!(resumable(&labelled, Some(9)) && resumable(&labelled, None));
    assert!(!resumable(&labelled, Some(8)), "older servers have no label");
    for code in [6, 7, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436] {
        assert!(resumable(&server(code, None), Some(8)), "{code}");
        assert!(!resumable(&server(code, None), Some(9)), "{code}");
    }
    assert!(resumable(&server(43, None), Some(8)) && resumable(&server(43, None), Some(17)));
    assert!(!resumable(&server(11601, None), Some(8)) && !resumable(&server(280, None), Some(17)));
    assert!(Fault::Driver.is_resumable() && !Fault::Closed.is_resumable());
}

#[test]
fn the_first_resumption_is_immediate_and_futile_ones_pause() {
    let (now, mut rng) = (start(), StdRng::seed_from_u64(1));
    let mut resumption = Resumption::default();
    let mut fail = |resumption: &mut Resumption| resumption.get_more_failed(&Fault::Driver, now, None, &mut rng);
    assert_eq!(fail(&mut resumption), Sequel::Resume(None));
    for futile in 1..20 {
        let Sequel::Resume(Some(pause)) = fail(&mut resumption) else { panic!("no pause after {futile}") };
        assert!(pause <= Duration::from_secs(10));
    }
    resumption.progressed();
    assert_eq!(fail(&mut resumption), Sequel::Resume(None));
}

#[test]
fn a_stream_outlives_errors_that_pass_and_ends_with_others() {
    let (now, mut rng) = (start(), StdRng::seed_from_u64(1));
    let mut resumption = Resumption::default();
    let fatal = server(280, None);
    let fatal = Fault::Server(&fatal, Some(17));
    let expired = server(50, None);
    let expired = Fault::Server(&expired, Some(17));
    let mut fail = |fault, deadline| resumption.get_more_failed(&fault, now, deadline, &mut rng);
    assert_eq!(fail(fatal, None), Sequel::End);
    assert_eq!(fail(expired, None), Sequel::Report);
    assert_eq!(fail(Fault::Deadline, Some(now)), Sequel::Report);
    assert_eq!(fail(Fault::Closed, None), Sequel::End);
    assert_eq!(fail(Fault::Driver, Some(now)), Sequel::TimeUp, "no time is left to resume");
    let mut resumption = Resumption::default();
    assert_eq!(resumption.reopening_failed(&Fault::Driver), Sequel::Report);
    assert_eq!(resumption.reopening_failed(&Fault::Deadline), Sequel::Report);
    assert_eq!(resumption.reopening_failed(&fatal), Sequel::End);
    assert!(matches!(resumption.cursor_lost(now, None, &mut rng), Sequel::Resume(Some(_))));
}

#[test]
fn events_of_every_kind_are_read() {
    let id = doc! { "_data": "8264" };
    let update = doc! {
        "_id": id.clone(),
        "operationType": "update",
        "ns": { "db": "shop", "coll": "orders", "viewOn": "x" },
        "documentKey": { "_id": 1 },
        "updateDescription": {
            "updatedFields": { "a.0": 1 },
            "removedFields": ["b"],
            "truncatedArrays": [{ "field": "c", "newSize": 2 }],
            "disambiguatedPaths": { "a.0": ["a", "0"] },
        },
        "clusterTime": Timestamp { time: 1, increment: 2 },
        "wallTime": bson::DateTime::from_millis(3),
        "fullDocument": null,
        "collectionUUID": bson::Uuid::from_bytes([7; 16]),
        "lsid": { "id": 1 },
        "txnNumber": 5_i64,
        "splitEvent": { "fragment": 1, "of": 2 },
        "somethingNew": true,
    };
    let event: ChangeStreamEvent<Document> = bson::deserialize_from_document(update).unwrap();
    assert_eq!(event.operation_type, OperationType::Update);
    assert_eq!(event.ns.unwrap().coll.as_deref(), Some("orders"));
    let changes = event.update_description.unwrap();
    assert_eq!(changes.truncated_arrays.unwrap()[0].new_size, 2);
    assert_eq!(changes.disambiguated_paths.unwrap(), doc! { "a.0": ["a", "0"] });
    assert_eq!((event.full_document, event.txn_number), (None, Some(5)));
    assert_eq!(event.collection_uuid.unwrap().bytes(), [7; 16]);
    assert_eq!((event.split_event.unwrap().fragment, event.split_event.unwrap().of), (1, 2));

    for name in [
        "insert",
        "update",
        "replace",
        "delete",
        "drop",
        "dropDatabase",
        "rename",
        "invalidate",
        "create",
        "createIndexes",
        "dropIndexes",
        "modify",
        "shardCollection",
        "reshardCollection",
        "refineCollectionShardKey",
    ] {
        let read = OperationType::from(name);
        assert!(!matches!(read, OperationType::Other(_)) && read.as_str() == name, "{name}");
    }
    assert_eq!(OperationType::from("frobnicate"), OperationType::Other("frobnicate".into()));

    let second = doc! { "_id": id, "splitEvent": { "fragment": 2, "of": 2 }, "fullDocument": { "x": 1 } };
    let second: ChangeStreamEvent<Document> = bson::deserialize_from_document(second).unwrap();
    assert_eq!(second.operation_type.as_str(), "");
    let stored = bson::serialize_to_document(&second).unwrap();
    assert_eq!(bson::deserialize_from_document::<ChangeStreamEvent<Document>>(stored).unwrap(), second);
    let view: ChangeNamespaceType = bson::deserialize_from_bson("view".into()).unwrap();
    let other: ChangeNamespaceType = bson::deserialize_from_bson("tree".into()).unwrap();
    assert_eq!((view, other), (ChangeNamespaceType::View, ChangeNamespaceType::Other("tree".into())));
}
