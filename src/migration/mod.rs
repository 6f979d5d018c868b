//! Coming from PyMongo, or from the official Rust driver: where is what.
//!
//! Each table has every member of PyMongo's asynchronous client (4.18) on the left, and on the right what stands for it
//! here. Where something is different on purpose, or missing, the table says so and why.
//!
//! | to look up | see |
//! |---|---|
//! | arguments of `AsyncMongoClient` and options of the connection string | [`options`] |
//! | the client, databases and collections | [`handles`] |
//! | cursors and change streams | [`cursors`] |
//! | files (GridFS) | [`files`] |
//! | sessions, transactions and the operation timeout | [`sessions`] |
//! | write models, results, errors, events and descriptions | [`values`] |
//!
//! # From PyMongo in general
//!
//! | PyMongo | here |
//! |---|---|
//! | keyword arguments of a method | fluent setters between the call and its `.await`: `people.find(doc! {}).sort("age").limit(5).await?` |
//! | `None` for "not given" | the setter is not called; a struct of options has a none |
//! | seconds and milliseconds as numbers | [`Duration`]; the unit is gone from the name: `max_time_ms` is `max_time` |
//! | `comment=`, `session=` of every operation | `.comment(..)`, `.session(..)`; raw commands have the comment in the command |
//! | `let=` | `.let_vars(..)` |
//! | a dictionary as a filter | [`Filter`]: a document, a raw one, an `ObjectId`, or [`Filter::id`] |
//! | `sort="a"`, `[("a", 1), ("b", -1)]` | [`Keys`]: the same in Rust, or a document |
//! | a list of names as a projection | [`Projection`]: the same in Rust, or a document |
//! | a `Collation` or a dictionary | [`Collation`], or `Collation::try_from(doc! { .. })?` |
//! | `document_class` | the type parameter of [`Collection`] and [`Cursor`] |
//! | exceptions | one [`Error`], which has a [`kind`](Error::kind), an [`outcome`](Error::outcome) and the [`attempts`](Error::attempts) that were made |
//! | `with client:` | `let client = ..`; the last clone that goes closes it in the background, [`Client::close`] waits for that |
//! | `client["db"]["coll"]`, `client.db.coll` | [`Client::database`], [`Database::collection`]: no indexing, because a bad name would have to panic |
//! | a name is checked when it is used as a handle | it is checked by the first operation, which is an [`InvalidName`](ErrorKind::InvalidName) |
//! | equality and hash of handles | the same: of the [client](Client#impl-PartialEq-for-Client), [database](Database#impl-PartialEq-for-Database) and [collection](Collection#impl-PartialEq-for-Collection%3CT%3E); [`Client::ptr_eq`] is identity |
//! | iterating over handles, and their truth, are errors | they do not compile |
//! | a client belongs to one event loop | a client may be used from any thread and any runtime |
//!
//! # From the official Rust driver
//!
//! Handles, operations as values that are awaited, `doc!`, and the structs of options have the same form, so that most
//! code needs another `use` and little else. What is different:
//!
//! | official driver | here |
//! |---|---|
//! | `Client::with_options(ClientOptions::parse(uri).await?)?` | the same without `await`: [`ClientOptions::parse`] asks neither DNS nor the file system, and [`Client::connect`] does; or [`Client::builder`] |
//! | unknown and malformed options of a connection string are errors | they are [warnings](ClientOptions::warnings) |
//! | one handler of events for each family | any number of [listeners](ClientBuilder::command_listener) |
//! | `ClientSession` by `.session(&mut session)` | the same, and [scopes](ClientSession::scope), [guards](StartTransaction::guarded), [`ClientSession::with_transaction`] with an async closure that borrows |
//! | `cursor.advance()`, `cursor.current()`, `deserialize_current` | the same; [`Cursor::next`] is there without an import |
//! | `Collection::update_one(..).with_options(..)` | the same |
//! | dropping a future is unsafe for its session | safe at every point: see [`action`](crate::action#cancel-safety) |
//! | no `timeoutMS` | [`timeout`](ClientBuilder::timeout) of clients, handles, sessions, operations and [scopes](timeout::scope) |
//! | no `w: 0`, no collection bulk write, no `rename`, no `explain`, no exhaust cursors, no unlimited pools | [`WriteConcern::nodes`], [`Collection::bulk_write`], [`Collection::rename`], `.explain()` of the operation, [`CursorType::Exhaust`], [`ClientBuilder::max_pool_size`] |
//! | `ErrorKind::Write(WriteFailure::WriteError(_))` with code 11000 | [`Error::is_duplicate_key`] |
//! | `gridfs` | [`files`] |
//! | `in-use-encryption`, `sync`, `opentelemetry` | missing |
//!
//! # What is missing
//!
//! Client-side encryption (`auto_encryption_opts`, `ClientEncryption`, and with them `encrypted_fields` of
//! collections), the mechanisms `MONGODB-OIDC` and `GSSAPI`, and OpenTelemetry. Each is refused by name where it is asked
//! for.

#[cfg(doc)]
use std::time::Duration;

#[cfg(doc)]
use crate::{
    Client, ClientBuilder, ClientSession, Collection, Cursor, Database, Filter, StartTransaction, concern::*, error::*,
    options::*, timeout,
};

pub mod cursors;
pub mod files;
pub mod handles;
pub mod options;
pub mod sessions;
pub mod values;
