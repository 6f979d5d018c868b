//! A client as a child of an application's actor.

use std::ops::Deref;

use super::Client;

/// A client that lives as long as the actor that holds this in its state: dropping it closes the client, whatever
/// clones of it there are. Derefs to the client.
///
/// Together with [`escalate_to`](super::ClientBuilder::escalate_to), by which the actor decides what becomes of a client
/// that cannot be kept alive, this makes the driver's actors a part of the application's own tree. The client's root is
/// started under the actor, reports to it, and ends with it.
///
/// ```
/// use actix::{Actor, AsyncContext, Context, Handler};
/// use mongo_actors::{
///     Client, ClientChild,
///     supervision::{Decision, Escalation},
/// };
///
/// #[derive(Default)]
/// struct Storage {
///     client: Option<ClientChild>,
/// }
///
/// impl Actor for Storage {
///     type Context = Context<Self>;
///
///     fn started(&mut self, ctx: &mut Self::Context) {
///         let client = Client::builder()
///             .uri("mongodb://localhost:27017")
///             .escalate_to(ctx.address().recipient())
///             .build()
///             .expect("the connection string is valid");
///         self.client = Some(client.into_child());
///     }
/// }
///
/// impl Handler<Escalation> for Storage {
///     type Result = ();
///
///     fn handle(&mut self, escalation: Escalation, _: &mut Self::Context) {
///         eprintln!("the driver is down: {}", escalation.cause());
///         escalation.decide(Decision::Restart);
///     }
/// }
///
/// # actix_rt::System::new().block_on(async { drop(Storage::default().start()) });
/// ```
#[derive(Debug)]
pub struct ClientChild(Client);

impl Client {
    /// Makes the client a child of whoever keeps the answer.
    pub fn into_child(self) -> ClientChild {
        ClientChild(self)
    }
}

impl Deref for ClientChild {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Drop for ClientChild {
    /// Operations on their way fail.
    fn drop(&mut self) {
        self.0.engine().close_in_background();
    }
}
