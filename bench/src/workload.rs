//! The work of one task, against any driver.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::ensure;
use clap::ValueEnum;
use mongo_actors::bson::{Document, oid::ObjectId, serialize_to_document};
use serde::{Deserialize, Serialize};

use crate::subject::Driver;

/// Where all subjects work, one after the other.
pub(crate) const DATABASE: &str = "mongo_actors_bench";
/// The collection whose orders are found.
pub(crate) const ORDERS: &str = "orders";
/// The collection that orders are inserted into.
pub(crate) const INSERTS: &str = "inserts";

/// How many documents there are to be found.
pub(crate) const DOCUMENTS: i64 = 10_000;

/// A document of an everyday size: about 250 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<OrderId>,
    customer: String,
    street: String,
    city: String,
    quantity: i32,
    price: f64,
    express: bool,
    note: Option<String>,
}

/// Numbers for the orders to be found, and what the driver makes up for those that are inserted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum OrderId {
    Number(i64),
    Generated(ObjectId),
}

impl Order {
    /// An order without an `_id`.
    pub(crate) fn new(number: i64) -> Self {
        Self {
            id: None,
            customer: format!("Customer {number:08}"),
            street: "1600 Amphitheatre Parkway, Building 40, Third Floor".into(),
            city: "Mountain View".into(),
            quantity: 12,
            price: 19.99,
            express: number % 2 == 0,
            note: Some("Leave it with the neighbours if nobody is at home, please".into()),
        }
    }

    /// The order with this number as its `_id`.
    pub(crate) fn numbered(number: i64) -> Self {
        Self { id: Some(OrderId::Number(number)), ..Self::new(number) }
    }

    pub(crate) fn to_document(&self) -> anyhow::Result<Document> {
        Ok(serialize_to_document(self)?)
    }
}

/// What a task does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Workload {
    /// Find one document by its `_id`.
    FindOne,
    /// Insert one document, whose `_id` the driver makes up.
    InsertOne,
}

impl Workload {
    pub(crate) const ALL: [Self; 2] = [Self::FindOne, Self::InsertOne];

    /// Works until `end`; returns how long each operation took.
    pub(crate) async fn run<D: Driver>(self, driver: D, task: usize, end: Instant) -> anyhow::Result<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(1 << 14);
        let order = Order::new(0);
        // Tasks walk through the documents at a stride that has no common factor with their number.
        let mut number = (i64::try_from(task)? * 1_237) % DOCUMENTS;
        let mut now = Instant::now();
        while now < end {
            self.operate(&driver, &order, &mut number).await?;
            let started = std::mem::replace(&mut now, Instant::now());
            latencies.push(now - started);
        }
        Ok(latencies)
    }

    /// Does so many operations, one after the other.
    pub(crate) async fn repeat<D: Driver>(self, driver: &D, operations: usize) -> anyhow::Result<()> {
        let (order, mut number) = (Order::new(0), 0);
        for _ in 0..operations {
            self.operate(driver, &order, &mut number).await?;
        }
        Ok(())
    }

    async fn operate<D: Driver>(self, driver: &D, order: &Order, number: &mut i64) -> anyhow::Result<()> {
        *number = (*number + 7_919) % DOCUMENTS;
        match self {
            Self::FindOne => ensure!(driver.find_one(*number).await?.is_some(), "order {number} was not found"),
            Self::InsertOne => driver.insert_one(order).await?,
        }
        Ok(())
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FindOne => "find one by _id",
            Self::InsertOne => "insert one",
        })
    }
}

/// What a subject is asked to do in one measurement.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) workload: Workload,
    pub(crate) tasks: usize,
    pub(crate) duration: Duration,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tasks {
            1 => write!(f, "{}, serial", self.workload),
            tasks => write!(f, "{}, {tasks} tasks", self.workload),
        }
    }
}
