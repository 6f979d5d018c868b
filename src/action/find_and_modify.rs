//! `findAndModify`: one document is changed, and returned as it was or as it is now.

use std::{borrow::Borrow, marker::PhantomData, sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{
    Command as _, FindAndModify, FindOneAndDeleteOptions, FindOneAndReplaceOptions, FindOneAndUpdateOptions,
    UpdateModifications,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{ActionFuture, Explain, awaitable, replace::encoded, setters::fluent, written};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    decode::decode,
    error::Result,
    executor::Prepared,
};

impl<T> Collection<T> {
    /// Deletes the first document that matches `filter`, and returns it; none when there is none.
    ///
    /// # Errors
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), those of reaching a server and of its refusal, and
    /// [`Deserialization`](crate::error::ErrorKind::Deserialization) when the document, which is deleted then, does not
    /// fit `T`.
    ///
    /// # Cancel safety
    /// The document may or may not be deleted when the future is dropped; see [`action`](crate::action).
    pub fn find_one_and_delete(&self, filter: impl Into<Filter>) -> FindOneAndDelete<'_, T> {
        FindOneAndDelete {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            options: FindOneAndDeleteOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }

    /// Updates the first document that matches `filter`, and returns it as it was before, or as it is now with
    /// [`return_document`](FindOneAndUpdate::return_document); none when there is none.
    ///
    /// ```no_run
    /// # async fn example(jobs: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{bson::doc, options::ReturnDocument};
    ///
    /// let job = jobs
    ///     .find_one_and_update(doc! { "state": "ready" }, doc! { "$set": { "state": "running" } })
    ///     .sort(doc! { "priority": -1 })
    ///     .return_document(ReturnDocument::After)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when `update` is empty or a whole document,
    /// [`DuplicateKey`](crate::error::ErrorKind::DuplicateKey), and those of
    /// [`find_one_and_delete`](Self::find_one_and_delete).
    ///
    /// # Cancel safety
    /// The document may or may not be updated when the future is dropped; see [`action`](crate::action).
    pub fn find_one_and_update(
        &self,
        filter: impl Into<Filter>,
        update: impl Into<UpdateModifications>,
    ) -> FindOneAndUpdate<'_, T> {
        FindOneAndUpdate {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            update: update.into(),
            options: FindOneAndUpdateOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }

    /// Replaces the first document that matches `filter`, and returns it as it was before, or as it is now with
    /// [`return_document`](FindOneAndReplace::return_document); none when there is none.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when the replacement begins with an operator,
    /// [`DuplicateKey`](crate::error::ErrorKind::DuplicateKey), and those of
    /// [`find_one_and_delete`](Self::find_one_and_delete).
    ///
    /// # Cancel safety
    /// The document may or may not be replaced when the future is dropped; see [`action`](crate::action).
    pub fn find_one_and_replace(
        &self,
        filter: impl Into<Filter>,
        replacement: impl Borrow<T>,
    ) -> FindOneAndReplace<'_, T>
    where
        T: Serialize,
    {
        FindOneAndReplace {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            replacement: encoded(replacement.borrow()),
            options: FindOneAndReplaceOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }
}

/// Deletes a document and returns it. Made by [`Collection::find_one_and_delete`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct FindOneAndDelete<'a, T> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    options: FindOneAndDeleteOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

/// Updates a document and returns it. Made by [`Collection::find_one_and_update`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct FindOneAndUpdate<'a, T> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    update: UpdateModifications,
    options: FindOneAndUpdateOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

/// Replaces a document and returns it. Made by [`Collection::find_one_and_replace`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct FindOneAndReplace<'a, T> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    replacement: Result<RawDocumentBuf>,
    options: FindOneAndReplaceOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

impl<T> FindOneAndDelete<'_, T> {
    fn command(&self) -> Result<FindAndModify<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        Ok(FindAndModify::delete(&self.collection.namespace, filter, &self.options))
    }
}

impl<T> FindOneAndUpdate<'_, T> {
    fn command(&self) -> Result<FindAndModify<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        Ok(FindAndModify::update(&self.collection.namespace, filter, &self.update, &self.options))
    }
}

impl<T> FindOneAndReplace<'_, T> {
    fn command(&self) -> Result<FindAndModify<'_>> {
        let filter = self.filter.as_deref().map_err(Clone::clone)?;
        let replacement = self.replacement.as_deref().map_err(Clone::clone)?;
        Ok(FindAndModify::replace(&self.collection.namespace, filter, replacement, &self.options))
    }
}

/// What the three have in common.
macro_rules! find_and_modify {
    ($($action:ident, $options:ty { $($option:ident),* $(,)? })*) => { $(
        fluent! { ['a, T] $action<'a, T>, $options {
            session, collation, comment, hint, let_vars, max_time, projection, sort, write_concern, $($option),*
        } }

        impl<'a, T> $action<'a, T> {
            /// How the server would execute it. Nothing is changed.
            pub fn explain(mut self) -> Explain<'a> {
                let session = self.session.take();
                let request = self.command().and_then(|command| Ok(command.request()?));
                Explain::new(self.collection.call(), request, None, self.timeout, session)
            }

            fn prepare(mut self) -> Result<Prepared> {
                let session = self.session.take();
                let call = self.collection.call();
                let call = call.write_concern(self.options.write_concern.as_ref()).timeout(self.timeout).session(session);
                call.prepare(&self.command()?)
            }
        }

        awaitable! { ['a, T: DeserializeOwned + 'a] $action<'a, T> => Option<T> {
            fn into_future(self) -> Self::IntoFuture {
                returned(self.collection, self.prepare())
            }
        } }
    )* };
}

find_and_modify! {
    FindOneAndDelete, FindOneAndDeleteOptions {}
    FindOneAndUpdate, FindOneAndUpdateOptions { array_filters, bypass_document_validation, return_document, upsert }
    FindOneAndReplace, FindOneAndReplaceOptions { bypass_document_validation, return_document, upsert }
}

/// The document that the reply holds.
fn returned<'a, T: DeserializeOwned + 'a>(
    collection: &'a Arc<CollectionHandle>,
    prepared: Result<Prepared>,
) -> ActionFuture<'a, Result<Option<T>>> {
    ActionFuture::of(collection.client(), prepared, |body| {
        let Some(body) = body else { return Ok(None) };
        let document = written(FindAndModify::decode(body.as_document()), |_| false)?;
        document.map(|document| decode(document.as_bytes(), &collection.settings().codec_options)).transpose()
    })
}
