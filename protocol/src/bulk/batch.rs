//! One command of a bulk write, and what all machines that make such commands have in common.

use bson::{Bson, RawDocument};

use super::client;
use crate::{
    codec::CodecOptions,
    command::{DocumentSequence, EncodeError, InvalidReply, Properties, Request, Splitter, WriteLimits},
    retry::Operation,
};

/// A bulk write: encodes writes, hands out commands, and takes account of the replies.
///
/// Commands may be sent while further ones are being filled, but their replies are to be recorded in the order the
/// commands were handed out.
pub trait Batches {
    /// Whether a reply has a cursor whose documents are each to be recorded by [`record_result`](Self::record_result).
    const RESULTS_BY_CURSOR: bool;

    /// A command that no further write fits into, if there is one.
    fn next_full(&mut self) -> Option<WriteBatch>;

    /// What is left after the last write. To be called until it returns none.
    fn rest(&mut self) -> Option<WriteBatch>;

    /// How many writes were encoded.
    fn total(&self) -> usize;

    /// Whether nothing was encoded.
    fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Bytes of the writes that were encoded and not handed out.
    fn buffered(&self) -> usize;

    /// From now on, the limits of a server that takes less.
    fn set_limits(&mut self, limits: WriteLimits);

    /// Whether it stops at the first write that fails.
    fn is_ordered(&self) -> bool;

    /// Takes account of the reply to a command; none when it was sent with w=0.
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not the reply of such a command.
    fn record(&mut self, items: Items, reply: Option<&RawDocument>) -> Result<(), InvalidReply>;

    /// Takes account of one document of the cursor of the reply that was recorded last.
    ///
    /// # Errors
    /// [`InvalidReply`] when it is not one.
    fn record_result(&mut self, result: &RawDocument) -> Result<(), InvalidReply>;

    /// Whether anything failed so far.
    fn has_failed(&self) -> bool;

    /// Whether the next command shall be sent: not after a failed write of an ordered bulk write.
    fn may_go_on(&self) -> bool;
}

/// A command that is ready to be sent.
#[derive(Clone, Debug)]
pub struct WriteBatch {
    /// The encoded command.
    pub request: Request,
    /// How it is executed.
    pub properties: Properties,
    /// The limits that it keeps.
    pub limits: WriteLimits,
    /// The writes that it makes.
    pub items: Items,
}

/// The writes of one command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    /// Where they stand in the caller's input.
    pub positions: Positions,
    /// What they are.
    pub content: Content,
}

/// What the writes of a command are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Content {
    /// Inserts alone, with the `_id` of each document.
    Inserts(Vec<Bson>),
    /// Updates and replacements alone.
    Updates,
    /// Deletes alone.
    Deletes,
    /// Of any kind.
    Mixed(Vec<WriteKind>),
    /// Of any kind, which nobody wants to know.
    #[default]
    Unnamed,
}

/// What one write is.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteKind {
    /// An insert of the document with this `_id`.
    Insert(Bson),
    /// An update or a replacement.
    Update,
    /// A delete.
    Delete,
}

impl Content {
    /// The writes from `at` on.
    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Inserts(ids) => Self::Inserts(ids.split_off(at.min(ids.len()))),
            Self::Mixed(kinds) => Self::Mixed(kinds.split_off(at.min(kinds.len()))),
            Self::Updates => Self::Updates,
            Self::Deletes => Self::Deletes,
            Self::Unnamed => Self::Unnamed,
        }
    }
}

/// Where the writes of a command stand in the caller's input, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub enum Positions {
    /// One after the other.
    Run {
        /// The position of the first.
        first: usize,
        /// How many there are.
        count: usize,
    },
    /// With others in between.
    Listed(Vec<usize>),
}

impl Default for Positions {
    fn default() -> Self {
        Self::Run { first: 0, count: 0 }
    }
}

impl Positions {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Run { count, .. } => *count,
            Self::Listed(positions) => positions.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The position of the write that is the `index`-th of its command. A server that counts wrong gets the last one.
    pub fn get(&self, index: usize) -> usize {
        match self {
            Self::Run { first, count } => first + index.min(count.saturating_sub(1)),
            Self::Listed(positions) => positions.get(index).or(positions.last()).copied().unwrap_or_default(),
        }
    }

    /// Adds one behind the others.
    pub(super) fn push(&mut self, position: usize) {
        match self {
            Self::Run { count: 0, .. } => *self = Self::Run { first: position, count: 1 },
            Self::Run { first, count } if *first + *count == position => *count += 1,
            Self::Run { first, count } => *self = Self::Listed((*first..*first + *count).chain([position]).collect()),
            Self::Listed(positions) => positions.push(position),
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Run { first, count } => {
                let at = at.min(*count);
                let rest = Self::Run { first: *first + at, count: *count - at };
                *count = at;
                rest
            }
            Self::Listed(positions) => Self::Listed(positions.split_off(at.min(positions.len()))),
        }
    }
}

impl Items {
    /// The first `count` writes, which are taken away.
    pub(super) fn take(&mut self, count: usize) -> Self {
        let rest = Self { positions: self.positions.split_off(count), content: self.content.split_off(count) };
        std::mem::replace(self, rest)
    }
}

impl WriteBatch {
    /// How many writes it makes.
    pub fn len(&self) -> usize {
        self.items.positions.len()
    }

    /// Whether it makes none, which never happens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same writes as `codec` has them sent, in as many commands as they need then.
    ///
    /// # Errors
    /// [`EncodeError::Conversion`] for one that cannot be converted, and [`EncodeError::DocumentTooLarge`] for one that
    /// became too large.
    pub fn converted(mut self, codec: &CodecOptions) -> Result<Vec<Self>, EncodeError> {
        if !codec.converts_what_is_sent() {
            return Ok(vec![self]);
        }
        codec.write_request(&mut self.request).map_err(|error| match error {
            EncodeError::Conversion { index: Some(index), .. } => at(error, self.items.positions.get(index)),
            error => error,
        })?;
        let limits = self.limits;
        self.split(limits)
    }

    /// The same writes in commands for a server with smaller limits.
    ///
    /// # Errors
    /// [`EncodeError::DocumentTooLarge`] for one that this server does not take.
    pub fn split(self, limits: WriteLimits) -> Result<Vec<Self>, EncodeError> {
        match self.request.sequences.as_slice() {
            [ops, namespaces] if ops.identifier == client::OPS => client::split(&self, ops, namespaces, limits),
            _ => self.split_sequence(limits),
        }
    }

    fn split_sequence(self, limits: WriteLimits) -> Result<Vec<Self>, EncodeError> {
        let Self { request, properties, mut items, .. } = self;
        let Request { name, database, body, sequences } = request;
        let mut batches = Vec::new();
        for sequence in &sequences {
            for part in split_again(limits, body.as_bytes().len(), sequence, &items.positions)? {
                let items = items.take(part.count);
                let (name, database, body) = (name.clone(), database.clone(), body.clone());
                let request = Request { name, database, body, sequences: vec![part] };
                batches.push(Self { request, properties: properties.clone(), limits, items });
            }
        }
        Ok(batches)
    }
}

/// Copies documents that are already encoded.
fn split_again(
    limits: WriteLimits,
    body_len: usize,
    sequence: &DocumentSequence,
    positions: &Positions,
) -> Result<Vec<DocumentSequence>, EncodeError> {
    let mut splitter = Splitter::new(limits, sequence.identifier, body_len);
    for (index, document) in sequence.iter().enumerate() {
        let Ok(document) = document else { break };
        let start = splitter.buffer().len();
        splitter.buffer().extend_from_slice(document.as_bytes());
        let size = match sequence.identifier {
            "documents" => document.as_bytes().len(),
            _ => statement_size(document.as_bytes().len(), limits),
        };
        splitter.close_document(start, size).map_err(|error| at(error, positions.get(index)))?;
    }
    Ok(splitter.finish())
}

/// Bytes that a statement around documents may have beyond the limit of one document, as servers allow.
const STATEMENT_OVERHEAD: usize = 16 * 1024;

/// What counts of a statement of `bytes` bytes against the limit of one document.
pub(super) fn statement_size(bytes: usize, limits: WriteLimits) -> usize {
    if bytes <= limits.max_bson_object_size + STATEMENT_OVERHEAD { 0 } else { bytes }
}

/// The error of the write at `position`.
pub(super) fn at(error: EncodeError, position: usize) -> EncodeError {
    match error {
        EncodeError::DocumentTooLarge { size, limit, .. } => {
            EncodeError::DocumentTooLarge { index: position, size, limit }
        }
        EncodeError::Conversion { source, .. } => EncodeError::Conversion { index: Some(position), source },
        EncodeError::InvalidDocument { source, .. } | EncodeError::Bson(source) => {
            EncodeError::InvalidDocument { index: position, source }
        }
        EncodeError::InvalidArgument { argument, reason } => {
            EncodeError::InvalidModel { index: position, argument, reason }
        }
        other => other,
    }
}

/// Makes `all` ask for what `one` asks for as well.
pub(super) fn require_all(all: &mut Properties, one: Properties) {
    for requirement in one.requirements {
        if !all.requirements.contains(&requirement) {
            all.requirements.push(requirement);
        }
    }
    if one.retry == Operation::PLAIN_WRITE {
        all.retry = Operation::PLAIN_WRITE;
    }
}
