//! What a cursor was made from, so that it can be made again.

use std::{sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{Find, FindOptions, Namespace};

use crate::{
    collection::CollectionHandle,
    error::Result,
    executor::{Call, Prepared},
};

/// The parts of a find.
#[derive(Clone)]
pub(crate) struct FindOrigin {
    pub(crate) collection: Arc<CollectionHandle>,
    /// The query, or why it cannot be sent.
    pub(crate) filter: Result<RawDocumentBuf>,
    pub(crate) options: FindOptions,
    pub(crate) timeout: Option<Duration>,
}

impl FindOrigin {
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.collection.namespace
    }

    pub(crate) fn call(&self) -> Call<'_> {
        let options = &self.options;
        self.collection
            .call()
            .selection_criteria(options.selection_criteria.as_ref())
            .read_concern(options.read_concern.as_ref())
            .timeout(self.timeout)
    }

    pub(crate) fn prepare(&self) -> Result<Prepared> {
        let filter = self.filter.as_ref().map_err(Clone::clone)?;
        if self.options.no_cursor_timeout == Some(true) {
            tracing::warn!(
                target: "mongo_actors::client",
                option = "noCursorTimeout",
                "a cursor without a timeout ends with its session all the same, after thirty idle minutes"
            );
        }
        self.call().prepare(&Find::many(self.namespace(), filter, &self.options))
    }
}
