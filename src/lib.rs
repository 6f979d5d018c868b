//! An asynchronous MongoDB driver made of supervised actors.
//!
//! A [`Client`] is the handle of a deployment: a standalone server, a replica set, a sharded cluster or a load
//! balancer. Behind it, every server monitor, connection pool and connection is an actor under supervision: any of them
//! may fail, and the driver heals by itself. Every operation ends in one result or one clear error, which says what is
//! known of its [outcome](error::Error::outcome).
//!
//! # Getting started
//!
//! ```no_run
//! use mongo_actors::{Client, bson::doc, error::Result};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! struct Book {
//!     title: String,
//!     year: i32,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let client = Client::with_uri_str("mongodb://localhost:27017").await?;
//!     let books = client.database("library").collection::<Book>("books");
//!
//!     books.insert_one(Book { title: "1984".into(), year: 1949 }).await?;
//!     books.update_one(doc! { "title": "1984" }, doc! { "$set": { "year": 1948 } }).await?;
//!
//!     let mut old = books.find(doc! { "year": { "$lt": 1950 } }).sort(doc! { "title": 1 }).await?;
//!     while let Some(book) = old.next().await {
//!         println!("{:?}", book?);
//!     }
//!
//!     client.close().await;
//!     Ok(())
//! }
//! ```
//!
//! # How it is laid out
//!
//! * [`Client`], [`Database`] and [`Collection`] are handles: `Clone + Send + Sync`, and made without asking a server.
//! * [Operations](action) are values that run when they are awaited. Their options are set by fluent methods, or all at
//!   once from the structs in [`options`].
//! * Results are in [`results`], cursors are [`Cursor`] and [`RawBatchCursor`].
//! * [`gridfs`] keeps files of any size.
//! * [`change_stream`] tells what happens in a collection, a database or the deployment.
//! * [`error::Error`] says what went wrong, where, what was tried, and what to do.
//! * [`event`] has what can be listened to by one client, [`monitoring`] registers listeners for all, and [`topology`]
//!   has what is known of the deployment.
//! * [`codec`] tells how values become those of the application, where BSON leaves a choice.
//!
//! Whoever comes from PyMongo or from the official Rust driver finds everything in [`migration`].
//!
//! Documents are those of the [`bson`] crate, which is re-exported.
//!
//! # Runtimes
//!
//! A client must be made inside a running tokio runtime or on an actix arbiter. Its futures can be awaited on any
//! other. Dropping a future is safe at every point: see [`action`].

pub mod action;
pub mod change_stream;
#[cfg(feature = "chaos")]
pub mod chaos;
pub mod codec;
pub mod error;
pub mod gridfs;
pub mod migration;
pub mod monitoring;
pub mod options;
pub mod results;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod supervision;
pub mod timeout;
pub mod topology;

mod client;
mod collection;
mod cursor;
mod database;
mod decode;
mod executor;
mod filter;
mod session;
mod settings;
#[cfg(test)]
mod tests;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;

pub use bson;
pub use mongo_actors_protocol::{address::ServerAddress, command::Namespace, concern, event};

pub use self::{
    change_stream::ChangeStream,
    client::{Client, ClientBuilder, ClientChild},
    collection::Collection,
    cursor::{Cursor, RawBatch, RawBatchCursor, RawDocuments, SessionCursor, SessionCursorStream},
    database::Database,
    error::{Error, Result},
    filter::{CommandDocument, Filter},
    session::{
        AbortTransaction, ClientSession, CommitTransaction, ExplicitSession, ImplicitSession, StartGuarded,
        StartSession, StartTransaction, TransactionAttempts, TransactionGuard,
    },
};
