//! This driver.

use mongo_actors::{
    Client, Collection,
    bson::{Document, doc},
    supervision::Placement,
};

use super::Driver;
use crate::workload::{DATABASE, INSERTS, ORDERS, Order};

#[derive(Clone)]
struct Ours {
    client: Client,
    orders: Collection<Order>,
    inserts: Collection<Order>,
}

pub(super) async fn connect(uri: &str, placement: Placement) -> anyhow::Result<impl Driver> {
    let client = Client::builder().uri(uri).placement(placement).build()?;
    let database = client.database(DATABASE);
    Ok(Ours { orders: database.collection(ORDERS), inserts: database.collection(INSERTS), client })
}

impl Driver for Ours {
    async fn empty_inserts(&self) -> anyhow::Result<()> {
        self.inserts.drop().await?;
        self.inserts.clone_with_type::<Document>().insert_one(doc! { "_id": 0 }).await?;
        Ok(())
    }

    async fn find_one(&self, number: i64) -> anyhow::Result<Option<Order>> {
        Ok(self.orders.find_one(doc! { "_id": number }).await?)
    }

    async fn insert_one(&self, order: &Order) -> anyhow::Result<()> {
        self.inserts.insert_one(order).await?;
        Ok(())
    }

    async fn close(self) {
        self.client.close().await;
    }
}
