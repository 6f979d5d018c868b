//! The driver as a child in an application's own supervision tree.
//!
//! ```sh
//! cargo run --example supervision_tree
//! ```

#[path = "../shared/deployment.rs"]
mod deployment;
mod shop;

use std::{env, error::Error, process::ExitCode};

use actix::{Actor, Addr, Context, Handler};
use mongo_actors::{Client, bson::oid::ObjectId, supervision::RestartBudget};

use self::{
    deployment::{Deployment, VARIABLE},
    shop::{Fail, GetClient, Note, Sell, Storage, Till},
};

#[actix::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("supervision_tree: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let deployment = Deployment::provide(env::var(VARIABLE).ok()).await?;
    println!("Using {deployment}.");
    // A database of its own, so that nothing of yours is touched.
    let database = format!("shop_{}", ObjectId::new());
    let diary = Diary.start();
    let storage = Storage::start(deployment.uri(), RestartBudget::default(), diary.clone().recipient());
    let till = Till::start(1, database.clone(), storage.clone(), diary.recipient());

    sell(&till).await?;
    println!("{}", client(&storage).await?.supervision());

    println!("\nThe till fails: the storage and its client do not notice.");
    till.do_send(Fail);
    sell(&till).await?;

    println!("\nThe driver starts anew: the till does not notice.");
    client(&storage).await?.restart().await;
    sell(&till).await?;

    println!("\nThe storage fails: its client ends with it, and the next sale is made with another.");
    let client_of_today = client(&storage).await?;
    storage.do_send(Fail);
    sell(&till).await?;
    println!("the client of before is closed: {}", client_of_today.is_closed());

    let last = client(&storage).await?;
    last.database(&database).drop().await?;
    last.close().await;
    Ok(())
}

async fn client(storage: &Addr<Storage>) -> Result<Client, Box<dyn Error>> {
    Ok(storage.send(GetClient).await??)
}

async fn sell(till: &Addr<Till>) -> Result<(), Box<dyn Error>> {
    println!("the till has taken {}", till.send(Sell { price: 3 }).await??);
    Ok(())
}

/// Prints what the tree tells.
struct Diary;

impl Actor for Diary {
    type Context = Context<Self>;
}

impl Handler<Note> for Diary {
    type Result = ();

    fn handle(&mut self, Note(note): Note, _: &mut Self::Context) {
        println!("  ({note})");
    }
}
