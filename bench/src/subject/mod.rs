//! The drivers under measurement.

mod bare;
mod child;
mod official;
mod ours;

use std::{fmt, future::Future};

use clap::ValueEnum;
use mongo_actors::supervision::Placement;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Runtime, task::JoinHandle};

pub(crate) use self::child::Child;
use crate::{count::Work, measurement::allocations, workload::Order};

/// What is asked of a driver.
pub(crate) trait Driver: Clone + Send + Sync + 'static {
    /// Empties the collection that orders are inserted into.
    fn empty_inserts(&self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The order with this number.
    fn find_one(&self, number: i64) -> impl Future<Output = anyhow::Result<Option<Order>>> + Send;

    /// Inserts an order without an `_id`.
    fn insert_one(&self, order: &Order) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Ends the client.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Which runtime the callers of a driver are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Home {
    /// One actix arbiter, on one thread.
    Arbiter,
    /// The threads of a multi-threaded tokio runtime.
    Threads,
}

impl Home {
    pub(crate) fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self {
            Self::Arbiter => actix_rt::spawn(future),
            Self::Threads => tokio::spawn(future),
        }
    }

    /// Runs `future` on a runtime of its own.
    pub(crate) fn block_on<T>(self, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        match self {
            Self::Arbiter => actix_rt::System::new().block_on(future),
            Self::Threads => Runtime::new()?.block_on(future),
        }
    }
}

/// A driver on a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Subject {
    /// Sockets on an arbiter: what there is to pay without any driver.
    Bare,
    /// This driver, its actors on the arbiter of its callers.
    OursCurrent,
    /// The official driver on an arbiter.
    OfficialCurrent,
    /// This driver, its actors on a thread of their own, its callers on a multi-threaded runtime.
    OursDedicated,
    /// The official driver on a multi-threaded runtime.
    OfficialThreads,
}

impl Subject {
    /// Each is followed by the official one that it is compared with.
    pub(crate) const ALL: [Self; 5] =
        [Self::Bare, Self::OursCurrent, Self::OfficialCurrent, Self::OursDedicated, Self::OfficialThreads];

    pub(crate) fn home(self) -> Home {
        match self {
            Self::Bare | Self::OursCurrent | Self::OfficialCurrent => Home::Arbiter,
            Self::OursDedicated | Self::OfficialThreads => Home::Threads,
        }
    }

    /// What it is called in a comparison.
    pub(crate) fn side(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::OursCurrent | Self::OursDedicated => "ours",
            Self::OfficialCurrent | Self::OfficialThreads => "official",
        }
    }

    /// The official driver in the same place.
    pub(crate) fn rival(self) -> Option<Self> {
        match self {
            Self::Bare | Self::OursCurrent => Some(Self::OfficialCurrent),
            Self::OursDedicated => Some(Self::OfficialThreads),
            Self::OfficialCurrent | Self::OfficialThreads => None,
        }
    }

    /// Connects, and does as the standard input says until it ends.
    pub(crate) fn serve(self, uri: &str) -> anyhow::Result<()> {
        match self {
            Self::Bare => child::serve(self, bare::connect(uri)),
            Self::OursCurrent => child::serve(self, ours::connect(uri, Placement::Current)),
            Self::OursDedicated => child::serve(self, ours::connect(uri, Placement::Dedicated)),
            Self::OfficialCurrent | Self::OfficialThreads => child::serve(self, official::connect(uri)),
        }
    }

    /// Connects and does the work, on a task as callers have one; prints how many allocations that took, if they are
    /// counted.
    pub(crate) fn work(self, uri: &str, work: Work) -> anyhow::Result<()> {
        match self {
            Self::Bare => do_work(self.home(), bare::connect(uri), work),
            Self::OursCurrent => do_work(self.home(), ours::connect(uri, Placement::Current), work),
            Self::OursDedicated => do_work(self.home(), ours::connect(uri, Placement::Dedicated), work),
            Self::OfficialCurrent | Self::OfficialThreads => do_work(self.home(), official::connect(uri), work),
        }
    }
}

fn do_work<D: Driver>(
    home: Home,
    connect: impl Future<Output = anyhow::Result<D>>,
    Work { workload, operations }: Work,
) -> anyhow::Result<()> {
    home.block_on(async {
        let driver = connect.await?;
        let worker = driver.clone();
        home.spawn(async move { workload.repeat(&worker, operations).await }).await??;
        if let Some(allocations) = allocations() {
            println!("{allocations}");
        }
        driver.close().await;
        Ok(())
    })
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare sockets, arbiter",
            Self::OursCurrent => "ours, current arbiter",
            Self::OfficialCurrent => "official, arbiter",
            Self::OursDedicated => "ours, dedicated",
            Self::OfficialThreads => "official, threads",
        })
    }
}
