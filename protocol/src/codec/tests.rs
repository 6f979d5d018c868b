//! Encoded documents in, encoded documents out.

use bson::{
    Binary, Bson, DateTime, Document, JavaScriptCodeWithScope, RawDocument, RawDocumentBuf, Regex, Timestamp, Uuid,
    doc,
    oid::ObjectId,
    rawdoc,
    spec::{BinarySubtype, ElementType},
};
use time::{UtcOffset, macros::datetime};

use super::*;
use crate::command::{DocumentSequence, EncodeError, Request};

const LEGACY: [UuidRepresentation; 3] =
    [UuidRepresentation::JavaLegacy, UuidRepresentation::CSharpLegacy, UuidRepresentation::PythonLegacy];

fn uuid() -> Uuid {
    Uuid::parse_str("00112233-4455-6677-8899-aabbccddeeff").unwrap()
}

fn raw() -> Binary {
    Binary::from_uuid(uuid())
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn legacy(hex: &str) -> Binary {
    Binary { subtype: BinarySubtype::UuidOld, bytes: bytes(hex) }
}

fn everything() -> Document {
    doc! {
        "double": 1.5, "text": "xyz", "inner": { "a": ["b", { "c": "d" }] }, "id": ObjectId::from_bytes([1; 12]),
        "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![0xff, 0, 1] },
        "yes": true, "at": DateTime::from_millis(5), "nothing": null, "int": 1_i32, "long": 2_i64,
        "stamp": Timestamp { time: 1, increment: 2 }, "min": Bson::MinKey, "max": Bson::MaxKey,
        "code": Bson::JavaScriptCode("x()".into()), "symbol": Bson::Symbol("s".into()),
        "scope": JavaScriptCodeWithScope { code: "y()".into(), scope: doc! { "z": "w" } },
        "regex": Regex { pattern: "p".try_into().unwrap(), options: "i".try_into().unwrap() },
        "decimal": "1.5".parse::<bson::Decimal128>().unwrap(), "undefined": Bson::Undefined, "empty": {},
        "uuid": uuid(),
    }
}

fn read(options: &CodecOptions, document: &Document) -> Result<Document, ConversionError> {
    let document = bson::serialize_to_vec(document).unwrap();
    Ok(bson::deserialize_from_slice(&options.read(&document)?).unwrap())
}

fn sent(options: &CodecOptions, body: RawDocumentBuf) -> Result<Document, EncodeError> {
    let mut request = Request::new("find", "db".into(), body);
    options.write_request(&mut request)?;
    Ok(Document::try_from(&*request.body).unwrap())
}

#[test]
fn uuids_are_written_and_read_as_the_specification_has_them() {
    let expected = [
        (UuidRepresentation::Standard, BinarySubtype::Uuid, "00112233445566778899AABBCCDDEEFF"),
        (UuidRepresentation::JavaLegacy, BinarySubtype::UuidOld, "7766554433221100FFEEDDCCBBAA9988"),
        (UuidRepresentation::CSharpLegacy, BinarySubtype::UuidOld, "33221100554477668899AABBCCDDEEFF"),
        (UuidRepresentation::PythonLegacy, BinarySubtype::UuidOld, "00112233445566778899AABBCCDDEEFF"),
    ];
    for (representation, subtype, hex) in expected {
        let binary = Binary { subtype, bytes: bytes(hex) };
        assert_eq!(representation.encode(uuid()).unwrap(), binary);
        assert_eq!(representation.decode(&binary).unwrap(), uuid());
        assert!(matches!(UuidRepresentation::Unspecified.decode(&binary), Err(UuidError::Unspecified)));
        let other =
            if subtype == BinarySubtype::Uuid { UuidRepresentation::JavaLegacy } else { UuidRepresentation::Standard };
        assert!(matches!(other.decode(&binary), Err(UuidError::Mismatch(_))));
    }
    assert!(matches!(UuidRepresentation::Unspecified.encode(uuid()), Err(UuidError::Unspecified)));
}

#[test]
fn documents_are_sent_with_uuids_as_the_representation_has_them_and_read_back() {
    for representation in LEGACY {
        let options = CodecOptions::new().uuid_representation(representation);
        let stored = representation.encode(uuid()).unwrap();
        let written =
            sent(&options, rawdoc! { "find": "c", "filter": { "a": [{ "b": raw() }] }, "hint": { "u": raw() } });
        let written = written.unwrap();
        assert_eq!(written, doc! { "find": "c", "filter": { "a": [{ "b": &stored }] }, "hint": { "u": &stored } });
        assert_eq!(read(&options, &written).unwrap().get_document("filter").unwrap(), &doc! { "a": [{ "b": uuid() }] });
        // Binary values of the other subtype stay what they are.
        let both = doc! { "standard": uuid(), "legacy": &stored };
        assert_eq!(read(&options, &both).unwrap(), doc! { "standard": uuid(), "legacy": uuid() });
        assert_eq!(options.read_value(Bson::Array(vec![stored.into()])).unwrap(), Bson::Array(vec![uuid().into()]));
    }
}

#[test]
fn what_is_no_uuid_is_not_touched() {
    let options = CodecOptions::new().uuid_representation(UuidRepresentation::JavaLegacy);
    let document = doc! {
        "short": Binary { subtype: BinarySubtype::UuidOld, bytes: vec![1, 2, 3] },
        "old": Binary { subtype: BinarySubtype::BinaryOld, bytes: vec![7; 16] },
        "generic": Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 16] },
    };
    assert_eq!(read(&options, &document).unwrap(), document);
    let plain = doc! { "u": legacy("00112233445566778899AABBCCDDEEFF"), "v": uuid() };
    for representation in [UuidRepresentation::Unspecified, UuidRepresentation::Standard] {
        assert_eq!(read(&CodecOptions::new().uuid_representation(representation), &plain).unwrap(), plain);
    }
}

#[test]
fn a_document_without_anything_to_convert_is_read_where_it_is() {
    let document = bson::serialize_to_vec(&everything()).unwrap();
    let read = CodecOptions::new().read(&document).unwrap().into_owned();
    assert_eq!(read, document);
    assert!(matches!(CodecOptions::new().read(&document), Ok(std::borrow::Cow::Borrowed(_))));
}

#[test]
fn all_types_survive_all_passes() {
    let options = CodecOptions::new()
        .uuid_representation(UuidRepresentation::CSharpLegacy)
        .datetime_conversion(DatetimeConversion::Clamp)
        .type_registry(TypeRegistry::new().decoder(ElementType::Null, Ok));
    assert_eq!(read(&options, &everything()).unwrap(), everything());
    let document = bson::serialize_to_vec(&everything()).unwrap();
    assert_eq!(purged(&document).unwrap(), document);
}

#[test]
fn faulty_bytes_are_left_out_at_every_depth() {
    let mut bytes = bson::serialize_to_vec(&doc! { "a": "xyz", "b": { "cd": ["pq"] }, "n": 7 }).unwrap();
    for faulty in [b'y', b'd', b'q'] {
        let at = bytes.iter().position(|byte| *byte == faulty).unwrap();
        bytes[at] = 0xff;
    }
    let clean: Document = bson::deserialize_from_slice(&purged(&bytes).unwrap()).unwrap();
    assert_eq!(clean, doc! { "a": "xz", "b": { "c": ["p"] }, "n": 7 });
}

#[test]
fn what_is_not_bson_is_refused_and_never_panics() {
    let options = CodecOptions::new()
        .uuid_representation(UuidRepresentation::JavaLegacy)
        .datetime_conversion(DatetimeConversion::Clamp)
        .type_registry(TypeRegistry::new().decoder(ElementType::String, Ok).decoder(ElementType::Binary, Ok));
    let bytes = bson::serialize_to_vec(&everything()).unwrap();
    for end in 0..bytes.len() {
        assert!(matches!(options.read(&bytes[..end]), Err(ConversionError::Malformed)));
        assert!(purged(&bytes[..end]).is_none());
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut broken = bytes.clone();
            broken[at] = value;
            let _ = (purged(&broken), options.read(&broken));
        }
    }
    let mut deep = Document::new();
    for _ in 0..300 {
        deep = doc! { "a": deep };
    }
    assert!(read(&options, &deep).is_err());
}

#[test]
fn date_times_beyond_the_calendar_are_clamped_only_on_demand() {
    let beyond = doc! { "a": [DateTime::MAX, DateTime::MIN], "b": DateTime::from_millis(7) };
    for policy in [DatetimeConversion::Strict, DatetimeConversion::Millis, DatetimeConversion::Auto] {
        assert_eq!(read(&CodecOptions::new().datetime_conversion(policy), &beyond).unwrap(), beyond);
    }
    let clamp = CodecOptions::new().datetime_conversion(DatetimeConversion::Clamp);
    let (first, last) = (datetime!(0001-01-01 0:00 UTC), datetime!(9999-12-31 23:59:59.999 UTC));
    let millis = |at: time::OffsetDateTime| DateTime::from_millis((at.unix_timestamp_nanos() / 1_000_000) as i64);
    let expected = doc! { "a": [millis(last), millis(first)], "b": DateTime::from_millis(7) };
    assert_eq!(read(&clamp, &beyond).unwrap(), expected);
}

#[test]
fn a_date_time_becomes_what_policy_and_zone_say() {
    use ConvertedDateTime::{Millis, Naive, Zoned};
    let east = UtcOffset::from_hms(2, 0, 0).unwrap();
    let policies =
        [DatetimeConversion::Strict, DatetimeConversion::Clamp, DatetimeConversion::Millis, DatetimeConversion::Auto];
    let convert = |policy, zone: Option<UtcOffset>, at| {
        CodecOptions::new().datetime_conversion(policy).time_zone(zone).convert_datetime(at)
    };
    let noon = DateTime::from_millis(36_000_000);
    for policy in policies {
        let (naive, zoned) = match policy {
            DatetimeConversion::Millis => (Millis(noon), Millis(noon)),
            _ => (Naive(datetime!(1970-01-01 10:00)), Zoned(datetime!(1970-01-01 12:00 +2))),
        };
        assert_eq!(convert(policy, None, noon), Ok(naive));
        assert_eq!(convert(policy, Some(east), noon), Ok(zoned));
    }
    for (at, nearest) in
        [(DateTime::MIN, datetime!(0001-01-01 0:00)), (DateTime::MAX, datetime!(9999-12-31 23:59:59.999))]
    {
        for zone in [None, Some(east), UtcOffset::from_hms(-23, -59, 0).ok()] {
            let clamped = zone.map_or(Naive(nearest), |zone| Zoned(nearest.assume_offset(zone)));
            assert_eq!(convert(DatetimeConversion::Strict, zone, at), Err(DateTimeOutOfRange(at)));
            assert_eq!(convert(DatetimeConversion::Clamp, zone, at), Ok(clamped));
            assert_eq!(convert(DatetimeConversion::Millis, zone, at), Ok(Millis(at)));
            assert_eq!(convert(DatetimeConversion::Auto, zone, at), Ok(Millis(at)));
        }
    }
    // The calendar of the zone decides.
    let last = DateTime::from_millis(253_402_300_799_999);
    assert!(convert(DatetimeConversion::Strict, None, last).is_ok());
    let error = convert(DatetimeConversion::Strict, Some(east), last).unwrap_err();
    assert!(error.to_string().contains("datetime_clamp"), "{error}");
}

/// Texts are stored backwards.
fn backwards() -> TypeRegistry {
    let turn = |value: Bson| Ok(Bson::String(value.as_str().unwrap_or_default().chars().rev().collect()));
    TypeRegistry::new().encoder(ElementType::String, turn).decoder(ElementType::String, turn)
}

#[test]
fn conversions_reach_values_at_every_depth_and_may_change_their_type() {
    let registry = TypeRegistry::new()
        .decoder(ElementType::Decimal128, |value| Ok(Bson::Double(value.to_string().parse()?)))
        .decoder(ElementType::Array, |value| Ok(Bson::Int64(value.as_array().map_or(0, Vec::len) as i64)));
    let options = CodecOptions::new().type_registry(registry);
    let stored = doc! { "a": { "b": "1.5".parse::<bson::Decimal128>().unwrap() }, "c": [1, 2, 3], "d": "x" };
    assert_eq!(read(&options, &stored).unwrap(), doc! { "a": { "b": 1.5 }, "c": 3_i64, "d": "x" });
}

#[test]
fn encoders_see_only_what_comes_from_the_application() {
    let options = CodecOptions::new().type_registry(backwards());
    let find = rawdoc! { "find": "coll", "filter": { "a": "xyz", "b": ["pq"] }, "collation": { "locale": "de" }, "comment": "hi" };
    let expected = doc! { "find": "coll", "filter": { "a": "zyx", "b": ["qp"] }, "collation": { "locale": "de" }, "comment": "hi" };
    assert_eq!(sent(&options, find.clone()).unwrap(), expected);
    assert_eq!(
        sent(&options, rawdoc! { "explain": find, "comment": "hi" }).unwrap(),
        doc! { "explain": expected, "comment": "hi" }
    );
    let modify = rawdoc! { "findAndModify": "coll", "query": { "a": "xyz" }, "update": { "$set": { "b": "pq" } } };
    let expected = doc! { "findAndModify": "coll", "query": { "a": "zyx" }, "update": { "$set": { "b": "qp" } } };
    assert_eq!(sent(&options, modify).unwrap(), expected);
    let explained = rawdoc! { "explain": { "update": "coll", "updates": [{ "q": { "a": "xyz" }, "hint": "index" }] } };
    let expected = doc! { "explain": { "update": "coll", "updates": [{ "q": { "a": "zyx" }, "hint": "index" }] } };
    assert_eq!(sent(&options, explained).unwrap(), expected);
}

#[test]
fn encoders_see_the_documents_of_sequences() {
    let options = CodecOptions::new().type_registry(backwards()).uuid_representation(UuidRepresentation::PythonLegacy);
    let mut request = Request::new("update", "db".into(), rawdoc! { "update": "coll" });
    for (identifier, document) in [
        ("documents", rawdoc! { "_id": "xyz", "u": raw() }),
        ("updates", rawdoc! { "q": { "a": "xyz" }, "u": { "$set": { "a": raw() } }, "hint": "index" }),
        ("deletes", rawdoc! { "q": { "a": "xyz" }, "hint": "index" }),
        ("ops", rawdoc! { "insert": 0, "document": { "a": "xyz" } }),
        (
            "ops",
            rawdoc! { "update": 0, "filter": { "a": "xyz" }, "updateMods": { "$set": { "a": "xyz" } }, "hint": "index" },
        ),
        ("nsInfo", rawdoc! { "ns": "db.coll" }),
    ] {
        let mut sequence = DocumentSequence::new(identifier);
        sequence.push(&document);
        request.sequences.push(sequence);
    }
    options.write_request(&mut request).unwrap();
    let stored = UuidRepresentation::PythonLegacy.encode(uuid()).unwrap();
    let written: Vec<Document> =
        request.sequences.iter().map(|sequence| sequence.iter().next().unwrap().unwrap().try_into().unwrap()).collect();
    assert_eq!(
        written,
        [
            doc! { "_id": "zyx", "u": &stored },
            doc! { "q": { "a": "zyx" }, "u": { "$set": { "a": &stored } }, "hint": "index" },
            doc! { "q": { "a": "zyx" }, "hint": "index" },
            doc! { "insert": 0, "document": { "a": "zyx" } },
            doc! { "update": 0, "filter": { "a": "zyx" }, "updateMods": { "$set": { "a": "zyx" } }, "hint": "index" },
            doc! { "ns": "db.coll" },
        ]
    );
}

#[test]
fn a_refusal_names_the_place_and_the_document() {
    let registry = TypeRegistry::new()
        .decoder(ElementType::Int32, |_| Err("seven is enough".into()))
        .encoder(ElementType::Int32, |_| Err("seven is enough".into()));
    let options = CodecOptions::new().type_registry(registry);
    let error = read(&options, &doc! { "a": { "b": ["x", 8] } }).unwrap_err();
    assert_eq!(error.to_string(), "the value of \"a.b.1\" cannot be converted: seven is enough");
    let mut documents = DocumentSequence::new("documents");
    documents.push(&rawdoc! { "_id": "x" });
    documents.push(&rawdoc! { "_id": 8 });
    let mut request = Request::new("insert", "db".into(), rawdoc! { "insert": "c" }).with_sequence(documents);
    assert!(matches!(options.write_request(&mut request), Err(EncodeError::Conversion { index: Some(1), .. })));
}

#[test]
fn of_a_change_event_only_what_comes_from_the_collection_is_converted() {
    let options = CodecOptions::new().type_registry(backwards());
    let event = doc! {
        "_id": { "_data": "token" }, "operationType": "insert", "ns": { "db": "d", "coll": "c" },
        "fullDocument": { "_id": "xyz" }, "documentKey": { "_id": "xyz" },
    };
    let event = bson::serialize_to_vec(&event).unwrap();
    let read: Document = bson::deserialize_from_slice(&options.read_event(&event).unwrap()).unwrap();
    let expected = doc! {
        "_id": { "_data": "token" }, "operationType": "insert", "ns": { "db": "d", "coll": "c" },
        "fullDocument": { "_id": "zyx" }, "documentKey": { "_id": "zyx" },
    };
    assert_eq!(read, expected);
}

#[test]
fn registries_are_equal_when_they_are_the_same() {
    let registry = backwards();
    assert_eq!(registry, registry.clone());
    assert_ne!(registry, backwards());
    assert_eq!(TypeRegistry::new(), TypeRegistry::default());
    assert_eq!(format!("{registry:?}"), "TypeRegistry { encoders: [String], decoders: [String] }");
    let once = TypeRegistry::new().decoder(ElementType::Int32, |_| Ok(Bson::Int32(1)));
    let twice = once.decoder(ElementType::Int32, |_| Ok(Bson::Int32(2)));
    assert_eq!(read(&CodecOptions::new().type_registry(twice), &doc! { "a": 0 }).unwrap(), doc! { "a": 2 });
}

#[test]
fn texts_that_are_not_utf_8_are_left_to_whoever_reads_them() {
    let mut bytes = rawdoc! { "a": "xyz", "b": "pq" }.into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'y').unwrap();
    bytes[at] = 0xff;
    let converted = CodecOptions::new().type_registry(backwards()).read(&bytes).unwrap().into_owned();
    assert!(RawDocument::from_bytes(&converted).unwrap().get_str("a").is_err());
    assert_eq!(RawDocument::from_bytes(&converted).unwrap().get_str("b").unwrap(), "qp");
}
