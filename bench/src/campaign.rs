//! Servers, children and rounds.

use anyhow::Context;
use mongo_actors::Client;
use mongo_actors_testkit::{InstantStub, ReplicaSet, Role};
use tokio::runtime::Runtime;

use crate::{
    measurement::Sample,
    report::Report,
    subject::{Child, Subject},
    workload::{DATABASE, DOCUMENTS, Load, ORDERS, Order},
};

/// What is measured, and how often.
pub(crate) struct Campaign {
    pub(crate) loads: Vec<Load>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) rounds: usize,
    pub(crate) target: Target,
}

/// What the drivers talk to.
pub(crate) enum Target {
    /// A replica set of one member that is started for this run.
    Server,
    /// A stub that answers at once, in the process of the campaign.
    Stub,
    Uri(String),
}

/// What was measured of one subject under one load, in the order of the rounds.
pub(crate) struct Series {
    pub(crate) load: Load,
    pub(crate) subject: Subject,
    pub(crate) samples: Vec<Sample>,
}

/// A target that runs; it ends when this is dropped.
enum Running {
    Server(Box<ReplicaSet>),
    Stub(InstantStub),
    Elsewhere(String),
}

impl Target {
    async fn start(self) -> anyhow::Result<Running> {
        Ok(match self {
            Self::Server => Running::Server(Box::new(ReplicaSet::start(1).await?)),
            Self::Stub => {
                let role = Role::Primary("rs".into());
                Running::Stub(InstantStub::start(role, Order::numbered(0).to_document()?)?)
            }
            Self::Uri(uri) => Running::Elsewhere(uri),
        })
    }
}

impl Running {
    fn uri(&self) -> String {
        match self {
            Self::Server(set) => set.uri(),
            Self::Stub(stub) => format!("{}?replicaSet=rs", stub.uri()),
            Self::Elsewhere(uri) => uri.clone(),
        }
    }

    /// Inserts the orders that are to be found. A stub finds one anyway.
    async fn fill(&self) -> anyhow::Result<()> {
        if matches!(self, Self::Stub(_)) {
            return Ok(());
        }
        let client = Client::with_uri_str(self.uri()).await?;
        let orders = client.database(DATABASE).collection(ORDERS);
        orders.drop().await?;
        orders.insert_many((0..DOCUMENTS).map(Order::numbered)).await?;
        client.close().await;
        Ok(())
    }

    fn description(&self) -> String {
        match self {
            Self::Server(_) => "mongod, a replica set of one member, over loopback".into(),
            Self::Stub(_) => "a stub that answers at once, over loopback".into(),
            // A connection string may hold a password.
            Self::Elsewhere(_) => "the server that was named".into(),
        }
    }
}

impl Campaign {
    /// Runs every round and reports.
    pub(crate) fn run(self) -> anyhow::Result<Report> {
        let runtime = Runtime::new()?;
        let running = runtime.block_on(self.target.start()).context("start what to measure against")?;
        runtime.block_on(running.fill()).context("fill the collection")?;
        let children = self.subjects.iter().map(|subject| Child::start(*subject, &running.uri()));
        let mut children = children.collect::<anyhow::Result<Vec<_>>>()?;
        let mut series = Vec::new();
        for load in self.loads {
            let mut samples = vec![Vec::with_capacity(self.rounds); children.len()];
            for round in 0..self.rounds {
                eprintln!("{load}: round {} of {}", round + 1, self.rounds);
                // Nobody is always the first.
                for turn in 0..children.len() {
                    let index = (turn + round) % children.len();
                    let sample = children[index].measure(load);
                    samples[index].push(sample.with_context(|| format!("{}, {load}", self.subjects[index]))?);
                }
            }
            let measured = self.subjects.iter().zip(samples);
            series.extend(measured.map(|(subject, samples)| Series { load, subject: *subject, samples }));
        }
        Ok(Report { target: running.description(), rounds: self.rounds, series })
    }
}
