//! The connections of a simulated member.

use std::{io, time::Duration};

use mongo_actors::bson::{Document, doc};
use mongo_actors_testkit::framing::{MORE_TO_COME, Message, OP_QUERY, op_msg, op_reply, read_frame};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};
use turmoil::net::{TcpListener, TcpStream};

use super::{
    answer::{Answer, Wait, error, with_concern_error},
    set::{PORT, SharedSet},
};

/// The client takes several replies to one request.
const EXHAUST_ALLOWED: u32 = 1 << 16;
/// How often a member looks at what the others say.
const ROUND: Duration = Duration::from_millis(5);
/// How long a reader waits for a cluster time, unless it says otherwise.
const LONG: Duration = Duration::from_secs(30);

/// What runs on the host of a member.
pub(crate) async fn run(set: SharedSet, id: usize) -> turmoil::Result {
    set.borrow_mut().boot(id);
    let rounds = set.clone();
    tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(ROUND).await;
            rounds.borrow_mut().beat(id);
        }
    });
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let set = set.clone();
        // One that breaks is its client's business.
        tokio::task::spawn_local(async move { drop(serve(&set, id, stream).await) });
    }
}

struct Connection<'a> {
    set: &'a SharedSet,
    id: usize,
    number: i64,
    stream: TcpStream,
    sent: i32,
}

async fn serve(set: &SharedSet, id: usize, stream: TcpStream) -> io::Result<()> {
    let number = {
        let mut set = set.borrow_mut();
        set.next_connection += 1;
        set.next_connection
    };
    let mut connection = Connection { set, id, number, stream, sent: 0 };
    while let Some(frame) = read_frame(&mut connection.stream).await? {
        let message = Message::parse(&frame)?;
        match message.command_name() {
            "hello" | "ismaster" | "isMaster" => connection.hello(&message).await?,
            _ => connection.command(&message).await?,
        }
    }
    Ok(())
}

impl Connection<'_> {
    /// Answers at once, or when the topology version is another than the client knows; over and over if it wants that.
    async fn hello(&mut self, message: &Message) -> io::Result<()> {
        let patience =
            message.body.get_i64("maxAwaitTimeMS").or_else(|_| message.body.get_i32("maxAwaitTimeMS").map(i64::from));
        let patience = Duration::from_millis(patience.ok().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0));
        let mut known = message.body.get_document("topologyVersion").ok().cloned();
        let streams = known.is_some() && message.flags & EXHAUST_ALLOWED != 0;
        let mut response_to = message.header.request_id;
        loop {
            if let Some(known) = &known {
                let until = Instant::now() + patience;
                while self.set.borrow().topology_version(self.id) == *known && self.changed(until).await {}
            }
            let mut hello = self.set.borrow().hello(self.id);
            hello.insert("connectionId", self.number);
            let reply = self.set.borrow().dated(self.id, hello);
            known = reply.get_document("topologyVersion").ok().cloned();
            let flags = if streams { MORE_TO_COME } else { 0 };
            response_to = self.send(message, response_to, flags, &reply).await?;
            if !streams {
                return Ok(());
            }
        }
    }

    /// Waits for something to change at this member; false when the time is up.
    async fn changed(&self, until: Instant) -> bool {
        let changed = self.set.borrow().members[self.id].changed.clone();
        timeout_at(until, changed.notified()).await.is_ok()
    }

    async fn command(&mut self, message: &Message) -> io::Result<()> {
        let reply = self.reply_to(&message.body).await;
        if message.flags & MORE_TO_COME != 0 {
            return Ok(());
        }
        let reply = self.set.borrow().dated(self.id, reply);
        self.send(message, message.header.request_id, 0, &reply).await.map(drop)
    }

    async fn reply_to(&mut self, command: &Document) -> Document {
        let limit = command.get_i64("maxTimeMS").or_else(|_| command.get_i32("maxTimeMS").map(i64::from));
        let limit = limit.ok().and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let until = Instant::now() + limit.unwrap_or(LONG);
        loop {
            let answer = self.set.borrow_mut().answer(self.id, command);
            match answer {
                Answer::Now(reply) => return reply,
                Answer::WhenCommitted { reply, wait, is_retryable } => {
                    return self.when_committed(reply, &wait, is_retryable, limit.map(|_| until)).await;
                }
                Answer::WhenChanged { cursor, within } => return self.when_changed(cursor, command, within).await,
                Answer::WhenReached { time, majority } => {
                    while !self.set.borrow().has_reached(self.id, time, majority) {
                        if !self.changed(until).await {
                            return late();
                        }
                    }
                }
                Answer::WhenFree => {
                    if !self.changed(until).await {
                        return late();
                    }
                }
            }
        }
    }

    async fn when_committed(
        &mut self,
        reply: Document,
        wait: &Wait,
        is_retryable: bool,
        until: Option<Instant>,
    ) -> Document {
        loop {
            let committed = self.set.borrow().is_committed(self.id, wait);
            match committed {
                Some(true) => return reply,
                Some(false) => {}
                None => return self.set.borrow_mut().interrupted(self.id, reply, is_retryable),
            }
            if !self.changed(until.unwrap_or_else(|| Instant::now() + LONG)).await && until.is_some() {
                let late =
                    doc! { "code": 50, "codeName": "MaxTimeMSExpired", "errmsg": "operation exceeded time limit" };
                return with_concern_error(reply, late);
            }
        }
    }

    async fn when_changed(&mut self, cursor: i64, command: &Document, within: Duration) -> Document {
        let until = Instant::now() + within;
        let size =
            command.get_i32("batchSize").ok().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        loop {
            let in_time = self.changed(until).await;
            let more = self.set.borrow_mut().more(self.id, cursor, size.unwrap_or(usize::MAX));
            match more {
                Some((reply, count)) if count > 0 => return reply,
                Some(_) if in_time => {}
                Some(_) => {
                    let nothing = self.set.borrow().nothing_new(self.id, cursor);
                    return nothing.unwrap_or_else(|| error(43, "CursorNotFound", "the cursor is gone"));
                }
                None => return error(43, "CursorNotFound", "the cursor is gone"),
            }
        }
    }

    /// Sends a reply and returns its number.
    async fn send(&mut self, to: &Message, response_to: i32, flags: u32, reply: &Document) -> io::Result<i32> {
        self.sent += 1;
        let bytes = match to.header.op_code {
            OP_QUERY => op_reply(self.sent, response_to, reply)?,
            _ => op_msg(self.sent, response_to, flags, reply)?,
        };
        self.stream.write_all(&bytes).await?;
        Ok(self.sent)
    }
}

fn late() -> Document {
    error(50, "MaxTimeMSExpired", "operation exceeded time limit")
}
