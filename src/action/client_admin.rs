//! The databases of a deployment.

use std::time::Duration;

use mongo_actors_protocol::command::{
    DatabaseSpecification, ListDatabases as ListDatabasesCommand, ListDatabasesOptions,
};

use super::{ActionFuture, DropDatabase, awaitable, setters::fluent};
use crate::{
    ClientSession,
    client::Client,
    error::Result,
    executor::{Prepared, require},
};

impl Client {
    /// The databases of the deployment.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// for database in client.list_databases().await? {
    ///     println!("{} takes {} bytes", database.name, database.size_on_disk);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_databases(&self) -> ListDatabases<'_> {
        ListDatabases { client: self, options: ListDatabasesOptions::default(), timeout: None, session: None }
    }

    /// The names of the databases of the deployment.
    ///
    /// # Errors
    /// Those of reaching a server and of its refusal.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn list_database_names(&self) -> ListDatabaseNames<'_> {
        ListDatabaseNames { client: self, options: ListDatabasesOptions::default(), timeout: None, session: None }
    }

    /// Drops a database with everything in it; see [`Database::drop`](crate::Database::drop).
    pub fn drop_database(&self, name: &str) -> DropDatabase<'_> {
        DropDatabase::new(self, self.database(name))
    }
}

/// Lists databases. Made by [`Client::list_databases`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListDatabases<'a> {
    client: &'a Client,
    options: ListDatabasesOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

/// Lists the names of databases. Made by [`Client::list_database_names`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct ListDatabaseNames<'a> {
    client: &'a Client,
    options: ListDatabasesOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] ListDatabases<'a>, ListDatabasesOptions { session, authorized_databases, comment, filter } }
fluent! { ['a] ListDatabaseNames<'a>, ListDatabasesOptions { session, authorized_databases, comment, filter } }

fn prepare(
    client: &Client,
    name_only: bool,
    options: &ListDatabasesOptions,
    timeout: Option<Duration>,
    session: Option<&mut ClientSession>,
) -> Result<Prepared> {
    client.call().timeout(timeout).session(session).prepare(&ListDatabasesCommand { name_only, options })
}

awaitable! { ['a] ListDatabases<'a> => Vec<DatabaseSpecification> {
    fn into_future(self) -> Self::IntoFuture {
        let prepared = prepare(self.client, false, &self.options, self.timeout, self.session);
        ActionFuture::of(self.client, prepared, |body| Ok(ListDatabasesCommand::decode(require(body)?)?))
    }
} }

awaitable! { ['a] ListDatabaseNames<'a> => Vec<String> {
    fn into_future(self) -> Self::IntoFuture {
        let prepared = prepare(self.client, true, &self.options, self.timeout, self.session);
        ActionFuture::of(self.client, prepared, |body| Ok(ListDatabasesCommand::decode_names(require(body)?)?))
    }
} }
