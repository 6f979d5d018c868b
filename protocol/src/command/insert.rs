//! `insert`: new documents.

use bson::{Bson, RawDocument, RawDocumentBuf, oid::ObjectId, raw::cstr};
use serde::Serialize;

use super::{
    EncodeError, InsertOneResult, InvalidReply, Namespace, Properties, Request, WriteLimits, WriteReply, Written,
    encode::{append, roomy_document},
    limits::Splitter,
};
use crate::{concern::WriteConcern, retry::Operation};

/// Options for inserting one document. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct InsertOneOptions {
    /// Whether the collection's validator is skipped.
    pub bypass_document_validation: Option<bool>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// Options for inserting several documents. An option that is none is not sent.
#[derive(Clone, Debug, Default)]
pub struct InsertManyOptions {
    /// Whether the collection's validator is skipped.
    pub bypass_document_validation: Option<bool>,
    /// Whether to stop at the first document that fails. Default: true.
    pub ordered: Option<bool>,
    /// How many members must confirm the write. Default: the collection's, else the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to each command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// One document on its way into a collection.
///
/// ```
/// use bson::{doc, oid::ObjectId};
/// use mongo_actors_protocol::command::{InsertOne, Namespace};
///
/// let namespace = Namespace::new("shop", "people");
/// let id = ObjectId::parse_str("65a1b2c3d4e5f60718293a4b").unwrap();
/// let insert =
///     InsertOne::encode(&namespace, &doc! { "name": "Ada" }, &Default::default(), Default::default(), || id).unwrap();
/// assert_eq!(insert.inserted_id, id.into());
/// assert_eq!(insert.request.sequences[0].count, 1);
/// ```
#[derive(Clone, Debug)]
pub struct InsertOne {
    /// The encoded command.
    pub request: Request,
    /// The document's `_id`: its own, or the new one.
    pub inserted_id: Bson,
}

impl InsertOne {
    /// How the operation is executed.
    pub fn properties() -> Properties {
        Properties::write(Operation::WRITE)
    }

    /// Encodes `document` once, straight into the command. `new_id` is asked when the document has no `_id`, which
    /// then becomes its first field.
    ///
    /// # Errors
    /// [`EncodeError`] when the name is invalid, the document cannot be written as BSON, or it is too large.
    pub fn encode<T: Serialize + ?Sized>(
        namespace: &Namespace,
        document: &T,
        options: &InsertOneOptions,
        limits: WriteLimits,
        new_id: impl FnOnce() -> ObjectId,
    ) -> Result<Self, EncodeError> {
        let bypass = options.bypass_document_validation;
        let body = body(namespace, true, bypass, options.comment.as_ref())?;
        let mut splitter = Splitter::new(limits, "documents", body.as_bytes().len());
        splitter.reserve(ORDINARY_DOCUMENT);
        let inserted_id = push_document(&mut splitter, document, new_id)?;
        let request = Request { sequences: splitter.finish(), ..Request::new("insert", namespace.db.clone(), body) };
        Ok(Self { request, inserted_id })
    }

    /// What the reply says of the insert with `inserted_id`.
    ///
    /// # Errors
    /// [`InvalidReply`] when the reply is not that of a write.
    pub fn decode(inserted_id: Bson, reply: &RawDocument) -> Result<Written<InsertOneResult>, InvalidReply> {
        let failure = WriteReply::read(reply)?.failure();
        Ok(Written { result: InsertOneResult::new(inserted_id, true), failure })
    }
}

/// The command without its documents.
pub(crate) fn body(
    namespace: &Namespace,
    ordered: bool,
    bypass_document_validation: Option<bool>,
    comment: Option<&Bson>,
) -> Result<RawDocumentBuf, EncodeError> {
    namespace.validate()?;
    let mut body = roomy_document(0);
    body.append(cstr!("insert"), &*namespace.coll);
    append!(&mut body;
        "ordered": ordered,
        "bypassDocumentValidation": bypass_document_validation,
        "comment": comment,
    );
    Ok(body)
}

/// Encodes one document behind those that are already there, and returns its `_id`.
pub(crate) fn push_document<T: Serialize + ?Sized>(
    splitter: &mut Splitter,
    document: &T,
    new_id: impl FnOnce() -> ObjectId,
) -> Result<Bson, EncodeError> {
    let index = splitter.total();
    let buffer = splitter.buffer();
    let start = buffer.len();
    let id = append_document(buffer, document, new_id).map_err(|source| {
        buffer.truncate(start);
        EncodeError::InvalidDocument { index, source }
    })?;
    let size = splitter.buffer().len() - start;
    if let Err(error) = splitter.close_document(start, size) {
        splitter.buffer().truncate(start);
        return Err(error);
    }
    Ok(id)
}

/// Bytes that are set aside for one document, whose size shows when it is encoded.
const ORDINARY_DOCUMENT: usize = 512;
/// Bytes of an `_id` element that holds an ObjectId.
const ID_ELEMENT: usize = 1 + ID_KEY.len() + 12;
const ID_KEY: &[u8] = b"_id\0";
const OBJECT_ID: u8 = 0x07;

/// Appends `document` to `buffer`, with an `_id` as its first field if it has none.
///
/// Room for the `_id` is left in front of the document, so that adding it moves nothing.
pub(crate) fn append_document<T: Serialize + ?Sized>(
    buffer: &mut Vec<u8>,
    document: &T,
    new_id: impl FnOnce() -> ObjectId,
) -> Result<Bson, bson::error::Error> {
    let start = buffer.len();
    let encoded = start + ID_ELEMENT;
    buffer.resize(encoded, 0);
    bson::serialize_to_buffer(&document, buffer)?;
    if let Some(id) = RawDocument::from_bytes(&buffer[encoded..])?.get("_id")? {
        let id = id.try_into()?;
        buffer.copy_within(encoded.., start);
        buffer.truncate(buffer.len() - ID_ELEMENT);
        return Ok(id);
    }
    let id = new_id();
    // A document beyond 2 GiB is refused for its size when it is counted.
    let length = i32::try_from(buffer.len() - start).unwrap_or(i32::MAX);
    let head = length.to_le_bytes().into_iter().chain([OBJECT_ID]).chain(ID_KEY.iter().copied()).chain(id.bytes());
    for (place, byte) in buffer[start..].iter_mut().zip(head) {
        *place = byte;
    }
    Ok(Bson::ObjectId(id))
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn id() -> ObjectId {
        ObjectId::from_bytes([7; 12])
    }

    fn insert<T: Serialize>(document: &T, options: &InsertOneOptions) -> Result<InsertOne, EncodeError> {
        InsertOne::encode(&Namespace::new("db", "coll"), document, options, WriteLimits::default(), id)
    }

    fn documents(request: &Request) -> Vec<RawDocumentBuf> {
        request.sequences[0].iter().map(|document| document.unwrap().to_owned()).collect()
    }

    #[derive(Serialize)]
    struct Person {
        #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
        id: Option<i32>,
        name: &'static str,
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let plain = insert(&doc! { "_id": 1 }, &InsertOneOptions::default()).unwrap();
        assert_eq!(plain.request.body, rawdoc! { "insert": "coll", "ordered": true });
        assert_eq!((&*plain.request.name, &*plain.request.database), ("insert", "db"));
        let options = InsertOneOptions {
            bypass_document_validation: Some(false),
            comment: Some(Bson::from("c")),
            write_concern: Some(WriteConcern::majority()),
        };
        let full = insert(&doc! { "_id": 1 }, &options).unwrap();
        let expected = rawdoc! { "insert": "coll", "ordered": true, "bypassDocumentValidation": false, "comment": "c" };
        assert_eq!(full.request.body, expected);
        assert_eq!(InsertOne::properties().retry, Operation::WRITE);
        assert!(InsertOne::properties().write_concern);
    }

    #[test]
    fn a_missing_id_is_added_first() {
        let inserted = insert(&doc! { "x": 1, "y": "z" }, &InsertOneOptions::default()).unwrap();
        assert_eq!(inserted.inserted_id, Bson::ObjectId(id()));
        assert_eq!(documents(&inserted.request), [rawdoc! { "_id": id(), "x": 1, "y": "z" }]);
        let typed = insert(&Person { id: None, name: "Ada" }, &InsertOneOptions::default()).unwrap();
        assert_eq!(documents(&typed.request), [rawdoc! { "_id": id(), "name": "Ada" }]);
        let empty = insert(&doc! {}, &InsertOneOptions::default()).unwrap();
        assert_eq!(documents(&empty.request), [rawdoc! { "_id": id() }]);
    }

    #[test]
    fn an_id_that_is_there_is_kept() {
        let typed = insert(&Person { id: Some(3), name: "Ada" }, &InsertOneOptions::default()).unwrap();
        assert_eq!(typed.inserted_id, Bson::Int32(3));
        assert_eq!(documents(&typed.request), [rawdoc! { "_id": 3, "name": "Ada" }]);
        let raw = insert(&rawdoc! { "x": 1, "_id": "late" }, &InsertOneOptions::default()).unwrap();
        assert_eq!(raw.inserted_id, Bson::from("late"));
        assert_eq!(documents(&raw.request), [rawdoc! { "x": 1, "_id": "late" }]);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        assert!(matches!(insert(&1, &InsertOneOptions::default()), Err(EncodeError::InvalidDocument { index: 0, .. })));
        assert!(insert(&doc! { "a\0": 1 }, &InsertOneOptions::default()).is_err());
        let limits = WriteLimits { max_bson_object_size: 20, ..WriteLimits::default() };
        let namespace = Namespace::new("db", "coll");
        let fits = InsertOne::encode(&namespace, &doc! { "_id": 1_i64 }, &Default::default(), limits, id);
        assert!(fits.is_ok());
        let refused = InsertOne::encode(&namespace, &doc! { "a": 1 }, &Default::default(), limits, id);
        assert!(matches!(refused, Err(EncodeError::DocumentTooLarge { index: 0, size: 29, limit: 20 })));
    }

    #[test]
    fn the_reply_is_a_result_or_an_error_beside_it() {
        let fine = InsertOne::decode(Bson::Int32(1), &rawdoc! { "n": 1, "ok": 1 }).unwrap();
        assert_eq!(fine.into_result().unwrap(), InsertOneResult::new(Bson::Int32(1), true));
        let reply = rawdoc! { "n": 0, "writeErrors": [{ "index": 0, "code": 11000, "errmsg": "dup" }], "ok": 1 };
        let (_, failure) = InsertOne::decode(Bson::Int32(1), &reply).unwrap().into_result().unwrap_err();
        assert!(failure.write_errors[0].is_duplicate_key());
    }
}
