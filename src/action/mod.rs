//! Operations as values: each is made by a method of a handle, takes its options by fluent setters, and runs when it
//! is awaited.
//!
//! Nothing is sent before that. Options that several operations share mean the same in all of them.
//!
//! # Cancel safety
//! Dropping the future of any operation is safe at every point: it breaks no connection, and leaks neither a session,
//! nor a place in a pool, nor a cursor. A write whose future was dropped may or may not be executed, unless the future
//! was never polled.

pub(crate) mod setters;

mod aggregate;
mod batches;
mod bulk_write;
mod client_admin;
mod client_bulk_write;
mod collection_admin;
mod count;
mod database_admin;
mod delete;
mod dereference;
mod distinct;
mod explain;
mod find;
mod find_and_modify;
mod index;
mod insert_many;
mod insert_one;
mod modify_collection;
mod replace;
mod run_command;
mod search_index;
mod server_info;
mod update;
mod watch;

#[cfg(test)]
mod bulk_tests;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use mongo_actors_protocol::{
    command::{InvalidReply, WriteFailure, Written},
    error::WriteConcernError,
    retry::Outcome,
    wire::ReplyBody,
};

pub use self::{
    aggregate::Aggregate,
    bulk_write::BulkWrite,
    client_admin::{ListDatabaseNames, ListDatabases},
    client_bulk_write::ClientBulkWrite,
    collection_admin::{CollectionCreationOptions, DropCollection, RenameCollection, ValidateCollection},
    count::{CountDocuments, EstimatedDocumentCount},
    database_admin::{CreateCollection, DropDatabase, ListCollectionNames, ListCollections},
    delete::Delete,
    dereference::Dereference,
    distinct::Distinct,
    explain::Explain,
    find::{Find, FindOne, FindRawBatches},
    find_and_modify::{FindOneAndDelete, FindOneAndReplace, FindOneAndUpdate},
    index::{CreateIndex, CreateIndexes, DropIndex, IndexInformation, ListIndexNames, ListIndexes},
    insert_many::InsertMany,
    insert_one::InsertOne,
    modify_collection::ModifyCollection,
    replace::Replace,
    run_command::{RunCommand, RunCursorCommand},
    search_index::{CreateSearchIndexes, DropSearchIndex, ListSearchIndexes, UpdateSearchIndex},
    server_info::ServerInfo,
    update::Update,
    watch::Watch,
};
use crate::{
    client::Client,
    error::{Error, Result},
    executor::{Executed, Prepared},
};

/// The future of an operation. It is `Send`, two pointers wide, and may be awaited on any tokio runtime or actix
/// arbiter.
///
/// # Cancel safety
/// See the [module](self).
#[must_use = "futures do nothing unless they are awaited"]
pub struct ActionFuture<'a, R>(Pin<Box<dyn Future<Output = R> + Send + 'a>>);

impl<'a, R> ActionFuture<'a, R> {
    pub(crate) fn new(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self(Box::pin(future))
    }
}

impl<'a, R: 'a> ActionFuture<'a, Result<R>> {
    /// One command, and what is read from its reply: none if it was not acknowledged, or if there was nothing to work
    /// on.
    pub(crate) fn of(
        client: &'a Client,
        prepared: Result<Prepared>,
        read: impl FnOnce(Option<&ReplyBody>) -> Result<R> + Send + 'a,
    ) -> Self {
        Self::whole(client, prepared, |executed| executed.finish(read))
    }

    /// One command, and what is made of it.
    pub(crate) fn whole(
        client: &'a Client,
        prepared: Result<Prepared>,
        make: impl FnOnce(Executed) -> Result<R> + Send + 'a,
    ) -> Self {
        Self::new(async move { make(client.execute(prepared?).await?) })
    }
}

impl<R> Future for ActionFuture<'_, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        self.0.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for ActionFuture<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActionFuture")
    }
}

/// The result of a write, or the error that its reply reports. `changed` tells whether a result shows that documents
/// were changed all the same.
pub(crate) fn written<R>(written: Result<Written<R>, InvalidReply>, changed: impl FnOnce(&R) -> bool) -> Result<R> {
    written?.into_result().map_err(|(result, failure)| {
        let error = Error::from_write_failure(failure);
        if changed(&result) { error.with_outcome(Outcome::Applied) } else { error }
    })
}

/// Whether a command that changes something satisfied its write concern, if it was to be confirmed at all.
pub(crate) fn confirmed(body: Option<&ReplyBody>) -> Result<()> {
    let Some(error) = body.and_then(|body| WriteConcernError::from_reply(body.as_document())) else { return Ok(()) };
    let labels = error.labels.clone();
    let failure = WriteFailure { write_concern_errors: vec![error], labels, ..WriteFailure::default() };
    Err(Error::from_write_failure(failure))
}

/// Makes an operation awaitable: its body is that of `into_future`.
macro_rules! awaitable {
    ([$($generics:tt)*] $action:ty => $output:ty { $($body:tt)* }) => {
        impl<$($generics)*> IntoFuture for $action {
            type Output = $crate::error::Result<$output>;
            type IntoFuture = $crate::action::ActionFuture<'a, Self::Output>;

            $($body)*
        }
    };
}
pub(crate) use awaitable;
