//! What was learnt about certificates.

use std::collections::HashMap;

use rustls_pki_types::UnixTime;

use super::{Answer, CertId, Status};

/// Certificates that are remembered. A client meets a few servers, and they renew their certificates.
const CAPACITY: usize = 256;
/// For how many seconds nobody is asked again about a certificate that no responder had a conclusive answer for.
/// Otherwise each new connection would wait for a responder that is down.
const SILENCE: u64 = 60;

/// Conclusive answers for as long as they hold, and a short memory of questions without an answer.
#[derive(Clone, Debug, Default)]
pub struct AnswerCache {
    answers: HashMap<CertId, Answer>,
    /// When nobody had an answer, in seconds since 1970.
    silent: HashMap<CertId, u64>,
}

/// What the cache knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The certificate was not revoked.
    Good,
    /// The certificate was revoked.
    Revoked,
    /// Nobody had an answer a moment ago.
    Silence,
    /// Nothing.
    Nothing,
}

impl AnswerCache {
    /// What is known of a certificate.
    pub fn look_up(&self, id: &CertId, now: UnixTime) -> Known {
        match self.answers.get(id).filter(|answer| answer.holds_at(now)).map(|answer| answer.status) {
            Some(Status::Good) => return Known::Good,
            Some(Status::Revoked) => return Known::Revoked,
            Some(Status::Unknown) | None => {}
        }
        match self.silent.get(id) {
            // A clock that was set back must not make it last.
            Some(since) if (*since..since.saturating_add(SILENCE)).contains(&now.as_secs()) => Known::Silence,
            _ => Known::Nothing,
        }
    }

    /// Keeps a conclusive answer, unless the one that is kept holds for longer. A revocation is never overlooked.
    pub fn note(&mut self, id: CertId, answer: Answer, now: UnixTime) {
        if !answer.is_conclusive() {
            return;
        }
        self.silent.remove(&id);
        let kept = self.answers.get(&id).filter(|kept| kept.holds_at(now));
        let is_news = |kept: &Answer| {
            let revokes = (kept.status, answer.status) == (Status::Good, Status::Revoked);
            revokes || answer.holds_until() > kept.holds_until()
        };
        if kept.is_some_and(|kept| !is_news(kept)) {
            return;
        }
        if self.answers.len() >= CAPACITY && !self.answers.contains_key(&id) {
            self.make_room(now);
        }
        self.answers.insert(id, answer);
    }

    /// Remembers that nobody had an answer.
    pub fn note_silence(&mut self, id: CertId, now: UnixTime) {
        if self.silent.len() >= CAPACITY {
            self.silent.clear();
        }
        self.silent.insert(id, now.as_secs());
    }

    fn make_room(&mut self, now: UnixTime) {
        self.answers.retain(|_, answer| answer.holds_at(now));
        let first = self.answers.iter().min_by_key(|(_, answer)| answer.holds_until()).map(|(id, _)| id.clone());
        if let Some(first) = first.filter(|_| self.answers.len() >= CAPACITY) {
            self.answers.remove(&first);
        }
    }
}
