//! Both machines: their commands, and random histories against a simple model.

use std::collections::BTreeMap;

use bson::{Bson, RawDocument, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::*;
use crate::{
    command::{
        Collation, DocumentSequence, EncodeError, Namespace, Unsupported, UpdateModifications, WriteFailure,
        WriteLimits,
    },
    retry::Operation,
};

fn id() -> ObjectId {
    ObjectId::from_bytes([7; 12])
}

fn limits(max_write_batch_size: usize) -> WriteLimits {
    WriteLimits { max_write_batch_size, ..WriteLimits::default() }
}

fn collection(options: &BulkWriteOptions, limits: WriteLimits) -> CollectionBulk {
    CollectionBulk::new(&Namespace::new("db", "coll"), options, limits).unwrap()
}

fn unordered() -> BulkWriteOptions {
    BulkWriteOptions { ordered: Some(false), ..Default::default() }
}

fn insert(id: i32) -> WriteModel {
    InsertOneModel::new(doc! { "_id": id }).into()
}

fn set(id: i32) -> WriteModel {
    UpdateOneModel::new(doc! { "_id": id }, doc! { "$set": { "x": 1 } }).into()
}

fn delete(id: i32) -> WriteModel {
    DeleteOneModel::new(doc! { "_id": id }).into()
}

fn all_batches<B: Batches>(bulk: &mut B) -> Vec<WriteBatch> {
    std::iter::from_fn(|| bulk.next_full().or_else(|| bulk.rest())).collect()
}

fn documents(sequence: &DocumentSequence) -> Vec<RawDocumentBuf> {
    sequence.iter().map(|document| document.unwrap().to_owned()).collect()
}

fn shape(batch: &WriteBatch) -> (&str, Vec<usize>) {
    let positions = (0..batch.len()).map(|index| batch.items.positions.get(index)).collect();
    (&batch.request.name, positions)
}

fn push_all(bulk: &mut CollectionBulk, writes: &[WriteModel]) {
    writes.iter().for_each(|write| bulk.push(write, id).unwrap());
}

#[test]
fn ordered_writes_become_runs_of_one_kind() {
    let mut bulk = collection(&BulkWriteOptions::default(), limits(2));
    push_all(&mut bulk, &[insert(0), insert(1), insert(2), set(3), delete(4), delete(5), set(6), insert(7)]);
    let batches = all_batches(&mut bulk);
    let shapes: Vec<_> = batches.iter().map(shape).collect();
    let expected = [
        ("insert", vec![0, 1]),
        ("insert", vec![2]),
        ("update", vec![3]),
        ("delete", vec![4, 5]),
        ("update", vec![6]),
        ("insert", vec![7]),
    ];
    assert_eq!(shapes, expected);
    assert_eq!(batches[2].request.body, rawdoc! { "update": "coll", "ordered": true });
    let update = &batches[2].request.sequences[0];
    assert_eq!(documents(update), [rawdoc! { "q": { "_id": 3 }, "u": { "$set": { "x": 1 } } }]);
}

#[test]
fn unordered_writes_are_gathered_by_kind() {
    let mut bulk = collection(&unordered(), limits(2));
    push_all(&mut bulk, &[insert(0), set(1), insert(2), delete(3), insert(4), set(5)]);
    let batches = all_batches(&mut bulk);
    let shapes: Vec<_> = batches.iter().map(shape).collect();
    let expected = [("insert", vec![0, 2]), ("insert", vec![4]), ("update", vec![1, 5]), ("delete", vec![3])];
    assert_eq!(shapes, expected);
}

#[test]
fn options_go_where_the_commands_take_them() {
    let options = BulkWriteOptions {
        bypass_document_validation: Some(true),
        comment: Some(Bson::from("c")),
        let_vars: Some(doc! { "v": 1 }),
        ..BulkWriteOptions::default()
    };
    let mut bulk = collection(&options, limits(9));
    push_all(&mut bulk, &[insert(0), set(1), delete(2)]);
    let bodies: Vec<_> = all_batches(&mut bulk).into_iter().map(|batch| batch.request.body).collect();
    let expected = [
        rawdoc! { "insert": "coll", "ordered": true, "bypassDocumentValidation": true, "comment": "c" },
        rawdoc! {
            "update": "coll", "ordered": true, "bypassDocumentValidation": true, "let": { "v": 1 }, "comment": "c",
        },
        rawdoc! { "delete": "coll", "ordered": true, "let": { "v": 1 }, "comment": "c" },
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn only_commands_for_single_documents_are_repeated() {
    let mut bulk = collection(&BulkWriteOptions::default(), limits(2));
    let many: WriteModel = UpdateManyModel::new(doc! {}, doc! { "$set": { "x": 1 } }).into();
    let all: WriteModel = DeleteManyModel::new(doc! {}).into();
    push_all(&mut bulk, &[set(0), many, set(2), set(3), all, insert(5)]);
    let retries: Vec<_> = all_batches(&mut bulk).iter().map(|batch| batch.properties.retry).collect();
    assert_eq!(retries, [Operation::PLAIN_WRITE, Operation::WRITE, Operation::PLAIN_WRITE, Operation::WRITE]);
    let mut bulk = ClientBulk::new(&ClientBulkWriteOptions::default(), limits(2)).unwrap();
    for write in [set(0), set(1), DeleteManyModel::new(doc! {}).into(), set(3), set(4)] {
        bulk.push(&write.in_namespace(Namespace::new("a", "b")), id).unwrap();
    }
    let retries: Vec<_> = all_batches(&mut bulk).iter().map(|batch| batch.properties.retry).collect();
    assert_eq!(retries, [Operation::WRITE, Operation::PLAIN_WRITE, Operation::WRITE]);
}

#[test]
fn unacknowledged_writes_refuse_what_would_fail_unseen() {
    let collated: WriteModel = DeleteOneModel::new(doc! {}).collation(Collation::new("en")).into();
    let mut bulk = collection(&BulkWriteOptions::default(), limits(9));
    push_all(&mut bulk, &[delete(0), collated.clone()]);
    let batch = bulk.rest().unwrap();
    assert_eq!(batch.properties.requirements.len(), 1);
    assert!(batch.properties.check(17, true).is_ok());
    assert!(matches!(batch.properties.check(99, false), Err(Unsupported::Unacknowledged { option: "collation" })));
    let bypassing = BulkWriteOptions { bypass_document_validation: Some(false), ..Default::default() };
    let mut bulk = collection(&bypassing, limits(9));
    push_all(&mut bulk, &[insert(0)]);
    assert!(bulk.rest().unwrap().properties.check(99, false).is_err());

    let mut bulk = ClientBulk::new(&ClientBulkWriteOptions::default(), limits(9)).unwrap();
    bulk.push(&collated.in_namespace(Namespace::new("a", "b")), id).unwrap();
    let properties = bulk.rest().unwrap().properties;
    assert!(properties.check(25, true).is_ok() && properties.check(25, false).is_err());
    assert_eq!(properties.check(24, true), Err(Unsupported::Server { option: "bulkWrite", needed: 25, found: 24 }));
}

#[test]
fn a_write_that_is_not_allowed_leaves_the_others_alone() {
    let bad: [WriteModel; 3] = [
        UpdateOneModel::new(doc! {}, doc! { "x": 1 }).into(),
        ReplaceOneModel::new(doc! {}, doc! { "$set": {} }).into(),
        UpdateManyModel::new(doc! {}, UpdateModifications::Pipeline(Vec::new())).into(),
    ];
    let mut bulk = collection(&BulkWriteOptions::default(), limits(9));
    let mut client = ClientBulk::new(&ClientBulkWriteOptions::default(), limits(9)).unwrap();
    let namespace = Namespace::new("a", "b");
    bulk.push(&set(0), id).unwrap();
    client.push(&set(0).in_namespace(namespace.clone()), id).unwrap();
    for write in bad {
        let refused = bulk.push(&write, id).unwrap_err();
        assert!(matches!(refused, EncodeError::InvalidModel { index: 1, .. }), "{refused:?}");
        let refused = client.push(&write.in_namespace(namespace.clone()), id).unwrap_err();
        assert!(matches!(refused, EncodeError::InvalidModel { index: 1, .. }), "{refused:?}");
    }
    let nul: WriteModel = InsertOneModel::new(doc! { "a\0": 1 }).into();
    assert!(matches!(bulk.push(&nul, id), Err(EncodeError::InvalidDocument { index: 1, .. })));
    assert!(matches!(
        client.push(&nul.in_namespace(namespace.clone()), id),
        Err(EncodeError::InvalidDocument { index: 1, .. })
    ));
    let nameless = Namespace::new("a", "");
    assert!(matches!(client.push(&set(1).in_namespace(nameless), id), Err(EncodeError::InvalidName(_))));
    assert_eq!((bulk.rest().unwrap().len(), client.rest().unwrap().len()), (1, 1));
}

#[test]
fn a_document_that_is_too_large_is_refused_with_its_position() {
    let small = WriteLimits { max_bson_object_size: 100, ..limits(9) };
    let large: WriteModel = InsertOneModel::new(doc! { "_id": 1, "text": "x".repeat(100) }).into();
    let mut bulk = collection(&BulkWriteOptions::default(), small);
    bulk.push(&set(0), id).unwrap();
    assert!(matches!(bulk.push(&large, id), Err(EncodeError::DocumentTooLarge { index: 1, limit: 100, .. })));
    let mut client = ClientBulk::new(&ClientBulkWriteOptions::default(), small).unwrap();
    let namespace = Namespace::new("a", "b");
    client.push(&set(0).in_namespace(namespace.clone()), id).unwrap();
    let refused = client.push(&large.in_namespace(namespace.clone()), id);
    assert!(matches!(refused, Err(EncodeError::DocumentTooLarge { index: 1, size: 125, limit: 100 })), "{refused:?}");
    let filter: WriteModel = DeleteOneModel::new(doc! { "text": "x".repeat(20_000) }).into();
    let refused = client.push(&filter.clone().in_namespace(namespace.clone()), id);
    assert!(matches!(refused, Err(EncodeError::DocumentTooLarge { index: 1, .. })));
    assert!(matches!(bulk.push(&filter, id), Err(EncodeError::DocumentTooLarge { index: 1, .. })));
    client.push(&delete(1).in_namespace(namespace), id).unwrap();
    assert_eq!(shape(&client.rest().unwrap()).1, [0, 1]);
}

#[test]
fn ops_have_the_form_of_the_specification() {
    let options = ClientBulkWriteOptions {
        ordered: Some(false),
        bypass_document_validation: Some(true),
        comment: Some(Bson::from(3)),
        let_vars: Some(doc! { "v": 1 }),
        verbose_results: Some(true),
        write_concern: None,
    };
    let mut bulk = ClientBulk::new(&options, WriteLimits::default()).unwrap();
    let (here, there) = (Namespace::new("a", "b"), Namespace::new("a", "b.c"));
    let replace = ReplaceOneModel::new(doc! { "_id": 1 }, doc! { "y": 1 }).upsert(true).sort(doc! { "z": -1 });
    let update = UpdateManyModel::new(doc! {}, vec![doc! { "$set": { "x": 1 } }])
        .array_filters([doc! { "i": 1 }])
        .hint("h")
        .collation(Collation::new("en"));
    for write in [
        InsertOneModel::new(doc! { "x": 1 }).in_namespace(here.clone()),
        replace.in_namespace(there.clone()),
        update.in_namespace(here.clone()),
        DeleteManyModel::new(doc! { "x": 1 }).hint(doc! { "x": 1 }).in_namespace(there),
        DeleteOneModel::new(doc! {}).in_namespace(here),
    ] {
        bulk.push(&write, id).unwrap();
    }
    let batch = bulk.rest().unwrap();
    let body = rawdoc! {
        "bulkWrite": 1, "errorsOnly": false, "ordered": false, "bypassDocumentValidation": true, "comment": 3,
        "let": { "v": 1 },
    };
    assert_eq!((&*batch.request.name, &*batch.request.database), ("bulkWrite", "admin"));
    assert_eq!(batch.request.body, body);
    let [ops, namespaces] = batch.request.sequences.as_slice() else { panic!("not two sequences") };
    assert_eq!((ops.identifier, ops.count, namespaces.identifier), ("ops", 5, "nsInfo"));
    assert_eq!(documents(namespaces), [rawdoc! { "ns": "a.b" }, rawdoc! { "ns": "a.b.c" }]);
    let expected = [
        rawdoc! { "insert": 0, "document": { "_id": id(), "x": 1 } },
        rawdoc! {
            "update": 1, "filter": { "_id": 1 }, "updateMods": { "y": 1 }, "multi": false, "upsert": true,
            "sort": { "z": -1 },
        },
        rawdoc! {
            "update": 0, "filter": {}, "updateMods": [{ "$set": { "x": 1 } }], "multi": true,
            "arrayFilters": [{ "i": 1 }], "hint": "h", "collation": { "locale": "en" },
        },
        rawdoc! { "delete": 1, "filter": { "x": 1 }, "multi": true, "hint": { "x": 1 } },
        rawdoc! { "delete": 0, "filter": {}, "multi": false },
    ];
    assert_eq!(documents(ops), expected);
}

#[test]
fn a_new_namespace_counts_against_the_size_of_the_message() {
    // The figures are those of prose test 11: 43 bytes of command, 1000 of overhead.
    let body = 43;
    let (op, here, there) = (58, 21, 217);
    let exact = 1000 + body + 2 * op + here;
    let write = |name: &str| InsertOneModel::new(doc! { "a": "b" }).in_namespace(Namespace::new("db", name));
    let split = |bytes, second: &str| {
        let limits = WriteLimits { max_message_size_bytes: bytes, ..WriteLimits::default() };
        let mut bulk = ClientBulk::new(&ClientBulkWriteOptions::default(), limits).unwrap();
        bulk.push(&write("coll"), id).unwrap();
        bulk.push(&write(second), id).unwrap();
        let batches = all_batches(&mut bulk);
        assert!(batches.iter().all(|batch| batch.request.body.as_bytes().len() == body));
        batches.iter().map(|batch| (batch.len(), batch.request.sequences[1].count)).collect::<Vec<_>>()
    };
    let long = "c".repeat(200);
    assert_eq!(split(exact, "coll"), [(2, 1)]);
    assert_eq!(split(exact - 1, "coll"), [(1, 1), (1, 1)]);
    assert_eq!(split(exact + there, &long), [(2, 2)]);
    assert_eq!(split(exact + there - 1, &long), [(1, 1), (1, 1)]);
    let limits = WriteLimits { max_message_size_bytes: 1000 + body + op + here - 1, ..WriteLimits::default() };
    let mut bulk = ClientBulk::new(&ClientBulkWriteOptions::default(), limits).unwrap();
    assert!(matches!(bulk.push(&write("coll"), id), Err(EncodeError::DocumentTooLarge { index: 0, .. })));
    assert!(bulk.rest().is_none());
}

#[test]
fn smaller_limits_hold_for_what_follows() {
    let mut bulk = collection(&BulkWriteOptions::default(), limits(10));
    push_all(&mut bulk, &[insert(0), insert(1)]);
    bulk.set_limits(limits(1));
    push_all(&mut bulk, &[insert(2), insert(3)]);
    let batches = all_batches(&mut bulk);
    let found: Vec<_> = batches.iter().map(|batch| (batch.len(), batch.limits.max_write_batch_size)).collect();
    assert_eq!(found, [(2, 10), (1, 1), (1, 1)]);
    let parts = batches[0].clone().split(limits(1)).unwrap();
    assert_eq!(parts.iter().map(shape).collect::<Vec<_>>(), [("insert", vec![0]), ("insert", vec![1])]);
    assert_eq!(parts[1].items.content, Content::Inserts(vec![Bson::Int32(1)]));
    let smaller = WriteLimits { max_bson_object_size: 5, ..limits(1) };
    assert!(matches!(parts[1].clone().split(smaller), Err(EncodeError::DocumentTooLarge { index: 1, .. })));
}

/// A reply is merged as the position in the input demands, not as that in the command.
#[test]
fn replies_are_merged_by_the_positions_of_their_writes() {
    let mut bulk = collection(&unordered(), limits(10));
    let upsert: WriteModel = UpdateOneModel::new(doc! { "_id": 9 }, doc! { "$set": { "x": 1 } }).upsert(true).into();
    push_all(&mut bulk, &[set(0), insert(1), upsert, insert(3), delete(4)]);
    let replies = [
        rawdoc! { "ok": 1, "n": 1, "writeErrors": [{ "index": 0, "code": 11000, "errmsg": "dup" }] },
        rawdoc! { "ok": 1, "n": 2, "nModified": 1, "upserted": [{ "index": 1, "_id": 9 }] },
        rawdoc! { "ok": 1, "n": 1, "writeConcernError": { "code": 64, "errmsg": "late" } },
    ];
    for (batch, reply) in all_batches(&mut bulk).into_iter().zip(&replies) {
        bulk.record(batch.items, Some(reply)).unwrap();
        assert!(bulk.may_go_on());
    }
    let (result, WriteFailure { write_errors, write_concern_errors, .. }) =
        bulk.finish(true).into_result().unwrap_err();
    assert_eq!(write_errors.iter().map(|error| (error.index, error.code)).collect::<Vec<_>>(), [(1, 11000)]);
    assert_eq!(write_concern_errors.len(), 1);
    let expected = BulkWriteResult {
        inserted_count: 1,
        matched_count: 1,
        modified_count: 1,
        deleted_count: 1,
        upserted_count: 1,
        inserted_ids: BTreeMap::from([(3, Bson::Int32(3))]),
        upserted_ids: BTreeMap::from([(2, Bson::Int32(9))]),
        acknowledged: true,
    };
    assert_eq!(result, expected);
}

#[test]
fn an_ordered_bulk_write_stops_at_its_first_error() {
    let mut bulk = collection(&BulkWriteOptions::default(), limits(2));
    push_all(&mut bulk, &[insert(0), insert(1), insert(2), insert(3), set(4)]);
    let batches = all_batches(&mut bulk);
    bulk.record(batches[0].items.clone(), Some(&rawdoc! { "ok": 1, "n": 2 })).unwrap();
    let failed = rawdoc! { "ok": 1, "n": 1, "writeErrors": [{ "index": 1, "code": 11000 }] };
    bulk.record(batches[1].items.clone(), Some(&failed)).unwrap();
    assert!(!bulk.may_go_on());
    let (result, failure) = bulk.finish(true).into_result().unwrap_err();
    assert_eq!(result.inserted_ids.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((result.inserted_count, failure.write_errors[0].index), (3, 3));
}

#[test]
fn without_acknowledgement_only_the_ids_are_known() {
    let mut bulk = collection(&unordered(), limits(9));
    push_all(&mut bulk, &[set(0), insert(1)]);
    for batch in all_batches(&mut bulk) {
        bulk.record(batch.items, None).unwrap();
    }
    let result = bulk.finish(false).into_result().unwrap();
    assert_eq!((result.inserted_ids.keys().copied().collect::<Vec<_>>(), result.inserted_count), (vec![1], 0));
    assert!(!result.acknowledged);
}

fn client(options: &ClientBulkWriteOptions, limits: WriteLimits, writes: &[WriteModel]) -> ClientBulk {
    let mut bulk = ClientBulk::new(options, limits).unwrap();
    for write in writes {
        bulk.push(&write.clone().in_namespace(Namespace::new("a", "b")), id).unwrap();
    }
    bulk
}

fn read(bulk: &mut ClientBulk, items: &Items, reply: &RawDocument, results: &[RawDocumentBuf]) {
    bulk.record(items.clone(), Some(reply)).unwrap();
    results.iter().for_each(|result| bulk.record_result(result).unwrap());
}

#[test]
fn verbose_results_are_those_of_the_writes() {
    let verbose = ClientBulkWriteOptions { verbose_results: Some(true), ..Default::default() };
    let mut bulk = client(&verbose, limits(2), &[insert(7), set(1), delete(2)]);
    let batches = all_batches(&mut bulk);
    let reply = rawdoc! { "ok": 1, "nErrors": 0, "nInserted": 1, "nMatched": 1, "nModified": 1, "nUpserted": 1 };
    let results = [
        rawdoc! { "ok": 1, "idx": 0, "n": 1 },
        rawdoc! { "ok": 1, "idx": 1, "n": 1, "nModified": 0, "upserted": { "_id": null } },
    ];
    read(&mut bulk, &batches[0].items, &reply, &results);
    let reply = rawdoc! { "ok": 1, "nErrors": 0, "nDeleted": 1 };
    read(&mut bulk, &batches[1].items, &reply, &[rawdoc! { "ok": 1, "idx": 0, "n": 1 }]);
    let (result, failure) = bulk.finish(true);
    assert!(failure.is_empty());
    let result = result.unwrap();
    let serialized = bson::serialize_to_document(&result).unwrap();
    let expected = doc! {
        "insertedCount": 1_i64, "upsertedCount": 1_i64, "matchedCount": 1_i64, "modifiedCount": 1_i64,
        "deletedCount": 1_i64, "insertResults": { "0": { "insertedId": 7 } },
        "updateResults": { "1": { "matchedCount": 1_i64, "modifiedCount": 0_i64, "upsertedId": null } },
        "deleteResults": { "2": { "deletedCount": 1_i64 } },
    };
    assert_eq!(serialized, expected);
}

#[test]
fn a_partial_result_needs_a_write_that_succeeded() {
    let options = |ordered| ClientBulkWriteOptions { ordered: Some(ordered), ..Default::default() };
    let failed = |index| rawdoc! { "ok": 0, "idx": index, "code": 11000, "errmsg": "dup", "n": 0 };
    let check = |ordered, errors: i32, indexes: &[i32]| {
        let mut bulk = client(&options(ordered), limits(9), &[insert(0), insert(1)]);
        let items = bulk.rest().unwrap().items;
        let results: Vec<_> = indexes.iter().map(|index| failed(*index)).collect();
        read(&mut bulk, &items, &rawdoc! { "ok": 1, "nErrors": errors }, &results);
        assert_eq!(bulk.may_go_on(), !ordered || errors == 0);
        let (result, failure) = bulk.finish(true);
        let expected: Vec<_> = indexes.iter().map(|index| usize::try_from(*index).unwrap()).collect();
        assert_eq!(failure.write_errors.into_keys().collect::<Vec<_>>(), expected);
        result.is_some()
    };
    assert!(check(true, 0, &[]));
    assert!(!check(true, 1, &[0]));
    assert!(check(true, 1, &[1]));
    assert!(check(false, 1, &[0]));
    assert!(!check(false, 2, &[0, 1]));
}

#[test]
fn results_without_a_position_are_an_error() {
    let mut bulk = client(&ClientBulkWriteOptions::default(), limits(9), &[insert(0)]);
    let items = bulk.rest().unwrap().items;
    bulk.record(items, Some(&rawdoc! { "ok": 1, "nErrors": 0 })).unwrap();
    assert!(bulk.record_result(&rawdoc! { "ok": 1, "n": 1 }).is_err());
}

// Random histories.

const NAMES: &[&str] = &["a", "bb", "ccc"];

fn random_write(rng: &mut StdRng, id: i32) -> WriteModel {
    let text = "x".repeat(rng.random_range(0..40));
    match rng.random_range(0..6) {
        0 => InsertOneModel::new(doc! { "_id": id, "text": text }).into(),
        1 => ReplaceOneModel::new(doc! { "_id": id }, doc! { "text": text }).upsert(rng.random()).into(),
        2 => UpdateOneModel::new(doc! { "_id": id }, doc! { "$set": { "text": text } }).upsert(rng.random()).into(),
        3 => UpdateManyModel::new(doc! { "_id": id }, doc! { "$set": { "text": text } }).into(),
        4 => DeleteOneModel::new(doc! { "_id": id }).into(),
        _ => DeleteManyModel::new(doc! { "_id": id }).into(),
    }
}

fn random_limits(rng: &mut StdRng) -> WriteLimits {
    WriteLimits {
        max_bson_object_size: 16 * 1024 * 1024,
        max_message_size_bytes: rng.random_range(2600..4000),
        max_write_batch_size: rng.random_range(1..12),
    }
}

/// The `_id` that a statement or op is about; writes are numbered by it.
fn number(statement: &RawDocument) -> i32 {
    for key in ["q", "filter", "document"] {
        if let Ok(document) = statement.get_document(key) {
            return document.get_i32("_id").unwrap();
        }
    }
    statement.get_i32("_id").unwrap()
}

/// Every third write fails, every one that is tried and does not fail does something to one document.
fn fails(number: i32) -> bool {
    number % 3 == 2
}

/// What becomes of every write, computed the simple way.
fn expected(writes: &[WriteModel], ordered: bool) -> (BulkWriteResult, Vec<usize>) {
    let (mut result, mut errors) = (BulkWriteResult { acknowledged: true, ..Default::default() }, Vec::new());
    for (position, write) in writes.iter().enumerate() {
        let number = i32::try_from(position).unwrap();
        if fails(number) {
            errors.push(position);
            if ordered {
                break;
            }
            continue;
        }
        match write {
            WriteModel::InsertOne(_) => {
                result.inserted_count += 1;
                result.inserted_ids.insert(position, number.into());
            }
            WriteModel::ReplaceOne(ReplaceOneModel { upsert: Some(true), .. })
            | WriteModel::UpdateOne(UpdateOneModel { upsert: Some(true), .. }) => {
                result.upserted_count += 1;
                result.upserted_ids.insert(position, number.into());
            }
            WriteModel::DeleteOne(_) | WriteModel::DeleteMany(_) => result.deleted_count += 1,
            _ => {
                result.matched_count += 1;
                result.modified_count += 1;
            }
        }
    }
    (result, errors)
}

/// A server for commands of one collection.
fn serve(batch: &WriteBatch, ordered: bool) -> RawDocumentBuf {
    let (mut n, mut modified) = (0, 0);
    let (mut upserted, mut errors) = (Vec::new(), Vec::new());
    for (index, statement) in documents(&batch.request.sequences[0]).iter().enumerate() {
        let (index, number) = (i32::try_from(index).unwrap(), number(statement));
        if fails(number) {
            errors.push(doc! { "index": index, "code": 1, "errmsg": "no" });
            if ordered {
                break;
            }
            continue;
        }
        n += 1;
        match statement.get_bool("upsert") {
            Ok(true) => upserted.push(doc! { "index": index, "_id": number }),
            _ => modified += i32::from(batch.request.name == "update"),
        }
    }
    let mut reply = doc! { "ok": 1, "n": n, "nModified": modified };
    if !upserted.is_empty() {
        reply.insert("upserted", upserted);
    }
    if !errors.is_empty() {
        reply.insert("writeErrors", errors);
    }
    RawDocumentBuf::try_from(reply).unwrap()
}

/// Sends everything, now and then through a server with smaller limits. Returns the numbers in the order they went.
fn execute<B: Batches>(
    rng: &mut StdRng,
    bulk: &mut B,
    mut batches: Vec<WriteBatch>,
    mut send: impl FnMut(&mut B, &WriteBatch),
) {
    while !batches.is_empty() && bulk.may_go_on() {
        let batch = batches.remove(0);
        if rng.random_ratio(1, 5) && batch.len() > 1 {
            let smaller = WriteLimits { max_write_batch_size: batch.len().div_ceil(2), ..batch.limits };
            let parts = batch.split(smaller).unwrap();
            assert!(parts.len() >= 2 && parts.iter().all(|part| part.len() <= smaller.max_write_batch_size));
            batches.splice(0..0, parts);
            continue;
        }
        send(bulk, &batch);
    }
}

#[test]
fn random_bulk_writes_to_a_collection_end_as_the_model_says() {
    for seed in 0..300 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (ordered, count) = (rng.random(), rng.random_range(1..60));
        let writes: Vec<_> = (0..count).map(|id| random_write(rng, id)).collect();
        let options = BulkWriteOptions { ordered: Some(ordered), ..Default::default() };
        let mut bulk = collection(&options, random_limits(rng));
        let mut batches = Vec::new();
        for write in &writes {
            bulk.push(write, id).unwrap();
            batches.extend(bulk.next_full());
            if rng.random_ratio(1, 30) {
                bulk.set_limits(random_limits(rng));
            }
        }
        batches.extend(all_batches(&mut bulk));
        let mut sent = Vec::new();
        for batch in &batches {
            let message = batch.request.message(&[], crate::wire::MessageFlags::NONE, 1);
            assert!(message.total_len() <= batch.limits.max_message_size_bytes && !batch.is_empty(), "seed {seed}");
            assert!(batch.len() <= batch.limits.max_write_batch_size);
            sent.extend(documents(&batch.request.sequences[0]).iter().map(|statement| number(statement)));
        }
        let sorted = {
            let mut all = sent.clone();
            all.sort_unstable();
            all
        };
        assert_eq!(sorted, (0..count).collect::<Vec<_>>(), "seed {seed}: lost or doubled");
        assert!(!ordered || sent == sorted, "seed {seed}: out of order");
        execute(rng, &mut bulk, batches, |bulk, batch| {
            bulk.record(batch.items.clone(), Some(&serve(batch, ordered))).unwrap();
        });
        let (result, errors) = expected(&writes, ordered);
        let written = bulk.finish(true);
        assert_eq!(written.result, result, "seed {seed}");
        let mut found: Vec<_> =
            written.failure.unwrap_or_default().write_errors.iter().map(|error| error.index).collect();
        found.sort_unstable();
        assert_eq!(found, errors, "seed {seed}");
    }
}

/// A server for `bulkWrite`: its reply, and the results of its cursor.
fn serve_ops(batch: &WriteBatch, ordered: bool) -> (RawDocumentBuf, Vec<RawDocumentBuf>) {
    let mut counts = BTreeMap::new();
    let mut results = Vec::new();
    for (index, op) in documents(&batch.request.sequences[0]).iter().enumerate() {
        let (index, number) = (i32::try_from(index).unwrap(), number(op));
        if fails(number) {
            *counts.entry("nErrors").or_insert(0) += 1;
            results.push(rawdoc! { "ok": 0, "idx": index, "code": 1, "n": 0 });
            if ordered {
                break;
            }
            continue;
        }
        let kind = op.iter_elements().next().unwrap().unwrap().key().as_str();
        match (kind, op.get_bool("upsert").unwrap_or(false)) {
            ("insert", _) => *counts.entry("nInserted").or_insert(0) += 1,
            ("delete", _) => *counts.entry("nDeleted").or_insert(0) += 1,
            (_, true) => *counts.entry("nUpserted").or_insert(0) += 1,
            _ => {
                *counts.entry("nMatched").or_insert(0) += 1;
                *counts.entry("nModified").or_insert(0) += 1;
            }
        }
        results.push(match op.get_bool("upsert").unwrap_or(false) {
            true => rawdoc! { "ok": 1, "idx": index, "n": 1, "nModified": 0, "upserted": { "_id": number } },
            false => rawdoc! { "ok": 1, "idx": index, "n": 1, "nModified": 1 },
        });
    }
    let mut reply = doc! { "ok": 1, "nErrors": 0 };
    reply.extend(counts.into_iter().map(|(key, count): (&str, i32)| (key.to_owned(), count.into())));
    (RawDocumentBuf::try_from(reply).unwrap(), results)
}

#[test]
fn random_bulk_writes_of_a_client_end_as_the_model_says() {
    for seed in 0..300 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (ordered, verbose, count) = (rng.random(), rng.random(), rng.random_range(1..60));
        let writes: Vec<_> = (0..count).map(|id| random_write(rng, id)).collect();
        let places: Vec<_> = writes.iter().map(|_| Namespace::new("db", *NAMES.choose(rng).unwrap())).collect();
        let options = ClientBulkWriteOptions {
            ordered: Some(ordered),
            verbose_results: Some(verbose),
            ..ClientBulkWriteOptions::default()
        };
        let mut limits = random_limits(rng);
        limits.max_message_size_bytes -= 1200;
        let mut bulk = ClientBulk::new(&options, limits).unwrap();
        let mut batches = Vec::new();
        for (write, place) in writes.iter().zip(&places) {
            bulk.push(&write.clone().in_namespace(place.clone()), id).unwrap();
            batches.extend(bulk.next_full());
        }
        batches.extend(all_batches(&mut bulk));
        let mut seen = Vec::new();
        let check = |batch: &WriteBatch, seen: &mut Vec<i32>| {
            let [ops, ns_info] = batch.request.sequences.as_slice() else { panic!("not two sequences") };
            let bytes = batch.request.body.as_bytes().len() + ops.documents.len() + ns_info.documents.len();
            assert!(bytes + 1000 <= batch.limits.max_message_size_bytes, "seed {seed}");
            let names: Vec<_> = documents(ns_info).iter().map(|info| info.get_str("ns").unwrap().to_owned()).collect();
            let mut used: Vec<usize> = Vec::new();
            for op in documents(ops) {
                let first = op.iter_elements().next().unwrap().unwrap();
                let index = usize::try_from(first.value().unwrap().as_i32().unwrap()).unwrap();
                let number = number(&op);
                assert_eq!(names[index], places[usize::try_from(number).unwrap()].to_string(), "seed {seed}");
                used.push(index);
                seen.push(number);
            }
            used.sort_unstable();
            used.dedup();
            assert_eq!(used, (0..names.len()).collect::<Vec<_>>(), "seed {seed}: a namespace nobody uses");
        };
        let mut tried = Vec::new();
        batches.iter().for_each(|batch| check(batch, &mut seen));
        assert_eq!(seen, (0..count).collect::<Vec<_>>(), "seed {seed}");
        execute(rng, &mut bulk, batches, |bulk, batch| {
            check(batch, &mut tried);
            let (reply, results) = serve_ops(batch, ordered);
            bulk.record(batch.items.clone(), Some(&reply)).unwrap();
            results.iter().for_each(|result| bulk.record_result(result).unwrap());
        });
        let (summary, errors) = expected(&writes, ordered);
        let (result, failure) = bulk.finish(true);
        assert_eq!(failure.write_errors.into_keys().collect::<Vec<_>>(), errors, "seed {seed}");
        let done = result.unwrap_or_default();
        let counts =
            [done.inserted_count, done.upserted_count, done.matched_count, done.modified_count, done.deleted_count];
        let wanted = [
            summary.inserted_count,
            summary.upserted_count,
            summary.matched_count,
            summary.modified_count,
            summary.deleted_count,
        ];
        assert_eq!(counts, wanted, "seed {seed}");
        if let Some(verbose) = done.verbose_results {
            let ids: BTreeMap<_, _> =
                verbose.insert_results.into_iter().map(|(position, insert)| (position, insert.inserted_id)).collect();
            assert_eq!(ids, summary.inserted_ids, "seed {seed}");
            let upserted: BTreeMap<_, _> = verbose
                .update_results
                .into_iter()
                .filter_map(|(position, update)| Some((position, update.upserted_id?)))
                .collect();
            assert_eq!(upserted, summary.upserted_ids, "seed {seed}");
            assert_eq!(verbose.delete_results.len() as u64, summary.deleted_count, "seed {seed}");
        }
    }
}
