//! Writes that may need several commands: one command is encoded while the one before is on its way.

use std::{collections::VecDeque, pin::pin, task::Poll};

use bson::RawDocument;
use futures_util::poll;
use mongo_actors_engine::Limits;
use mongo_actors_protocol::{
    bulk::{Batches, Items, WriteBatch},
    command::{EncodeError, WriteLimits},
    concern::WriteConcern,
    options::CodecOptions,
    retry::Budget,
};

use super::insert_one::write_limits;
use crate::{
    cursor::{Core, Terms},
    error::{Error, Result},
    executor::{Call, Ended, Executed, Prepared},
};

/// The machine is given the writes in portions of so many bytes, between which others have their turn on the thread.
const PORTION: usize = 256 * 1024;

/// How a write of several commands ended.
pub(super) struct Finished<M> {
    /// With the account of what was done.
    pub(super) machine: M,
    /// The command whose reply first reported a failure.
    pub(super) failed: Option<Executed>,
    /// What ended it before all writes were tried.
    pub(super) interruption: Option<Error>,
}

/// Feeds all of `input` to the machine by `push`, and executes the commands that it makes, one after the other.
pub(super) async fn run<M, I, P>(call: Call<'_>, machine: M, mut input: I, push: P) -> Finished<M>
where
    M: Batches + Send,
    I: Iterator + Send,
    P: Fn(&mut M, I::Item) -> Result<(), EncodeError> + Send,
{
    let acknowledged = call.is_acknowledged();
    let budget = match call.budget() {
        Ok(budget) => budget,
        Err(error) => return Finished { machine, failed: None, interruption: Some(error) },
    };
    let whole = call.whole();
    let mut run = Run { budget, call, machine, push, waiting: VecDeque::new(), operation_id: None, failed: None };
    let done = match acknowledged || !run.machine.is_ordered() {
        true => run.overlapping(&mut input).await,
        false => run.in_turn(&mut input).await,
    };
    whole.has_ended();
    Finished { machine: run.machine, failed: run.failed, interruption: done.err() }
}

/// Adds to an error that a reply reports where it comes from.
pub(super) fn explain(error: Error, failed: Option<Executed>) -> Error {
    match failed {
        Some(executed) => executed.explain(error),
        None => error,
    }
}

/// The limits that the servers known so far have in common.
pub(super) fn known_limits(call: &Call<'_>) -> WriteLimits {
    write_limits(call.client().engine().limits())
}

/// A write of several commands on its way.
struct Run<'c, M, P> {
    call: Call<'c>,
    budget: Budget,
    machine: M,
    push: P,
    /// Commands that were split for a smaller server, and those behind them.
    waiting: VecDeque<WriteBatch>,
    /// The same for all commands.
    operation_id: Option<i64>,
    failed: Option<Executed>,
}

impl<M: Batches + Send, P> Run<'_, M, P> {
    /// The next command is encoded while one is on its way.
    async fn overlapping<I>(&mut self, input: &mut I) -> Result<()>
    where
        I: Iterator + Send,
        P: Fn(&mut M, I::Item) -> Result<(), EncodeError> + Send,
    {
        let mut next = self.fill(input).await?;
        while let Some(batch) = next {
            let (prepared, sent) = self.prepare(batch, self.call)?;
            let mut running = pin!(self.call.client().run(prepared));
            let early = poll!(running.as_mut());
            let following = self.fill(input).await;
            let ended = match early {
                Poll::Ready(ended) => ended,
                Poll::Pending => running.await,
            };
            let parts = self.account(sent, ended).await?;
            if !self.machine.may_go_on() {
                return Ok(());
            }
            if let Some(following) = following? {
                self.waiting.insert(parts, following);
            }
            next = self.waiting.pop_front();
        }
        Ok(())
    }

    /// In order, and without acknowledgement: all commands but the last are acknowledged nevertheless, so that none
    /// overtakes another on its own connection, and none follows one that failed.
    async fn in_turn<I>(&mut self, input: &mut I) -> Result<()>
    where
        I: Iterator + Send,
        P: Fn(&mut M, I::Item) -> Result<(), EncodeError> + Send,
    {
        let confirmed = WriteConcern::default();
        let mut next = self.fill(input).await?;
        while let Some(batch) = next {
            batch.properties.check(i32::MAX, false).map_err(Error::unsupported)?;
            let following = self.fill(input).await?;
            let call = match following.is_some() {
                true => self.call.write_concern(Some(&confirmed)),
                false => self.call,
            };
            let (prepared, sent) = self.prepare(batch, call)?;
            let ended = self.call.client().run(prepared).await;
            let parts = self.account(sent, ended).await?;
            if !self.machine.may_go_on() {
                return Ok(());
            }
            if let Some(following) = following {
                self.waiting.insert(parts, following);
            }
            next = self.waiting.pop_front();
        }
        Ok(())
    }

    /// The next command: the writes that fit into it are encoded now.
    async fn fill<I>(&mut self, input: &mut I) -> Result<Option<WriteBatch>>
    where
        I: Iterator + Send,
        P: Fn(&mut M, I::Item) -> Result<(), EncodeError> + Send,
    {
        let mut portion = 0;
        loop {
            if let Some(batch) = self.waiting.pop_front() {
                return Ok(Some(batch));
            }
            if let Some(batch) = self.machine.next_full() {
                self.convert(batch)?;
                continue;
            }
            let Some(item) = input.next() else {
                let Some(batch) = self.machine.rest() else { return Ok(None) };
                self.convert(batch)?;
                continue;
            };
            (self.push)(&mut self.machine, item)?;
            let buffered = self.machine.buffered();
            if buffered >= portion + PORTION {
                portion = buffered;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Has a command wait as the codec options have it sent, which may make several of it.
    fn convert(&mut self, batch: WriteBatch) -> Result<()> {
        self.waiting.extend(batch.converted(&self.call.settings().codec_options)?);
        Ok(())
    }

    fn prepare(&mut self, batch: WriteBatch, call: Call<'_>) -> Result<(Prepared, Sent)> {
        let WriteBatch { request, properties, limits, items } = batch;
        let sent = Sent { items, properties: properties.clone() };
        let mut prepared = call.verbatim().prepare_within(request, properties, self.budget)?;
        prepared.operation.limits = Some(engine_limits(limits));
        prepared.operation.operation_id = *self.operation_id.get_or_insert(prepared.operation.operation_id);
        Ok((prepared, sent))
    }

    /// Takes account of what became of a command. Returns into how many it was split, all of which wait now.
    async fn account(&mut self, sent: Sent, ended: Result<Ended>) -> Result<usize> {
        match ended? {
            Ended::Done(executed) => self.record(sent.items, executed).await.map(|()| 0),
            Ended::TooLarge { prepared, limits } => self.split(*prepared, sent, write_limits(limits)),
        }
    }

    async fn record(&mut self, items: Items, mut executed: Executed) -> Result<()> {
        let reply = executed.body.as_ref().map(|body| body.as_document());
        if let Err(error) = self.machine.record(items, reply) {
            return Err(executed.explain(error.into()));
        }
        if M::RESULTS_BY_CURSOR && executed.body.is_some() {
            self.drain(&mut executed).await?;
        }
        if self.machine.has_failed() {
            self.failed.get_or_insert(executed);
        }
        Ok(())
    }

    /// Reads the results that the server has, before anything else is sent. A cursor that is left is closed.
    async fn drain(&mut self, executed: &mut Executed) -> Result<()> {
        let (budget, session) = (self.budget, self.call.session_mark());
        let operation_id = self.operation_id.unwrap_or_default();
        let terms = Terms { budget, session, operation_id, ..Terms::default() };
        let mut cursor = Core::opened_by(self.call.client(), &CodecOptions::default(), terms, executed)?;
        while let Some(result) = cursor.next().await? {
            self.machine.record_result(RawDocument::from_bytes(&result).map_err(Error::invalid_reply)?)?;
        }
        Ok(())
    }

    /// The server takes less than the one that the command was encoded for.
    fn split(&mut self, prepared: Prepared, sent: Sent, limits: WriteLimits) -> Result<usize> {
        self.machine.set_limits(limits);
        let Sent { items, properties } = sent;
        let parts = WriteBatch { request: prepared.operation.request, properties, limits, items }.split(limits)?;
        let count = parts.len();
        parts.into_iter().rev().for_each(|part| self.waiting.push_front(part));
        Ok(count)
    }
}

/// What stays here of a command that is on its way.
struct Sent {
    items: Items,
    properties: mongo_actors_protocol::command::Properties,
}

fn engine_limits(limits: WriteLimits) -> Limits {
    Limits {
        max_bson_object_size: limits.max_bson_object_size,
        max_message_size: limits.max_message_size_bytes,
        max_write_batch_size: limits.max_write_batch_size,
    }
}
