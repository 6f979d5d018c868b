//! The official Rust driver.

use mongodb::{
    Client, Collection,
    bson::{Document, doc},
};

use super::Driver;
use crate::workload::{DATABASE, INSERTS, ORDERS, Order};

#[derive(Clone)]
struct Official {
    client: Client,
    orders: Collection<Order>,
    inserts: Collection<Order>,
}

pub(super) async fn connect(uri: &str) -> anyhow::Result<impl Driver> {
    let client = Client::with_uri_str(uri).await?;
    let database = client.database(DATABASE);
    Ok(Official { orders: database.collection(ORDERS), inserts: database.collection(INSERTS), client })
}

impl Driver for Official {
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
        self.client.shutdown().await;
    }
}
