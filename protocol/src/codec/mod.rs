//! How BSON values become the values that applications work with, and back.
//!
//! [`CodecOptions`] say it. serde does most of it: a document is read as whatever type the application asks for. What is
//! left are choices that a type cannot make by itself, because they belong to the data of a collection: how UUIDs are
//! kept, what becomes of date times beyond the calendar, of texts that are not UTF-8, and of types that the application
//! keeps in another form. They are applied to encoded documents, before the first and behind the last byte that serde
//! sees, in one pass each (`rewrite`), and only if an option asks for it.

mod datetime;
mod documents;
mod error;
mod options;
mod registry;
mod request;
mod rewrite;
#[cfg(test)]
mod tests;
mod utf8;
mod uuid;

pub use self::{
    datetime::{ConvertedDateTime, DateTimeOutOfRange, DatetimeConversion},
    error::ConversionError,
    options::CodecOptions,
    registry::{TypeRegistry, ValueError},
    utf8::{Utf8Policy, purged},
    uuid::{UuidError, UuidRepresentation},
};
/// Dates with a calendar.
pub use time;
