//! `delete`.

use std::{sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{Command as _, Delete as DeleteCommand, DeleteOptions, DeleteResult};

use super::{ActionFuture, Explain, awaitable, setters::fluent, written};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    error::Result,
};

impl<T> Collection<T> {
    /// Deletes the first document that matches `filter`.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let result = people.delete_one(mongo_actors::bson::doc! { "name": "Ada" }).await?;
    /// println!("{} deleted", result.deleted_count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Write`](crate::error::ErrorKind::Write), [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those
    /// of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The document may or may not be deleted when the future is dropped; see [`action`](crate::action).
    pub fn delete_one(&self, filter: impl Into<Filter>) -> Delete<'_> {
        Delete::new(self.handle(), filter.into(), false)
    }

    /// Deletes every document that matches `filter`; the empty filter matches all.
    ///
    /// The driver never repeats it by itself, except for an overloaded server that asks for it.
    ///
    /// # Errors
    /// As [`delete_one`](Self::delete_one). Some documents may have been deleted then: see
    /// [`Error::outcome`](crate::error::Error::outcome).
    ///
    /// # Cancel safety
    /// Any number of the documents may be deleted when the future is dropped; see [`action`](crate::action).
    pub fn delete_many(&self, filter: impl Into<Filter>) -> Delete<'_> {
        Delete::new(self.handle(), filter.into(), true)
    }
}

/// Deletes one document or many. Made by [`Collection::delete_one`] and [`Collection::delete_many`]; awaiting it gives
/// the count.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Delete<'a> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    many: bool,
    options: DeleteOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Delete<'a>, DeleteOptions { session, collation, comment, hint, let_vars, write_concern } }

impl<'a> Delete<'a> {
    fn new(collection: &'a Arc<CollectionHandle>, filter: Filter, many: bool) -> Self {
        let (filter, options) = (filter.into_raw(), DeleteOptions::default());
        Self { collection, filter, many, options, timeout: None, session: None }
    }

    fn command(&self) -> Result<DeleteCommand<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        let make = if self.many { DeleteCommand::many } else { DeleteCommand::one };
        Ok(make(&self.collection.namespace, filter, &self.options))
    }

    /// How the server would execute it. Nothing is deleted.
    pub fn explain(mut self) -> Explain<'a> {
        let session = self.session.take();
        let request = self.command().and_then(|command| Ok(command.request()?));
        Explain::new(self.collection.call(), request, None, self.timeout, session)
    }
}

awaitable! { ['a] Delete<'a> => DeleteResult {
    fn into_future(mut self) -> Self::IntoFuture {
        let session = self.session.take();
        let call = self.collection.call().write_concern(self.options.write_concern.as_ref());
        let call = call.timeout(self.timeout).session(session);
        let prepared = self.command().and_then(|command| call.prepare(&command));
        ActionFuture::of(self.collection.client(), prepared, |body| match body {
            Some(body) => written(DeleteCommand::decode(body.as_document()), |done| done.deleted_count > 0),
            None => Ok(DeleteResult::unacknowledged()),
        })
    }
} }
