//! `collMod`: changes to the options of a collection.

use std::time::Duration;

use bson::Document;
use mongo_actors_protocol::{
    command::{ModifyCollection as ModifyCollectionCommand, ModifyCollectionOptions, Namespace},
    options::CodecOptions,
};

use super::{ActionFuture, awaitable, confirmed, setters::fluent};
use crate::{ClientSession, database::Database, decode::decode};

impl Database {
    /// Changes the options of a collection or view. Awaiting it gives the server's reply, which for some changes says
    /// what was changed.
    ///
    /// ```no_run
    /// # async fn example(shop: mongo_actors::Database) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::{bson::doc, options::ValidationLevel};
    ///
    /// shop.modify_collection("orders")
    ///     .validator(doc! { "price": { "$gt": 0 } })
    ///     .validation_level(ValidationLevel::Moderate)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WriteConcern`](crate::error::ErrorKind::WriteConcern), and those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// The collection may or may not be changed when the future is dropped; see [`action`](crate::action).
    pub fn modify_collection(&self, name: &str) -> ModifyCollection<'_> {
        let namespace = Namespace::new(self.shared_name(), name);
        ModifyCollection { database: self, namespace, options: Default::default(), timeout: None, session: None }
    }
}

/// Changes a collection. Made by [`Database::modify_collection`]; awaiting it gives the server's reply.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ModifyCollection<'a> {
    database: &'a Database,
    namespace: Namespace,
    options: ModifyCollectionOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] ModifyCollection<'a>, ModifyCollectionOptions {
    session,
    capped_max, capped_size, change_stream_pre_and_post_images, comment, dry_run, expire_after, index, pipeline,
    timeseries, validation_action, validation_level, validator, view_on, write_concern,
} }

awaitable! { ['a] ModifyCollection<'a> => Document {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, namespace, options, timeout, session } = self;
        let call = database.call().write_concern(options.write_concern.as_ref()).timeout(timeout).session(session);
        let prepared = call.prepare(&ModifyCollectionCommand { namespace: &namespace, options: &options });
        ActionFuture::of(database.client(), prepared, |body| {
            confirmed(body)?;
            body.map_or(Ok(Document::new()), |reply| decode(reply.as_document().as_bytes(), &CodecOptions::default()))
        })
    }
} }
