//! An application actor that uses the client: messages in, results of the database out.
//!
//! ```sh
//! cargo run --example application_actor
//! ```

#[path = "../shared/deployment.rs"]
mod deployment;
mod warehouse;

use std::{env, error::Error, process::ExitCode};

use actix::{Actor, Context, Handler};
use mongo_actors::{Client, bson::oid::ObjectId};
use tokio::sync::oneshot;

use self::{
    deployment::{Deployment, VARIABLE},
    warehouse::{Deliver, GetStatistics, Inventory, Take, TakeStock, Warehouse},
};

#[actix::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("application_actor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let deployment = Deployment::provide(env::var(VARIABLE).ok()).await?;
    println!("Using {deployment}.");
    // A client that is built on an arbiter keeps its connections there: no operation of the actor crosses a thread.
    let client = Client::with_uri_str(deployment.uri()).await?;
    let shown = show(&client).await;
    client.close().await;
    shown
}

async fn show(client: &Client) -> Result<(), Box<dyn Error>> {
    // A database of its own, so that nothing of yours is touched.
    let database = client.database(&format!("warehouse_{}", ObjectId::new()));
    let warehouse = Warehouse::new(&database).start();

    let level = warehouse.send(Deliver { item: "lamp".into(), quantity: 5 }).await??;
    println!("5 lamps are delivered: there are {level}.");
    for quantity in [3, 3] {
        match warehouse.send(Take { item: "lamp".into(), quantity }).await? {
            Ok(level) => println!("{quantity} lamps are taken: {level} are left."),
            Err(refusal) => println!("{quantity} lamps are not taken: {refusal}."),
        }
    }

    let (done, printed) = oneshot::channel();
    let clerk = Clerk { done: Some(done) }.start();
    warehouse.do_send(TakeStock { to: clerk.recipient() });
    printed.await?;
    println!("{:?}", warehouse.send(GetStatistics).await?);
    Ok(database.drop().await?)
}

/// Another actor, which prints the inventory that it is sent.
struct Clerk {
    done: Option<oneshot::Sender<()>>,
}

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Handler<Inventory> for Clerk {
    type Result = ();

    fn handle(&mut self, Inventory(found): Inventory, _: &mut Self::Context) {
        match found {
            Ok(levels) => levels.iter().for_each(|level| println!("In stock: {} x {}", level.quantity, level.item)),
            Err(error) => println!("The stock could not be counted: {error}"),
        }
        if let Some(done) = self.done.take() {
            let _ = done.send(());
        }
    }
}
