//! `update`: changes to documents that exist.

use std::{sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{
    Command as _, Update as UpdateCommand, UpdateModifications, UpdateOptions, UpdateResult,
};

use super::{ActionFuture, Explain, awaitable, setters::fluent, written};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    decode::updated,
    error::Result,
};

impl<T> Collection<T> {
    /// Updates the first document that matches `filter`, by operators such as `$set`, or by a pipeline that computes
    /// the new document.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let result = people.update_one(doc! { "name": "Ada" }, doc! { "$inc": { "visits": 1 } }).upsert(true).await?;
    /// println!("{} matched, upserted as {:?}", result.matched_count, result.upserted_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when `update` is empty or a whole document,
    /// [`DuplicateKey`](crate::error::ErrorKind::DuplicateKey), [`Write`](crate::error::ErrorKind::Write),
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The document may or may not be updated when the future is dropped; see [`action`](crate::action).
    pub fn update_one(&self, filter: impl Into<Filter>, update: impl Into<UpdateModifications>) -> Update<'_> {
        Update::new(self.handle(), filter.into(), update.into(), false)
    }

    /// Updates every document that matches `filter`.
    ///
    /// The driver never repeats it by itself, except for an overloaded server that asks for it.
    ///
    /// # Errors
    /// As [`update_one`](Self::update_one). Some documents may have been updated then: see
    /// [`Error::outcome`](crate::error::Error::outcome).
    ///
    /// # Cancel safety
    /// Any number of the documents may be updated when the future is dropped; see [`action`](crate::action).
    pub fn update_many(&self, filter: impl Into<Filter>, update: impl Into<UpdateModifications>) -> Update<'_> {
        Update::new(self.handle(), filter.into(), update.into(), true)
    }
}

/// Updates one document or many. Made by [`Collection::update_one`] and [`Collection::update_many`]; awaiting it gives
/// the counts.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Update<'a> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    update: UpdateModifications,
    many: bool,
    options: UpdateOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Update<'a>, UpdateOptions {
    session,
    array_filters, bypass_document_validation, collation, comment, hint, let_vars, sort, upsert, write_concern,
} }

impl<'a> Update<'a> {
    fn new(collection: &'a Arc<CollectionHandle>, filter: Filter, update: UpdateModifications, many: bool) -> Self {
        let (filter, options) = (filter.into_raw(), UpdateOptions::default());
        Self { collection, filter, update, many, options, timeout: None, session: None }
    }

    fn command(&self) -> Result<UpdateCommand<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        let make = if self.many { UpdateCommand::many } else { UpdateCommand::one };
        Ok(make(&self.collection.namespace, filter, &self.update, &self.options))
    }

    /// How the server would execute it. Nothing is changed.
    pub fn explain(mut self) -> Explain<'a> {
        let session = self.session.take();
        let request = self.command().and_then(|command| Ok(command.request()?));
        Explain::new(self.collection.call(), request, None, self.timeout, session)
    }
}

awaitable! { ['a] Update<'a> => UpdateResult {
    fn into_future(mut self) -> Self::IntoFuture {
        let session = self.session.take();
        let call = self.collection.call().write_concern(self.options.write_concern.as_ref());
        let call = call.timeout(self.timeout).session(session);
        let prepared = self.command().and_then(|command| call.prepare(&command));
        let codec = &self.collection.settings().codec_options;
        ActionFuture::of(self.collection.client(), prepared, |body| match body {
            Some(body) => written(UpdateCommand::decode(body.as_document()), |done| {
                done.modified_count > 0 || done.upserted_id.is_some()
            })
            .and_then(|done| updated(done, codec)),
            None => Ok(UpdateResult::unacknowledged()),
        })
    }
} }
