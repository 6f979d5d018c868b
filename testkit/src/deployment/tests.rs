#[cfg(unix)]
mod leftovers;
mod replica_set;
mod routers;
mod standalone;

use bson::{Document, doc};

use super::*;
use crate::wire::client::Client;

const LIMIT: Duration = Duration::from_secs(10);

async fn put(member: &Member, id: i32) {
    let insert = doc! { "insert": "things", "documents": [{ "_id": id }], "writeConcern": { "w": "majority" } };
    let reply = member.command("db", insert).await.unwrap();
    assert!(!reply.contains_key("writeErrors"), "{reply}");
}

/// Counts the documents themselves; the number a server keeps can be wrong after a crash.
async fn count(member: &Member) -> i64 {
    let reply = member.command("db", doc! { "count": "things", "query": { "_id": { "$gte": 0 } } }).await.unwrap();
    crate::wire::client::number(&reply, "n")
}

/// A connection such as a driver makes, to the address a driver sees.
async fn driver(address: &mongo_actors_protocol::address::ServerAddress) -> Client {
    Client::connect(address.to_string().parse().unwrap(), None, None, LIMIT).await.unwrap()
}
