//! `update` that replaces a whole document.

use std::{borrow::Borrow, sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{Command as _, ReplaceOptions, Update as UpdateCommand, UpdateResult};
use serde::Serialize;

use super::{ActionFuture, Explain, awaitable, setters::fluent, written};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    decode::updated,
    error::{Error, Result},
};

impl<T: Serialize> Collection<T> {
    /// Replaces the first document that matches `filter`. The `_id` stays.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{Filter, bson::doc};
    ///
    /// people.replace_one(Filter::id("ada"), doc! { "name": "Ada", "age": 36 }).upsert(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when the replacement begins with an operator, and
    /// those of [`update_one`](Self::update_one).
    ///
    /// # Cancel safety
    /// The document may or may not be replaced when the future is dropped; see [`action`](crate::action).
    pub fn replace_one(&self, filter: impl Into<Filter>, replacement: impl Borrow<T>) -> Replace<'_> {
        Replace {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            replacement: encoded(replacement.borrow()),
            options: ReplaceOptions::default(),
            timeout: None,
            session: None,
        }
    }
}

/// A document to send, or why it cannot be sent.
pub(super) fn encoded<T: Serialize>(document: &T) -> Result<RawDocumentBuf> {
    bson::serialize_to_raw_document_buf(document).map_err(Error::invalid_document)
}

/// Replaces a document. Made by [`Collection::replace_one`]; awaiting it gives the counts.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Replace<'a> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    replacement: Result<RawDocumentBuf>,
    options: ReplaceOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Replace<'a>, ReplaceOptions {
    session,
    bypass_document_validation, collation, comment, hint, let_vars, sort, upsert, write_concern,
} }

impl<'a> Replace<'a> {
    fn command(&self) -> Result<UpdateCommand<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        let replacement = self.replacement.as_deref().map_err(Clone::clone)?;
        Ok(UpdateCommand::replace(&self.collection.namespace, filter, replacement, &self.options))
    }

    /// How the server would execute it. Nothing is changed.
    pub fn explain(mut self) -> Explain<'a> {
        let session = self.session.take();
        let request = self.command().and_then(|command| Ok(command.request()?));
        Explain::new(self.collection.call(), request, None, self.timeout, session)
    }
}

awaitable! { ['a] Replace<'a> => UpdateResult {
    fn into_future(mut self) -> Self::IntoFuture {
        let session = self.session.take();
        let call = self.collection.call().write_concern(self.options.write_concern.as_ref());
        let call = call.timeout(self.timeout).session(session);
        let prepared = self.command().and_then(|command| call.prepare(&command));
        let codec = &self.collection.settings().codec_options;
        ActionFuture::of(self.collection.client(), prepared, |body| match body {
            Some(body) => {
                written(UpdateCommand::decode(body.as_document()), |_| false).and_then(|done| updated(done, codec))
            }
            None => Ok(UpdateResult::unacknowledged()),
        })
    }
} }
