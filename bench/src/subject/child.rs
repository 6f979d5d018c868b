//! The process of one subject, seen from both sides. It is asked for measurements on its standard input, one line of
//! JSON each, and answers on its standard output in the same way.

use std::{
    env,
    future::Future,
    io::{self, BufRead, BufReader, Lines, Write},
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::Context;
use clap::ValueEnum;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Driver, Subject};
use crate::{
    measurement::{Sample, measure},
    workload::Load,
};

/// A child process that runs a subject. It ends when this is dropped.
pub(crate) struct Child {
    process: process::Child,
    /// None once it has been told to end.
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts the subject and waits until it is ready.
    pub(crate) fn start(subject: Subject, uri: &str) -> anyhow::Result<Self> {
        let name = subject.to_possible_value().context("a subject without a name")?;
        let mut process = Command::new(env::current_exe()?)
            .args(["subject", name.get_name(), uri])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {subject}"))?;
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().context("a child without output")?).lines();
        let mut child = Self { process, requests, answers };
        child.next_line().with_context(|| format!("{subject} did not get ready"))?;
        Ok(child)
    }

    pub(crate) fn measure(&mut self, load: Load) -> anyhow::Result<Sample> {
        let requests = self.requests.as_mut().context("it was told to end")?;
        writeln!(requests, "{}", serde_json::to_string(&load)?)?;
        Ok(serde_json::from_str(&self.next_line()?)?)
    }

    fn next_line(&mut self) -> anyhow::Result<String> {
        self.answers.next().context("the child ended; see its error above")?.context("read from the child")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.process.wait();
    }
}

/// What the child does.
pub(super) fn serve<D: Driver>(
    subject: Subject,
    connect: impl Future<Output = anyhow::Result<D>>,
) -> anyhow::Result<()> {
    let home = subject.home();
    home.block_on(async {
        let driver = connect.await?;
        answer("ready")?;
        let mut requests = requests();
        while let Some(request) = requests.recv().await {
            let load = serde_json::from_str(&request?)?;
            answer(&serde_json::to_string(&measure(&driver, home, load).await?)?)?;
        }
        driver.close().await;
        Ok(())
    })
}

/// The lines of the standard input, read on a thread of their own: a blocked runtime would starve its driver's monitors.
fn requests() -> UnboundedReceiver<io::Result<String>> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || io::stdin().lines().try_for_each(|line| sender.send(line)));
    receiver
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
