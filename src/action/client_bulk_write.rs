//! Bulk writes to any number of collections.

use std::time::Duration;

use mongo_actors_protocol::{
    bulk::{Batches as _, ClientBulk, ClientBulkWriteOptions, ClientBulkWriteResult, NamespacedWrite},
    options::CodecOptions,
    retry::Outcome,
};
use serde::Serialize;

use super::{
    ActionFuture,
    batches::{self, Finished, known_limits},
    setters::{fluent, setter},
};
use crate::{
    ClientSession,
    client::Client,
    decode::value,
    error::{ClientBulkWriteError, Error, ErrorKind, Partial, Result},
};

impl Client {
    /// Executes any number of inserts, updates, replacements and deletes, of any number of collections, in as few
    /// commands as the server's limits allow. Needs a server from 8.0.
    ///
    /// In order, the first write that fails ends it; unordered, all are tried. As for
    /// [`insert_many`](crate::Collection::insert_many), writes are encoded when their command is due, so that an
    /// iterator of any length needs little memory.
    ///
    /// A command without [`UpdateManyModel`](crate::options::UpdateManyModel) and
    /// [`DeleteManyModel`](crate::options::DeleteManyModel) is repeated after a failure, if the server may not have
    /// executed it.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{
    ///     Namespace,
    ///     bson::doc,
    ///     options::{InsertOneModel, UpdateManyModel},
    /// };
    ///
    /// let (orders, stock) = (Namespace::new("shop", "orders"), Namespace::new("shop", "stock"));
    /// let writes = [
    ///     InsertOneModel::new(doc! { "item": "tea" }).in_namespace(orders),
    ///     UpdateManyModel::new(doc! { "item": "tea" }, doc! { "$inc": { "left": -1 } }).in_namespace(stock),
    /// ];
    /// let result = client.bulk_write(writes).verbose_results(true).await?;
    /// println!("{} inserted, {} modified", result.inserted_count, result.modified_count);
    /// if let Some(each) = result.verbose_results {
    ///     println!("the order is {}", each.insert_results[&0].inserted_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientBulkWrite`](crate::error::ErrorKind::ClientBulkWrite) when the server refuses writes or the write
    /// concern is not satisfied; [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for no writes, or for
    /// one with an argument that is not allowed; [`InvalidOperation`](crate::error::ErrorKind::InvalidOperation) for an
    /// unacknowledged write concern with ordered writes or verbose results, and for a server before 8.0;
    /// [`InvalidDocument`](crate::error::ErrorKind::InvalidDocument) and
    /// [`DocumentTooLarge`](crate::error::ErrorKind::DocumentTooLarge); and those of reaching a server and of its
    /// refusal. What was done before is told by
    /// [`Error::partial_client_bulk_write`](crate::error::Error::partial_client_bulk_write).
    ///
    /// # Cancel safety
    /// Any number of the writes may be executed when the future is dropped; see [`action`](crate::action).
    pub fn bulk_write<I>(&self, writes: I) -> ClientBulkWrite<'_, I::IntoIter>
    where
        I: IntoIterator,
    {
        let options = ClientBulkWriteOptions::default();
        ClientBulkWrite { client: self, writes: writes.into_iter(), options, timeout: None, session: None }
    }
}

/// Executes any number of writes. Made by [`Client::bulk_write`]; awaiting it gives the counts.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ClientBulkWrite<'a, I> {
    client: &'a Client,
    writes: I,
    options: ClientBulkWriteOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a, I] ClientBulkWrite<'a, I>, ClientBulkWriteOptions {
    session,
    bypass_document_validation, comment, let_vars, ordered, write_concern,
} }

impl<I> ClientBulkWrite<'_, I> {
    setter! { @
        /// Whether the result tells of every single write. Default: false, only of their numbers.
        verbose_results => verbose_results: bool
    }
}

impl<'a, I, T> IntoFuture for ClientBulkWrite<'a, I>
where
    T: Serialize + 'a,
    I: Iterator<Item = NamespacedWrite<T>> + Send + 'a,
{
    type Output = Result<ClientBulkWriteResult>;
    type IntoFuture = ActionFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, writes, options, timeout, session } = self;
        ActionFuture::new(async move {
            let call = client.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
            if !call.is_acknowledged() {
                check_unacknowledged(&options)?;
            }
            let machine = ClientBulk::new(&options, known_limits(&call))?;
            let new_id = || client.engine().entropy().object_id();
            let push = |machine: &mut ClientBulk, write: I::Item| machine.push(&write, new_id);
            let finished = batches::run(call, machine, writes, push).await;
            finish(finished, call.is_acknowledged(), &call.settings().codec_options)
        })
    }
}

/// What the specification does not allow together.
fn check_unacknowledged(options: &ClientBulkWriteOptions) -> Result<()> {
    if options.verbose_results == Some(true) {
        return Err(Error::invalid_operation("Cannot request unacknowledged write concern and verbose results"));
    }
    if options.ordered.unwrap_or(true) {
        return Err(Error::invalid_operation("Cannot request unacknowledged write concern and ordered writes"));
    }
    Ok(())
}

fn finish(finished: Finished<ClientBulk>, acknowledged: bool, codec: &CodecOptions) -> Result<ClientBulkWriteResult> {
    let Finished { machine, failed, interruption } = finished;
    let empty = machine.is_empty();
    let (mut result, failure) = machine.finish(acknowledged);
    let updates =
        result.iter_mut().flat_map(|result| &mut result.verbose_results).flat_map(|all| &mut all.update_results);
    for (_, update) in updates {
        update.upserted_id = update.upserted_id.take().map(|id| value(id, codec)).transpose()?;
    }
    if let Some(error) = interruption {
        let untouched = result.is_none() && failure.is_empty();
        let outcome = if untouched { error.outcome() } else { error.outcome().fold(Outcome::Applied) };
        let partial = ClientBulkWriteError::new(result, failure);
        return Err(error.with_outcome(outcome).with_partial(Partial::ClientBulkWrite(partial)));
    }
    if empty {
        return Err(Error::invalid_argument("writes", "there must be at least one"));
    }
    if failure.is_empty() {
        return Ok(result.unwrap_or_default());
    }
    let applied = result.is_some() || !failure.write_concern_errors.is_empty();
    let outcome = if applied { Outcome::Applied } else { Outcome::Rejected };
    let labels = failure.labels.clone();
    let kind = ErrorKind::ClientBulkWrite(ClientBulkWriteError::new(result, failure));
    Err(batches::explain(Error::new(kind).with_labels(&labels).with_outcome(outcome), failed))
}
