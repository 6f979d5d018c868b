//! What a proxy knows of one connection from the messages on it.

use std::collections::HashMap;

use super::{
    Shared,
    disguise::{Disguise, Disguised, Traits, is_hello},
    faults::{Break, Ending, Point, Scope},
};
use crate::wire::message::{HEADER, Header, MORE_TO_COME, Message, OP_MSG, OP_REPLY, int32, op_msg, op_reply};

/// Something to do for one direction, after all that came before it.
#[derive(Debug)]
pub(super) enum Item {
    Bytes(Vec<u8>),
    /// The sender has closed its half.
    Eof,
    /// End the connection.
    End(Ending),
}

/// A request whose reply is due.
#[derive(Debug)]
struct Pending {
    command: String,
    traits: Traits,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    disguise: Disguise,
    /// Whether another member is the client; unknown before the first message.
    from_member: Option<bool>,
    pending: HashMap<i32, Pending>,
    /// What the server goes on answering by itself. Some servers let each reply answer the one before, others the
    /// request.
    streamed: Option<Pending>,
}

impl Link {
    pub(super) fn new(disguise: Disguise) -> Self {
        Self { disguise, from_member: None, pending: HashMap::new(), streamed: None }
    }

    /// Whether faults concern this connection.
    pub(super) fn suffers(&self, scope: Scope) -> bool {
        scope == Scope::Everyone || self.from_member != Some(true)
    }

    /// Decides what becomes of a message, or other bytes, from the client.
    pub(super) fn request(&mut self, shared: &Shared, frame: Vec<u8>) -> Vec<Item> {
        let is_first = self.from_member.is_none();
        if is_first {
            self.from_member = Some(comes_from_member(&frame));
        }
        let scope = shared.faults.borrow().scope;
        if is_first && shared.faults.borrow().reset_new && self.suffers(scope) {
            return vec![Item::End(Ending::Reset)];
        }
        let Some((header, command)) = command_name(&frame) else { return vec![Item::Bytes(frame)] };
        let fault = if self.suffers(scope) { shared.meet(&command, Point::is_in_request) } else { None };
        if let Some(fault) = fault {
            let sent = match fault.point {
                Point::WithinRequest(bytes) => bytes,
                _ => 0,
            };
            return partly(frame, sent, fault.ending);
        }
        let wants_reply = expects_reply(&frame);
        let (frame, traits) = self.for_router(&command, frame);
        if wants_reply {
            self.pending.insert(header.request_id, Pending { command, traits });
        }
        vec![Item::Bytes(frame)]
    }

    /// Decides what becomes of a message, or other bytes, from the server.
    pub(super) fn reply(&mut self, shared: &Shared, frame: Vec<u8>) -> Vec<Item> {
        let Some(header) = Header::read(&frame).filter(Header::is_plausible) else { return vec![Item::Bytes(frame)] };
        let pending = self.pending.remove(&header.response_to).or_else(|| self.streamed.take());
        let Some(pending) = pending else { return vec![Item::Bytes(frame)] };
        let frame = match self.disguised(pending.traits, &frame) {
            Ok(Some(changed)) => changed,
            Ok(None) => frame,
            Err(ending) => return vec![Item::End(ending)],
        };
        let scope = shared.faults.borrow().scope;
        let in_reply = |point: Point| !point.is_in_request();
        let fault = if self.suffers(scope) { shared.meet(&pending.command, in_reply) } else { None };
        if let Some(fault) = fault {
            let sent = match fault.point {
                Point::WithinReply(bytes) => bytes,
                Point::AfterReply => frame.len(),
                _ => 0,
            };
            return partly(frame, sent, fault.ending);
        }
        if header.op_code == OP_MSG && flags(&frame) & MORE_TO_COME != 0 {
            self.streamed = Some(pending);
        }
        vec![Item::Bytes(frame)]
    }

    /// The request to forward where a router is pretended, and what the reply will depend on.
    fn for_router(&self, command: &str, frame: Vec<u8>) -> (Vec<u8>, Traits) {
        if self.disguise == Disguise::None {
            return (frame, Traits { hello: is_hello(command), ..Traits::default() });
        }
        let Ok(message) = Message::parse(&frame) else { return (frame, Traits::default()) };
        let traits = Traits::of(command, &message.body);
        let changed = self.disguise.apply_to_request(&message.body);
        let encoded = changed.and_then(|body| op_msg(message.header.request_id, 0, 0, &body).ok());
        (encoded.unwrap_or(frame), traits)
    }

    fn disguised(&self, traits: Traits, frame: &[u8]) -> Result<Option<Vec<u8>>, Ending> {
        if self.disguise == Disguise::None || !(traits.hello || traits.in_transaction) {
            return Ok(None);
        }
        let Ok(message) = Message::parse(frame) else { return Ok(None) };
        let header = message.header;
        match self.disguise.apply(traits, &message.body) {
            Disguised::Unchanged => Ok(None),
            Disguised::Exposed => Err(Ending::Reset),
            Disguised::Changed(body) if header.op_code == OP_REPLY => {
                op_reply(header.request_id, header.response_to, &body).map(Some).map_err(|_| Ending::Reset)
            }
            Disguised::Changed(body) => {
                let flags = message.flags & MORE_TO_COME;
                op_msg(header.request_id, header.response_to, flags, &body).map(Some).map_err(|_| Ending::Reset)
            }
        }
    }
}

impl Shared {
    /// The break that this command meets, if any, at the points of interest.
    fn meet(&self, command: &str, of_interest: impl Fn(Point) -> bool) -> Option<Break> {
        let mut armed = self.armed();
        let fault = armed
            .iter_mut()
            .find_map(|armed| (of_interest(armed.fault.point) && armed.meets(command)).then(|| armed.fault.clone()))?;
        drop(armed);
        self.fired.send_modify(|count| *count += 1);
        Some(fault)
    }
}

fn partly(mut frame: Vec<u8>, bytes: usize, ending: Ending) -> Vec<Item> {
    frame.truncate(bytes);
    vec![Item::Bytes(frame), Item::End(ending)]
}

fn flags(frame: &[u8]) -> u32 {
    int32(frame, HEADER).unwrap_or(0).cast_unsigned()
}

fn expects_reply(frame: &[u8]) -> bool {
    Header::read(frame).is_some_and(|header| header.op_code != OP_MSG || flags(frame) & MORE_TO_COME == 0)
}

/// The header and the command's name, if `frame` is a message with a command.
fn command_name(frame: &[u8]) -> Option<(Header, String)> {
    let header = Header::read(frame).filter(Header::is_plausible)?;
    if header.op_code == OP_MSG && frame.get(20) == Some(&0) {
        // The first key of the document, found without reading all of it.
        let key = frame.get(26..)?;
        let end = key.iter().position(|byte| *byte == 0)?;
        return Some((header, String::from_utf8_lossy(&key[..end]).into_owned()));
    }
    let message = Message::parse(frame).ok()?;
    Some((header, message.command_name().to_owned()))
}

/// Servers introduce themselves to each other as such.
fn comes_from_member(frame: &[u8]) -> bool {
    let Ok(message) = Message::parse(frame) else { return false };
    let driver = message.body.get_document("client").and_then(|client| client.get_document("driver"));
    let name = driver.ok().and_then(|driver| driver.get_str("name").ok()).unwrap_or_default();
    message.body.contains_key("internalClient")
        || name.starts_with("NetworkInterfaceTL")
        || name.starts_with("MongoDB Internal Client")
}
