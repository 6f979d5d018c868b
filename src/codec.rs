//! How values become those of the application, and back.
//!
//! [`CodecOptions`] are set for a client (also by its connection string, as far as that can say them), and inherited by
//! its databases and their collections, each of which may have others
//! ([`DatabaseOptions`](crate::options::DatabaseOptions), [`CollectionOptions`](crate::options::CollectionOptions),
//! [`with_options`](crate::Collection::with_options)). They apply to documents, filters, updates and pipelines that are
//! sent, and to documents, values, the `_id`s of upserts and change events that are read. Without such options nothing
//! is converted, and nothing is paid for it.
//!
//! | to choose | there is |
//! |---|---|
//! | what documents are read as | the type parameter of [`Collection`](crate::Collection) and [`Cursor`](crate::Cursor): any type that serde can read, [`Document`](bson::Document), or [`RawDocumentBuf`](bson::RawDocumentBuf) |
//! | how a type is stored | `Serialize` and `Deserialize`; for the types of others `#[serde(with = "..")]`, for which [`bson::serde_helpers`] has a choice |
//! | how UUIDs are stored | [`UuidRepresentation`] |
//! | how values of one BSON type are stored, whatever type they are read as | [`TypeRegistry`] |
//! | what becomes of date times beyond the calendar | [`DatetimeConversion`] |
//! | the zone of dates | [`CodecOptions::time_zone`], for [`CodecOptions::convert_datetime`] |
//! | what becomes of texts that are not UTF-8 | [`Utf8Policy`] |
//!
//! ```no_run
//! use mongo_actors::{
//!     Client,
//!     bson::{Uuid, doc},
//!     codec::{CodecOptions, UuidRepresentation},
//!     options::CollectionOptions,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Device {
//!     #[serde(rename = "_id")]
//!     id: Uuid,
//! }
//!
//! # async fn example(client: Client) -> mongo_actors::error::Result<()> {
//! // Filled by an old application in Java.
//! let codec = CodecOptions::new().uuid_representation(UuidRepresentation::JavaLegacy);
//! let options = CollectionOptions::new().codec_options(codec);
//! let devices = client.database("plant").collection_with_options::<Device>("devices", options);
//! let id = Uuid::parse_str("00112233-4455-6677-8899-aabbccddeeff").expect("a UUID");
//! devices.insert_one(Device { id }).await?;
//! assert!(devices.find_one(doc! { "_id": id }).await?.is_some_and(|device| device.id == id));
//! # Ok(())
//! # }
//! ```

pub use mongo_actors_protocol::codec::{
    CodecOptions, ConversionError, ConvertedDateTime, DateTimeOutOfRange, DatetimeConversion, TypeRegistry, Utf8Policy,
    UuidError, UuidRepresentation, ValueError, time,
};
