//! Counts: the exact one, and the estimate.

use std::{sync::Arc, time::Duration};

use bson::{Document, RawDocumentBuf};
use mongo_actors_protocol::command::{
    Command as _, CountDocuments as CountDocumentsCommand, CountOptions,
    EstimatedDocumentCount as EstimatedDocumentCountCommand, EstimatedDocumentCountOptions,
};

use super::{ActionFuture, Explain, awaitable, setters::fluent};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    error::{Error, Result},
    executor::require,
};

impl<T> Collection<T> {
    /// How many documents match `filter`. They are counted one by one, by an index if there is one.
    ///
    /// `$where`, `$near` and `$nearSphere` cannot be used in the filter: use `$expr` and `$geoWithin`.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let adults = people.count_documents(mongo_actors::bson::doc! { "age": { "$gte": 18 } }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn count_documents(&self, filter: impl Into<Filter>) -> CountDocuments<'_> {
        CountDocuments {
            collection: self.handle(),
            filter: filter.into().into_raw(),
            options: CountOptions::default(),
            timeout: None,
            session: None,
        }
    }

    /// How many documents the metadata of the collection says there are. Fast, and wrong after an unclean shutdown, or
    /// while chunks of a sharded cluster migrate. A collection that does not exist has none.
    ///
    /// Servers 5.0.0 to 5.0.8 lack the `count` command in the Stable API.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn estimated_document_count(&self) -> EstimatedDocumentCount<'_> {
        EstimatedDocumentCount {
            collection: self.handle(),
            options: EstimatedDocumentCountOptions::default(),
            timeout: None,
        }
    }
}

/// Counts documents. Made by [`Collection::count_documents`]; awaiting it gives their number.
#[must_use = "operations do nothing unless they are awaited"]
pub struct CountDocuments<'a> {
    collection: &'a Arc<CollectionHandle>,
    filter: Result<RawDocumentBuf>,
    options: CountOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] CountDocuments<'a>, CountOptions {
    session,
    collation, comment, count_limit, hint, max_time, read_concern, selection_criteria, skip,
} }

impl<'a> CountDocuments<'a> {
    /// How the server would execute it.
    pub fn explain(self) -> Explain<'a> {
        let criteria = self.options.selection_criteria.clone();
        let request = document(self.filter).and_then(|filter| {
            Ok(CountDocumentsCommand::new(&self.collection.namespace, filter, self.options).request()?)
        });
        Explain::new(self.collection.call(), request, criteria, self.timeout, self.session)
    }
}

fn document(filter: Result<RawDocumentBuf>) -> Result<Document> {
    Document::try_from(&*filter?).map_err(Error::invalid_document)
}

awaitable! { ['a] CountDocuments<'a> => u64 {
    fn into_future(self) -> Self::IntoFuture {
        let handle = &**self.collection;
        let criteria = self.options.selection_criteria.clone();
        let concern = self.options.read_concern.clone();
        let call = handle.call()
            .selection_criteria(criteria.as_ref())
            .read_concern(concern.as_ref())
            .timeout(self.timeout).session(self.session);
        let prepared = document(self.filter).and_then(|filter| {
            call.prepare(&CountDocumentsCommand::new(&handle.namespace, filter, self.options))
        });
        ActionFuture::of(handle.client(), prepared, |body| Ok(CountDocumentsCommand::decode(require(body)?)?))
    }
} }

/// Estimates the number of documents. Made by [`Collection::estimated_document_count`]; awaiting it gives the number.
#[derive(Clone)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct EstimatedDocumentCount<'a> {
    collection: &'a Arc<CollectionHandle>,
    options: EstimatedDocumentCountOptions,
    timeout: Option<Duration>,
}

fluent! { ['a] EstimatedDocumentCount<'a>, EstimatedDocumentCountOptions {
    comment, max_time, read_concern, selection_criteria,
} }

awaitable! { ['a] EstimatedDocumentCount<'a> => u64 {
    fn into_future(self) -> Self::IntoFuture {
        let handle = &**self.collection;
        let options = &self.options;
        let call = handle.call()
            .selection_criteria(options.selection_criteria.as_ref())
            .read_concern(options.read_concern.as_ref())
            .timeout(self.timeout);
        let prepared = call.prepare(&EstimatedDocumentCountCommand { namespace: &handle.namespace, options });
        ActionFuture::of(handle.client(), prepared, |body| match body {
            Some(body) => Ok(EstimatedDocumentCountCommand::decode(body.as_document())?),
            None => Ok(0),
        })
    }
} }
