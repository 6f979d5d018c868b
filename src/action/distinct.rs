//! `distinct`: the different values of one field.

use std::{sync::Arc, time::Duration};

use bson::{Bson, RawDocumentBuf};
use mongo_actors_protocol::command::{Command as _, Distinct as DistinctCommand, DistinctOptions};

use super::{ActionFuture, Explain, awaitable, setters::fluent};
use crate::{
    ClientSession, Filter,
    collection::{Collection, CollectionHandle},
    decode::value,
    error::{Error, Result},
    executor::require,
};

impl<T> Collection<T> {
    /// The different values that the field `key` (in dotted notation) has in the documents that match `filter`. The
    /// elements of arrays count one by one.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let cities = people.distinct("address.city", mongo_actors::bson::doc! {}).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal, such as for more values than fit into one document.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn distinct(&self, key: impl Into<String>, filter: impl Into<Filter>) -> Distinct<'_> {
        Distinct::new(self.handle(), key.into(), filter.into().into_raw(), DistinctOptions::default(), None, None)
    }
}

/// Finds the different values of a field. Made by [`Collection::distinct`]; awaiting it gives them.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Distinct<'a> {
    collection: &'a Arc<CollectionHandle>,
    key: String,
    filter: Result<RawDocumentBuf>,
    options: DistinctOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Distinct<'a>, DistinctOptions { session, collation, comment, hint, max_time, read_concern, selection_criteria } }

impl<'a> Distinct<'a> {
    pub(crate) fn new(
        collection: &'a Arc<CollectionHandle>,
        key: String,
        filter: Result<RawDocumentBuf>,
        options: DistinctOptions,
        timeout: Option<Duration>,
        session: Option<&'a mut ClientSession>,
    ) -> Self {
        Self { collection, key, filter, options, timeout, session }
    }

    /// How the server would execute it.
    pub fn explain(self) -> Explain<'a> {
        let Self { collection, key, filter, options, timeout, session } = self;
        let request = filter.and_then(|filter| {
            let namespace = &collection.namespace;
            Ok(DistinctCommand { namespace, key: &key, filter: &filter, options: &options }.request()?)
        });
        Explain::new(collection.call(), request, options.selection_criteria, timeout, session)
    }
}

awaitable! { ['a] Distinct<'a> => Vec<Bson> {
    fn into_future(self) -> Self::IntoFuture {
        let handle = &**self.collection;
        let (options, codec) = (&self.options, &handle.settings().codec_options);
        let prepared = self.filter.and_then(|filter| {
            let call = handle.call()
                .selection_criteria(options.selection_criteria.as_ref())
                .read_concern(options.read_concern.as_ref())
                .timeout(self.timeout).session(self.session);
            let namespace = &handle.namespace;
            call.prepare(&DistinctCommand { namespace, key: &self.key, filter: &filter, options })
        });
        ActionFuture::of(handle.client(), prepared, |body| {
            let values = DistinctCommand::decode(require(body)?)?;
            let read = |value: Result<_, _>| Bson::try_from(value?);
            let values = values.into_iter().map(|found| value(read(found).map_err(Error::deserialization)?, codec));
            values.collect()
        })
    }
} }
