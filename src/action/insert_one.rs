//! `insert` of one document.

use std::{borrow::Borrow, marker::PhantomData, sync::Arc, time::Duration};

use mongo_actors_engine::Limits;
use mongo_actors_protocol::{
    bulk::{Items, WriteBatch},
    command::{InsertOne as InsertOneCommand, InsertOneOptions, InsertOneResult, WriteLimits},
};
use serde::Serialize;

use super::{ActionFuture, awaitable, setters::fluent, written};
use crate::{
    ClientSession,
    client::Client,
    collection::{Collection, CollectionHandle},
    error::{Error, Result},
    executor::{Ended, Executed, Prepared},
};

impl<T> Collection<T> {
    /// Inserts a document. If it has no `_id`, it gets one, as its first field.
    ///
    /// ```no_run
    /// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
    /// let result = people.insert_one(mongo_actors::bson::doc! { "name": "Ada" }).await?;
    /// println!("inserted as {}", result.inserted_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidDocument`](crate::error::ErrorKind::InvalidDocument) and
    /// [`DocumentTooLarge`](crate::error::ErrorKind::DocumentTooLarge) before anything is sent,
    /// [`DuplicateKey`](crate::error::ErrorKind::DuplicateKey), [`Write`](crate::error::ErrorKind::Write),
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The document may or may not be inserted when the future is dropped; see [`action`](crate::action).
    pub fn insert_one<D: Borrow<T>>(&self, document: D) -> InsertOne<'_, T, D> {
        InsertOne {
            collection: self.handle(),
            document,
            options: InsertOneOptions::default(),
            timeout: None,
            session: None,
            documents: PhantomData,
        }
    }
}

/// Inserts a document. Made by [`Collection::insert_one`]; awaiting it gives the document's `_id`.
#[must_use = "operations do nothing unless they are awaited"]
pub struct InsertOne<'a, T, D> {
    collection: &'a Arc<CollectionHandle>,
    document: D,
    options: InsertOneOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    documents: PhantomData<fn() -> T>,
}

fluent! { ['a, T, D] InsertOne<'a, T, D>, InsertOneOptions { session, bypass_document_validation, comment, write_concern } }

awaitable! { ['a, T: Serialize + 'a, D: Borrow<T>] InsertOne<'a, T, D> => InsertOneResult {
    fn into_future(self) -> Self::IntoFuture {
        let handle = &**self.collection;
        let client = handle.client();
        let call = handle.call().write_concern(self.options.write_concern.as_ref()).timeout(self.timeout).session(self.session);
        let acknowledged = call.is_acknowledged();
        let limits = client.engine().limits();
        let (document, write_limits) = (self.document.borrow(), write_limits(limits));
        let new_id = || client.engine().entropy().object_id();
        let encoded = InsertOneCommand::encode(&handle.namespace, document, &self.options, write_limits, new_id);
        let prepared = encoded.map_err(Error::from).and_then(|InsertOneCommand { request, inserted_id }| {
            let mut prepared = call.prepare_request(request, InsertOneCommand::properties())?;
            prepared.operation.limits = Some(limits);
            Ok((prepared, inserted_id))
        });
        ActionFuture::new(async move {
            let (prepared, id) = prepared?;
            let executed = match client.run(prepared).await? {
                Ended::Done(executed) => executed,
                Ended::TooLarge { prepared, limits } => Box::pin(insert_again(client, &prepared, limits)).await?,
            };
            executed.finish(|body| match body {
                Some(body) => written(InsertOneCommand::decode(id, body.as_document()), |_| false),
                None => Ok(InsertOneResult::new(id, acknowledged)),
            })
        })
    }
} }

/// The server takes less than the one that the document was encoded for: tries again if the document is small enough.
async fn insert_again(client: &Client, prepared: &Prepared, limits: Limits) -> Result<Executed> {
    let (request, properties) = (prepared.operation.request.clone(), InsertOneCommand::properties());
    let limits_of_server = write_limits(limits);
    let whole = WriteBatch { request, properties, limits: limits_of_server, items: Items::default() };
    let Some(batch) = whole.split(limits_of_server)?.pop() else {
        return Err(Error::invalid_argument("documents", "there must be at least one"));
    };
    client.execute(prepared.with_request(batch.request, limits)).await
}

/// Limits as the encoder of inserts has them.
pub(super) fn write_limits(limits: Limits) -> WriteLimits {
    WriteLimits {
        max_bson_object_size: limits.max_bson_object_size,
        max_message_size_bytes: limits.max_message_size,
        max_write_batch_size: limits.max_write_batch_size,
    }
}
