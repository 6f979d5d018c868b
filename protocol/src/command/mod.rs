//! Commands: how each is encoded, and what its reply says.
//!
//! One file per command holds both directions. An operation is a struct that borrows its arguments and implements
//! [`Command`]: [`Command::request`] encodes it once, [`Command::properties`] says how it is executed. Its reply is
//! decoded by an associated function `decode`, or by one of the readers that several commands share:
//! [`CursorReply`] and [`WriteReply`].
//!
//! In every option struct, an option that is none is not sent, so that the server's default applies. `Duration`s are
//! sent in the unit of the command, which each option names. `read_concern`, `write_concern`, `selection_criteria` and
//! `max_time` are no part of a body: whoever executes the operation resolves them, and the connection appends them.

mod encode;
mod invalid_reply;
mod numbers;
mod properties;

mod collation;
mod hint;
mod namespace;

mod aggregate;
mod count;
mod cursor_reply;
mod distinct;
mod find;
mod get_more;
mod kill_cursors;

pub mod reply;
pub mod request;

pub use self::{
    aggregate::{Aggregate, AggregateOptions, AggregateTarget, is_writing_pipeline},
    collation::{Collation, CollationAlternate, CollationCaseFirst, CollationMaxVariable, CollationStrength},
    count::{CountDocuments, CountOptions, EstimatedDocumentCount, EstimatedDocumentCountOptions},
    cursor_reply::{Batch, CursorReply},
    distinct::{Distinct, DistinctOptions},
    encode::EncodeError,
    find::{CursorType, Find, FindOneOptions, FindOptions},
    get_more::GetMore,
    hint::Hint,
    invalid_reply::InvalidReply,
    kill_cursors::KillCursors,
    namespace::{InvalidName, Namespace, validate_collection_name, validate_database_name},
    properties::{Command, Criteria, Properties, ReadConcernUse, Requirement, Retryability, Unsupported},
};
pub use reply::{Envelope, ReplyError};
pub use request::Request;
