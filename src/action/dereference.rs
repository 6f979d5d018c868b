//! References to documents (`DBRef`).

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors_protocol::command::FindOneOptions;

use super::{ActionFuture, awaitable, setters::fluent};
use crate::{
    ClientSession, Filter,
    database::Database,
    error::{Error, Result},
};

impl Database {
    /// The document that a reference (`{ $ref, $id, $db }`) points at; none when it is not there.
    ///
    /// ```no_run
    /// # async fn example(shop: mongo_actors::Database) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let customer = shop.dereference(&doc! { "$ref": "customers", "$id": 7 }).projection(["name"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::error::ErrorKind::InvalidArgument) when `reference` is no reference, or names another
    /// database; otherwise those of [`Collection::find_one`](crate::Collection::find_one).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn dereference(&self, reference: &Document) -> Dereference<'_> {
        let (target, options) = (self.target(reference), FindOneOptions::default());
        Dereference { database: self, target, options, timeout: None, session: None }
    }

    /// The collection and the `_id` that a reference names.
    fn target(&self, reference: &Document) -> Result<(String, Bson)> {
        let (Ok(collection), Some(id)) = (reference.get_str("$ref"), reference.get("$id")) else {
            return Err(Error::invalid_argument("reference", "it must have \"$ref\", a text, and \"$id\""));
        };
        match reference.get("$db") {
            None => {}
            Some(Bson::String(name)) if name == self.name() => {}
            Some(name) => {
                let reason = format!("it points into the database {name}, and this one is {}", self.name());
                return Err(Error::invalid_argument("reference", reason));
            }
        }
        Ok((collection.to_owned(), id.clone()))
    }
}

/// Finds the document that a reference points at. Made by [`Database::dereference`]; awaiting it gives the document, if
/// it is there.
#[must_use = "operations do nothing unless they are awaited"]
pub struct Dereference<'a> {
    database: &'a Database,
    target: Result<(String, Bson)>,
    options: FindOneOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Dereference<'a>, FindOneOptions {
    session, comment, max_time, projection, read_concern, selection_criteria,
} }

awaitable! { ['a] Dereference<'a> => Option<Document> {
    fn into_future(self) -> Self::IntoFuture {
        let Self { database, target, options, timeout, session } = self;
        ActionFuture::new(async move {
            let (collection, id) = target?;
            let collection = database.collection::<Document>(&collection);
            let mut find = collection.find_one(Filter::id(id)).with_options(options);
            if let Some(timeout) = timeout {
                find = find.timeout(timeout);
            }
            match session {
                Some(session) => find.session(session).await,
                None => find.await,
            }
        })
    }
} }
