//! What a cursor was made from, so that it can be made again.

use std::{sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::command::{CursorType, Find, FindOptions, Namespace};

use super::Terms;
use crate::{
    collection::CollectionHandle,
    error::{Error, Result},
    executor::{Call, Opening, Prepared},
    session::ClientSession,
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

    fn call(&self) -> Call<'_> {
        let options = &self.options;
        self.collection
            .call()
            .selection_criteria(options.selection_criteria.as_ref())
            .read_concern(options.read_concern.as_ref())
            .timeout(self.timeout)
    }

    pub(crate) fn terms(&self, prepared: &Prepared) -> Terms {
        let Terms { budget, timing, operation_id, session, .. } = Terms::of(prepared);
        Terms { budget, timing, operation_id, session, ..self.first_terms() }
    }

    /// The terms before anything was prepared.
    pub(crate) fn first_terms(&self) -> Terms {
        let options = &self.options;
        Terms {
            batch_size: options.batch_size,
            limit: options.limit,
            max_time: options.max_await_time.filter(|_| options.cursor_type == Some(CursorType::TailableAwait)),
            comment: options.comment.clone(),
            cursor_type: options.cursor_type.unwrap_or_default(),
            ..Terms::default()
        }
    }

    pub(crate) fn prepare(&self, session: Option<&ClientSession>) -> Result<Prepared> {
        let filter = self.filter.as_ref().map_err(Clone::clone)?;
        if self.options.cursor_type == Some(CursorType::Exhaust)
            && self.collection.client().options().load_balanced
            && self.call().in_session(session).is_in_transaction()
        {
            return Err(Error::invalid_argument(
                "cursor_type",
                "behind a load balancer a transaction has one connection, which an exhaust cursor would keep from it: \
                 use a cursor of another type",
            ));
        }
        if self.options.no_cursor_timeout == Some(true) && session.is_none() {
            tracing::warn!(
                target: "mongo_actors::client",
                option = "noCursorTimeout",
                "a cursor without a timeout ends with its session all the same, after thirty idle minutes"
            );
        }
        let find = Find::many(self.namespace(), filter, &self.options);
        self.call().in_session(session).prepare(&find)?.opening(Opening {
            mode: self.options.timeout_mode,
            cursor_type: self.options.cursor_type.unwrap_or_default(),
            max_await_time: self.options.max_await_time,
            writes: false,
        })
    }
}
