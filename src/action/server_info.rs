//! `buildInfo`: what a server says of itself.

use std::{marker::PhantomData, time::Duration};

use bson::Document;
use mongo_actors_protocol::{
    command::{BuildInfo, GetBuildInfo},
    options::CodecOptions,
};
use serde::de::DeserializeOwned;

use super::{ActionFuture, awaitable, setters::setter};
use crate::{ClientSession, client::Client, decode::decode, executor::require};

impl Client {
    /// What the server says of itself: the whole reply to `buildInfo`. See [`build_info`](Self::build_info).
    ///
    /// # Errors
    /// Those of reaching a server.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn server_info(&self) -> ServerInfo<'_> {
        ServerInfo::new(self)
    }

    /// The server's version, and the most useful rest of the reply to `buildInfo`.
    ///
    /// ```no_run
    /// # async fn example(client: mongo_actors::Client) -> mongo_actors::error::Result<()> {
    /// println!("MongoDB {}", client.build_info().await?.version);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of reaching a server.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn build_info(&self) -> ServerInfo<'_, BuildInfo> {
        ServerInfo::new(self)
    }
}

/// Asks a server what it is. Made by [`Client::server_info`] and [`Client::build_info`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct ServerInfo<'a, R = Document> {
    client: &'a Client,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
    reply: PhantomData<fn() -> R>,
}

impl<'a, R> ServerInfo<'a, R> {
    fn new(client: &'a Client) -> Self {
        Self { client, timeout: None, session: None, reply: PhantomData }
    }

    setter!(timeout);
    setter!(session);
}

awaitable! { ['a, R: DeserializeOwned + 'a] ServerInfo<'a, R> => R {
    fn into_future(self) -> Self::IntoFuture {
        let Self { client, timeout, session, .. } = self;
        let prepared = client.call().timeout(timeout).session(session).prepare(&GetBuildInfo);
        ActionFuture::of(client, prepared, |body| decode(require(body)?.as_bytes(), &CodecOptions::default()))
    }
} }
