//! Codec options on a real server: what is stored, and what is read of it.

use mongo_actors::{
    Client, Collection, Database, Namespace,
    bson::{
        Binary, Bson, DateTime, Decimal128, Document, RawDocumentBuf, Uuid, doc,
        spec::{BinarySubtype, ElementType},
    },
    codec::{CodecOptions, ConvertedDateTime, DatetimeConversion, TypeRegistry, UuidRepresentation, time::UtcOffset},
    error::ErrorKind,
    options::{
        CollectionOptions, DatabaseOptions, DeleteOneModel, InsertOneModel, ReplaceOneModel, UpdateOneModel, WriteModel,
    },
};
use mongo_actors_testkit::Secantus;
use serde::{Deserialize, Serialize};

use crate::kit::{client_and_database, shared_set};

const LEGACY: [UuidRepresentation; 3] =
    [UuidRepresentation::JavaLegacy, UuidRepresentation::CSharpLegacy, UuidRepresentation::PythonLegacy];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Device {
    #[serde(rename = "_id")]
    id: Uuid,
    parts: Vec<Uuid>,
}

fn uuid() -> Uuid {
    Uuid::parse_str("00112233-4455-6677-8899-aabbccddeeff").unwrap()
}

fn other() -> Uuid {
    Uuid::from_bytes([7; 16])
}

fn device(id: Uuid) -> Device {
    Device { id, parts: vec![uuid()] }
}

fn keeping<T>(collection: &Collection<T>, codec: CodecOptions) -> Collection<T> {
    collection.with_options(CollectionOptions::new().codec_options(codec))
}

fn legacy(representation: UuidRepresentation) -> CodecOptions {
    CodecOptions::new().uuid_representation(representation)
}

#[tokio::test]
async fn every_operation_sees_uuids_and_the_server_their_representation() {
    let (client, database) = client_and_database("codec-uuid").await;
    let plain = database.collection::<Document>("devices");
    for representation in LEGACY {
        plain.drop().await.unwrap();
        let devices = keeping(&plain, legacy(representation)).clone_with_type::<Device>();
        let stored = |uuid| Bson::from(representation.encode(uuid).unwrap());

        assert_eq!(devices.insert_one(device(uuid())).await.unwrap().inserted_id, uuid().into());
        let raw = plain.find_one(doc! {}).await.unwrap().unwrap();
        assert_eq!(raw, doc! { "_id": stored(uuid()), "parts": [stored(uuid())] });

        assert_eq!(devices.find_one(doc! { "_id": uuid() }).await.unwrap(), Some(device(uuid())));
        let mut cursor = devices.find(doc! { "parts": uuid() }).await.unwrap();
        assert!(cursor.advance().await.unwrap());
        assert_eq!(cursor.deserialize_current().unwrap(), device(uuid()));
        let upsert = devices.update_one(doc! { "_id": other() }, doc! { "$set": { "parts": [uuid()] } }).upsert(true);
        assert_eq!(upsert.await.unwrap().upserted_id, Some(other().into()));
        assert_eq!(devices.distinct("_id", doc! { "_id": other() }).await.unwrap(), [Bson::from(other())]);
        let pushed = devices.find_one_and_update(doc! { "_id": other() }, doc! { "$push": { "parts": other() } });
        assert_eq!(pushed.await.unwrap(), Some(device(other())));
        let replaced = devices.replace_one(doc! { "parts": other() }, device(other())).await.unwrap();
        assert_eq!((replaced.matched_count, replaced.modified_count), (1, 1));
        let pipeline = [doc! { "$match": { "_id": { "$in": [other()] } } }];
        let found = devices.aggregate(pipeline).with_type::<Device>().await.unwrap().to_vec().await.unwrap();
        assert_eq!(found, [device(other())]);
        assert_eq!(devices.count_documents(doc! { "parts": uuid() }).await.unwrap(), 2);
        assert_eq!(devices.delete_many(doc! { "parts": uuid() }).await.unwrap().deleted_count, 2);

        devices.insert_many([device(uuid()), device(other())]).await.unwrap();
        assert_eq!(plain.count_documents(doc! { "_id": stored(other()) }).await.unwrap(), 1);
        devices.delete_one(doc! { "_id": other() }).await.unwrap();
        let writes: [WriteModel<Device>; 3] = [
            UpdateOneModel::new(doc! { "_id": uuid() }, doc! { "$set": { "parts": [other()] } }).into(),
            ReplaceOneModel::new(doc! { "_id": other() }, device(other())).upsert(true).into(),
            DeleteOneModel::new(doc! { "parts": other() }).into(),
        ];
        let result = devices.bulk_write(writes).await.unwrap();
        assert_eq!((result.modified_count, result.deleted_count), (1, 1));
        assert_eq!(result.upserted_ids.into_values().collect::<Vec<_>>(), [Bson::from(other())]);
    }
    client.close().await;
}

/// What is there in the other representation stays as it is, and raw batches are the server's bytes.
#[tokio::test]
async fn a_representation_changes_only_what_is_in_it() {
    let (client, database) = client_and_database("codec-mixed").await;
    let plain = database.collection::<Document>("devices");
    let java = UuidRepresentation::JavaLegacy.encode(uuid()).unwrap();
    plain.insert_one(doc! { "_id": 1, "standard": uuid(), "legacy": &java }).await.unwrap();
    let read = async |representation| {
        keeping(&plain, legacy(representation)).find_one(doc! { "_id": 1 }).await.unwrap().unwrap()
    };
    assert_eq!(read(UuidRepresentation::JavaLegacy).await, doc! { "_id": 1, "standard": uuid(), "legacy": uuid() });
    for representation in [UuidRepresentation::Standard, UuidRepresentation::Unspecified] {
        assert_eq!(read(representation).await, doc! { "_id": 1, "standard": uuid(), "legacy": &java });
    }
    let kept = keeping(&plain, legacy(UuidRepresentation::JavaLegacy));
    let mut batches = kept.find_raw_batches(doc! {}).await.unwrap();
    let batch = batches.try_next().await.unwrap().unwrap();
    let raw = batch.iter().next().unwrap().unwrap();
    assert_eq!(raw.get_binary("legacy").unwrap().bytes, java.bytes);
    // A command of the application's own goes out as it is.
    let count = doc! { "count": "devices", "query": { "standard": uuid() } };
    let database = database.with_options(DatabaseOptions::new().codec_options(legacy(UuidRepresentation::JavaLegacy)));
    assert_eq!(database.run_command(count).await.unwrap().get_i32("n").unwrap(), 1);
    client.close().await;
}

async fn subtype_of_inserted(database: &Database, options: CollectionOptions) -> BinarySubtype {
    let devices = database.collection_with_options::<Document>("devices", options);
    devices.insert_one(doc! { "_id": uuid() }).await.unwrap();
    let raw = database.client().database(database.name()).run_command(doc! { "find": "devices" }).await.unwrap();
    let first = raw.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0].as_document().unwrap();
    let Some(Bson::Binary(Binary { subtype, .. })) = first.get("_id") else { panic!("{first}") };
    devices.drop().await.unwrap();
    *subtype
}

#[tokio::test]
async fn options_of_the_connection_string_are_inherited_and_can_be_replaced() {
    let uri =
        format!("{}&uuidRepresentation=pythonLegacy&tz_aware=true&datetime_conversion=2", shared_set().await.uri());
    let client = Client::with_uri_str(&uri).await.unwrap();
    let database = client.database("it-codec-inherited");
    assert_eq!(client.codec_options(), database.codec_options());
    assert_eq!(client.codec_options(), database.collection::<Document>("x").codec_options());
    assert_eq!(client.codec_options().time_zone, Some(UtcOffset::UTC));
    assert_eq!(client.codec_options().datetime_conversion, DatetimeConversion::Clamp);
    let standard = || CodecOptions::new().uuid_representation(UuidRepresentation::Standard);

    let inherited = CollectionOptions::new;
    assert_eq!(subtype_of_inserted(&database, inherited()).await, BinarySubtype::UuidOld);
    assert_eq!(subtype_of_inserted(&database, inherited().codec_options(standard())).await, BinarySubtype::Uuid);
    let other = client.database_with_options(database.name(), DatabaseOptions::new().codec_options(standard()));
    assert_eq!(subtype_of_inserted(&other, inherited()).await, BinarySubtype::Uuid);
    let legacy = legacy(UuidRepresentation::CSharpLegacy);
    assert_eq!(subtype_of_inserted(&other, inherited().codec_options(legacy)).await, BinarySubtype::UuidOld);
    client.close().await;
}

#[tokio::test]
async fn date_times_beyond_the_calendar_are_read_as_the_policy_says() {
    let (client, database) = client_and_database("codec-dates").await;
    let plain = database.collection::<Document>("dates");
    plain.insert_one(doc! { "_id": 1, "at": DateTime::MAX }).await.unwrap();
    let read = async |policy| {
        let dates = keeping(&plain, CodecOptions::new().datetime_conversion(policy));
        *dates.find_one(doc! {}).await.unwrap().unwrap().get_datetime("at").unwrap()
    };
    for policy in [DatetimeConversion::Strict, DatetimeConversion::Millis, DatetimeConversion::Auto] {
        assert_eq!(read(policy).await, DateTime::MAX);
    }
    let clamped = read(DatetimeConversion::Clamp).await;
    assert_eq!(clamped.try_to_rfc3339_string().unwrap(), "9999-12-31T23:59:59.999Z");
    let options = CodecOptions::new();
    assert!(options.convert_datetime(DateTime::MAX).is_err());
    assert!(matches!(options.convert_datetime(clamped), Ok(ConvertedDateTime::Naive(at)) if at.year() == 9999));
    client.close().await;
}

/// Prices are decimals on the server and floating-point numbers in the application; names are stored in capitals.
fn prices() -> CodecOptions {
    let registry = TypeRegistry::new()
        .encoder(ElementType::Double, |price| {
            Ok(price.as_f64().unwrap_or_default().to_string().parse::<Decimal128>()?.into())
        })
        .decoder(ElementType::Decimal128, |price| Ok(Bson::Double(price.to_string().parse()?)))
        .encoder(ElementType::String, |name| Ok(name.as_str().unwrap_or_default().to_uppercase().into()));
    CodecOptions::new().type_registry(registry)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    #[serde(rename = "_id")]
    id: i32,
    name: String,
    price: f64,
}

#[tokio::test]
async fn a_registry_converts_both_ways() {
    let (client, database) = client_and_database("codec-registry").await;
    let plain = database.collection::<Document>("items");
    let items = keeping(&plain, prices()).clone_with_type::<Item>();
    items.insert_one(Item { id: 1, name: "tea".into(), price: 2.5 }).await.unwrap();
    items.insert_many([Item { id: 2, name: "rum".into(), price: 0.125 }]).await.unwrap();
    let raw = plain.find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    assert_eq!(raw, doc! { "_id": 1, "name": "TEA", "price": "2.5".parse::<Decimal128>().unwrap() });
    let read = items.find_one(doc! { "name": "tea", "price": 2.5 }).await.unwrap();
    assert_eq!(read, Some(Item { id: 1, name: "TEA".into(), price: 2.5 }));
    items.update_one(doc! { "name": "rum" }, doc! { "$set": { "price": 9.5 } }).await.unwrap();
    let prices = items.distinct("price", doc! {}).await.unwrap();
    assert_eq!(prices, [Bson::Double(2.5), Bson::Double(9.5)]);
    client.close().await;
}

#[tokio::test]
async fn what_a_conversion_refuses_is_an_error_that_names_the_place() {
    let (client, database) = client_and_database("codec-refusals").await;
    let plain = database.collection::<Document>("items");
    let refusing = TypeRegistry::new()
        .encoder(ElementType::Int64, |_| Err("too long".into()))
        .decoder(ElementType::Null, |_| Err("nothing".into()));
    let items = keeping(&plain, CodecOptions::new().type_registry(refusing));
    let error = items.insert_one(doc! { "a": { "b": 1_i64 } }).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidDocument { .. }), "{error:?}");
    assert!(error.to_string().contains("\"a.b\""), "{error}");
    let error = items.insert_many([doc! { "a": 1 }, doc! { "a": 1_i64 }]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidDocument { index: Some(1), .. }), "{error:?}");
    assert_eq!(plain.count_documents(doc! {}).await.unwrap(), 0);
    plain.insert_one(doc! { "c": null }).await.unwrap();
    let error = items.find_one(doc! {}).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Deserialization { .. }), "{error:?}");
    assert!(error.to_string().contains("\"c\""), "{error}");
    client.close().await;
}

/// Each document becomes a hundred times as long, so that they do not fit into one message any more.
#[tokio::test]
async fn documents_that_grow_are_distributed_over_more_commands() {
    let (client, database) = client_and_database("codec-growth").await;
    let plain = database.collection::<RawDocumentBuf>("long");
    let long = TypeRegistry::new()
        .encoder(ElementType::String, |text| Ok(text.as_str().unwrap_or_default().repeat(100).into()));
    let options = CollectionOptions::new().codec_options(CodecOptions::new().type_registry(long));
    let text = "x".repeat(20_000);
    let documents = (0..60).map(|id| mongo_actors::bson::rawdoc! { "_id": id, "text": text.as_str() });
    plain.with_options(options).insert_many(documents).await.unwrap();
    let length = doc! { "$strLenBytes": "$text" };
    let mut sum = plain.aggregate([doc! { "$group": { "_id": 0, "sum": { "$sum": length } } }]).await.unwrap();
    assert_eq!(sum.try_next().await.unwrap().unwrap().get("sum"), Some(&Bson::Int32(120_000_000)));
    plain.drop().await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn change_events_and_pipelines_of_change_streams_are_converted() {
    let (client, database) = client_and_database("codec-changes").await;
    let plain = database.collection::<Document>("devices");
    let devices = keeping(&plain, legacy(UuidRepresentation::JavaLegacy)).clone_with_type::<Device>();
    let wanted = [doc! { "$match": { "fullDocument._id": other() } }];
    let mut changes = devices.watch().pipeline(wanted).await.unwrap();
    devices.insert_many([device(uuid()), device(other())]).await.unwrap();
    let event = changes.try_next().await.unwrap().unwrap();
    assert_eq!(event.full_document, Some(device(other())));
    assert_eq!(event.document_key, Some(doc! { "_id": other() }));
    changes.close().await;
    client.close().await;
}

#[tokio::test]
async fn a_bulk_write_of_the_client_uses_the_options_of_the_client() {
    let server = Secantus::start().await.unwrap();
    let client =
        Client::builder().uri(server.uri()).codec_options(legacy(UuidRepresentation::CSharpLegacy)).build().unwrap();
    let namespace = Namespace::new("it", "devices");
    let result = client
        .bulk_write([
            InsertOneModel::new(doc! { "_id": uuid() }).in_namespace(namespace.clone()),
            UpdateOneModel::new(doc! { "_id": other() }, doc! { "$set": { "x": uuid() } })
                .upsert(true)
                .in_namespace(namespace),
        ])
        .verbose_results(true)
        .await
        .unwrap();
    let verbose = result.verbose_results.unwrap();
    assert_eq!(verbose.insert_results[&0].inserted_id, uuid().into());
    assert_eq!(verbose.update_results[&1].upserted_id, Some(other().into()));
    let stored = |uuid| Bson::from(UuidRepresentation::CSharpLegacy.encode(uuid).unwrap());
    let plain = CollectionOptions::new().codec_options(CodecOptions::new());
    let plain = client.database("it").collection_with_options::<Document>("devices", plain);
    let all = plain.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().to_vec().await.unwrap();
    assert!(all.contains(&doc! { "_id": stored(uuid()) }), "{all:?}");
    assert!(all.contains(&doc! { "_id": stored(other()), "x": stored(uuid()) }), "{all:?}");
    client.close().await;
}
