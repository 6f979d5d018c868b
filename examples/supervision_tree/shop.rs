//! A small supervision tree: tills that sell, and a storage whose child the driver is.
//!
//! ```text
//! actix supervisors
//! ├─ Till ×n     restarted by itself; asks the storage for its collection, so that it never keeps a client too long
//! └─ Storage     restarted by itself, with a new client
//!    └─ the driver's own tree: restarted by the storage's decision, ended with the storage
//! ```

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, Supervised,
    Supervisor,
};
use mongo_actors::{
    Client, ClientChild, Collection,
    bson::{Document, doc},
    error::{Error, Result},
    supervision::{Decision, Escalation, RestartBudget, SupervisionEvent},
};

/// Something that the tree tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) struct Note(pub(crate) String);

/// Keeps a client, and decides what becomes of it.
pub(crate) struct Storage {
    uri: String,
    budget: RestartBudget,
    diary: Recipient<Note>,
    client: Result<ClientChild>,
    /// What is decided in the cases to come; afterwards the storage itself starts anew.
    patience: VecDeque<Decision>,
}

impl Storage {
    pub(crate) fn start(uri: String, budget: RestartBudget, diary: Recipient<Note>) -> Addr<Self> {
        Supervisor::start(move |ctx| {
            let client = connect(&uri, budget, ctx);
            Self { uri, budget, diary, client, patience: patience() }
        })
    }

    fn note(&self, note: impl Into<String>) {
        self.diary.do_send(Note(note.into()));
    }
}

fn connect(uri: &str, budget: RestartBudget, ctx: &Context<Storage>) -> Result<ClientChild> {
    let client = Client::builder()
        .uri(uri)
        .restart_budget(budget)
        .escalate_to(ctx.address().recipient())
        .supervision_listener(Arc::new(ctx.address().recipient()))
        .build()?;
    Ok(client.into_child())
}

fn patience() -> VecDeque<Decision> {
    [Decision::Restart, Decision::RestartAfter(Duration::from_millis(200))].into()
}

impl Actor for Storage {
    type Context = Context<Self>;
}

impl Supervised for Storage {
    /// The client of the last life is closed here, whoever holds clones of it.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.client = connect(&self.uri, self.budget, ctx);
        self.patience = patience();
        self.note("the storage starts anew");
    }
}

impl Handler<Escalation> for Storage {
    type Result = ();

    fn handle(&mut self, escalation: Escalation, ctx: &mut Self::Context) {
        match self.patience.pop_front() {
            Some(decision) => {
                self.note(format!("{}: {decision:?}", escalation.cause()));
                escalation.decide(decision);
            }
            None => {
                self.note(format!("{}: a new client is needed", escalation.cause()));
                escalation.decide(Decision::Close);
                ctx.stop();
            }
        }
    }
}

impl Handler<SupervisionEvent> for Storage {
    type Result = ();

    fn handle(&mut self, event: SupervisionEvent, _: &mut Self::Context) {
        if let SupervisionEvent::ActorRestarted { path, cause, .. } = event {
            self.note(format!("{path} {cause}, and was restarted"));
        }
    }
}

/// The client of today.
#[derive(Message)]
#[rtype(result = "Result<Client>")]
pub(crate) struct GetClient;

impl Handler<GetClient> for Storage {
    type Result = Result<Client>;

    fn handle(&mut self, _: GetClient, _: &mut Self::Context) -> Result<Client> {
        self.client.as_ref().map(|client| (**client).clone()).map_err(Clone::clone)
    }
}

/// Sells, and writes down what it took.
pub(crate) struct Till {
    number: i32,
    database: String,
    storage: Addr<Storage>,
    diary: Recipient<Note>,
}

impl Till {
    pub(crate) fn start(number: i32, database: String, storage: Addr<Storage>, diary: Recipient<Note>) -> Addr<Self> {
        Supervisor::start(move |_| Self { number, database, storage, diary })
    }
}

impl Actor for Till {
    type Context = Context<Self>;
}

impl Supervised for Till {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.diary.do_send(Note(format!("till {} starts anew", self.number)));
    }
}

/// Something is sold. The answer is what the till has taken by then.
#[derive(Message)]
#[rtype(result = "Result<i64>")]
pub(crate) struct Sell {
    pub(crate) price: i64,
}

impl Handler<Sell> for Till {
    type Result = ResponseFuture<Result<i64>>;

    fn handle(&mut self, Sell { price }: Sell, _: &mut Self::Context) -> Self::Result {
        let (storage, number, database) = (self.storage.clone(), self.number, self.database.clone());
        Box::pin(async move {
            let client = storage.send(GetClient).await.map_err(Error::custom)??;
            let tills: Collection<Document> = client.database(&database).collection("tills");
            tills.update_one(doc! { "_id": number }, doc! { "$inc": { "taken": price } }).upsert(true).await?;
            let till = tills.find_one(doc! { "_id": number }).await?;
            Ok(till.and_then(|till| till.get_i64("taken").ok()).unwrap_or(0))
        })
    }
}

/// The actor is to fail.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fail;

impl Handler<Fail> for Till {
    type Result = ();

    fn handle(&mut self, _: Fail, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Fail> for Storage {
    type Result = ();

    fn handle(&mut self, _: Fail, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
