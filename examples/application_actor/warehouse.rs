//! A warehouse whose stock is in the database.

use std::fmt;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, Recipient, ResponseActFuture,
    WrapFuture,
};
use mongo_actors::{
    Collection, Database,
    bson::{DateTime, doc},
    error::{Error, Result},
    options::ReturnDocument,
};
use serde::{Deserialize, Serialize};

/// How many of an item there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Level {
    #[serde(rename = "_id")]
    pub(crate) item: String,
    pub(crate) quantity: i64,
}

/// An entry in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Movement {
    item: String,
    change: i64,
    at: DateTime,
}

/// The actor. It owns its collections and counts what it has done.
///
/// While one of its operations is on its way it handles further messages, so many may be: what must not happen twice,
/// such as taking the last piece, is decided by the database.
pub(crate) struct Warehouse {
    stock: Collection<Level>,
    journal: Collection<Movement>,
    statistics: Statistics,
}

impl Warehouse {
    pub(crate) fn new(database: &Database) -> Self {
        let (stock, journal) = (database.collection("stock"), database.collection("journal"));
        Self { stock, journal, statistics: Statistics::default() }
    }

    /// Writes a movement down, in the background: nobody waits for it.
    fn record(&mut self, item: String, change: i64, ctx: &mut Context<Self>) {
        let movement = Movement { item, change, at: DateTime::now() };
        let journal = self.journal.clone();
        let insert = async move { journal.insert_one(movement).await };
        ctx.spawn(insert.into_actor(self).map(|inserted, warehouse, _| match inserted {
            Ok(_) => warehouse.statistics.recorded += 1,
            Err(error) => warehouse.failed(&error),
        }));
    }

    fn failed(&mut self, error: &Error) {
        self.statistics.failures += 1;
        eprintln!("warehouse: {error}");
    }
}

impl Actor for Warehouse {
    type Context = Context<Self>;
}

/// Pieces of an item arrive. The answer is how many there are then.
#[derive(Message)]
#[rtype(result = "Result<i64>")]
pub(crate) struct Deliver {
    pub(crate) item: String,
    pub(crate) quantity: u32,
}

impl Handler<Deliver> for Warehouse {
    type Result = ResponseActFuture<Self, Result<i64>>;

    fn handle(&mut self, Deliver { item, quantity }: Deliver, _: &mut Self::Context) -> Self::Result {
        let stock = self.stock.clone();
        let change = i64::from(quantity);
        let name = item.clone();
        let update = async move {
            let added = doc! { "$inc": { "quantity": change } };
            let update = stock.find_one_and_update(doc! { "_id": name }, added).upsert(true);
            update.return_document(ReturnDocument::After).await
        };
        // The second half runs when the database has answered, with the actor in its hands again.
        Box::pin(update.into_actor(self).map(move |updated, warehouse, ctx| {
            let level = updated.inspect_err(|error| warehouse.failed(error))?;
            warehouse.statistics.deliveries += 1;
            warehouse.record(item, change, ctx);
            Ok(level.map_or(change, |level| level.quantity))
        }))
    }
}

/// Pieces of an item are wanted. The answer is how many are left.
#[derive(Message)]
#[rtype(result = "Result<i64, Refusal>")]
pub(crate) struct Take {
    pub(crate) item: String,
    pub(crate) quantity: u32,
}

/// Why nothing is taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    OutOfStock,
    Database(Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock => f.write_str("there are not that many"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl Handler<Take> for Warehouse {
    type Result = ResponseActFuture<Self, Result<i64, Refusal>>;

    fn handle(&mut self, Take { item, quantity }: Take, _: &mut Self::Context) -> Self::Result {
        let stock = self.stock.clone();
        let change = -i64::from(quantity);
        let enough = doc! { "_id": item.clone(), "quantity": { "$gte": quantity } };
        let update = async move {
            let update = stock.find_one_and_update(enough, doc! { "$inc": { "quantity": change } });
            update.return_document(ReturnDocument::After).await
        };
        Box::pin(update.into_actor(self).map(move |updated, warehouse, ctx| match updated {
            Ok(Some(level)) => {
                warehouse.statistics.taken += 1;
                warehouse.record(item, change, ctx);
                Ok(level.quantity)
            }
            Ok(None) => {
                warehouse.statistics.refusals += 1;
                Err(Refusal::OutOfStock)
            }
            Err(error) => {
                warehouse.failed(&error);
                Err(Refusal::Database(error))
            }
        }))
    }
}

/// Asks for an [`Inventory`], which is sent to `to` when it is ready.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TakeStock {
    pub(crate) to: Recipient<Inventory>,
}

/// What there is of everything, by name; or why that is not known.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Inventory(pub(crate) Result<Vec<Level>>);

impl Handler<TakeStock> for Warehouse {
    type Result = ();

    fn handle(&mut self, TakeStock { to }: TakeStock, ctx: &mut Self::Context) {
        let stock = self.stock.clone();
        let find = async move { stock.find(doc! {}).sort(doc! { "_id": 1 }).await?.to_vec().await };
        ctx.spawn(find.into_actor(self).map(move |found, warehouse, _| {
            to.do_send(Inventory(found.inspect_err(|error| warehouse.failed(error))));
        }));
    }
}

/// Asks for what the warehouse has done since it was started.
#[derive(Message)]
#[rtype(result = "Statistics")]
pub(crate) struct GetStatistics;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) deliveries: u64,
    pub(crate) taken: u64,
    pub(crate) refusals: u64,
    /// Movements that are in the journal.
    pub(crate) recorded: u64,
    /// Operations that failed.
    pub(crate) failures: u64,
}

impl Handler<GetStatistics> for Warehouse {
    type Result = MessageResult<GetStatistics>;

    fn handle(&mut self, _: GetStatistics, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.statistics)
    }
}
