//! Which command is answered how.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use bson::Document;

use super::{Received, Reply};

type Answer = Box<dyn FnMut(&Received) -> Reply + Send>;

/// Commands a server accepts without a script.
const ACCEPTED: &[&str] = &["ping", "endSessions", "killCursors", "commitTransaction", "abortTransaction"];

#[derive(Default)]
pub(super) struct Script {
    hello: Document,
    lines: HashMap<String, Line>,
}

/// All about one command.
#[derive(Default)]
struct Line {
    seen: u64,
    next: VecDeque<Reply>,
    nth: HashMap<u64, Reply>,
    always: Option<Answer>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("commands", &self.lines.keys()).finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn set_hello(&mut self, reply: Document) {
        self.hello = reply;
    }

    pub(super) fn always(&mut self, command: String, answer: Answer) {
        self.lines.entry(command).or_default().always = Some(answer);
    }

    pub(super) fn nth(&mut self, command: String, index: u64, reply: Reply) {
        self.lines.entry(command).or_default().nth.insert(index, reply);
    }

    pub(super) fn next(&mut self, command: String, reply: Reply) {
        self.lines.entry(command).or_default().next.push_back(reply);
    }

    /// The answer to `command`, which is counted.
    pub(super) fn answer(&mut self, command: &Received) -> Reply {
        let line = self.lines.entry(command.name.clone()).or_default();
        let index = line.seen;
        line.seen += 1;
        if let Some(reply) = line.nth.remove(&index).or_else(|| line.next.pop_front()) {
            return reply;
        }
        if let Some(answer) = &mut line.always {
            return answer(command);
        }
        match command.name.as_str() {
            "hello" | "isMaster" | "ismaster" => Reply::Document(self.hello.clone()),
            name if ACCEPTED.contains(&name) => Reply::ok(),
            name => Reply::error(59, "CommandNotFound", &format!("no such command: '{name}'")),
        }
    }
}
