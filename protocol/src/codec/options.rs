//! The options together.

use time::UtcOffset;

use super::{DatetimeConversion, TypeRegistry, Utf8Policy, UuidRepresentation};

/// Choices about conversions that BSON leaves open. Inherited from client to database to collection, and replaced as a
/// whole by the options of any of them.
///
/// They hold for what is sent (documents, filters, updates, pipelines) and for the documents, values and change events
/// that are read. They do not hold for commands that the application writes itself, nor for raw batches, which stay the
/// bytes that they are. Which type a document is read as is no option: it is the type parameter of a collection or
/// cursor.
///
/// ```
/// use mongo_actors_protocol::codec::{CodecOptions, UuidRepresentation};
///
/// let options = CodecOptions::new().uuid_representation(UuidRepresentation::JavaLegacy);
/// assert_eq!(options.time_zone, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodecOptions {
    /// Zone of the date times that [`convert_datetime`](Self::convert_datetime) makes (`tz_aware`, `tzinfo`); none makes
    /// date times without a zone. A BSON date time has no zone itself: it is a moment. Default: none.
    pub time_zone: Option<UtcOffset>,
    /// What happens to date times before the year 1 and after the year 9999 (`datetime_conversion`).
    pub datetime_conversion: DatetimeConversion,
    /// How UUIDs are kept in BSON (`uuidRepresentation`).
    pub uuid_representation: UuidRepresentation,
    /// Conversions of the application's own.
    pub type_registry: TypeRegistry,
    /// What happens to strings that are not UTF-8 (`unicode_decode_error_handler`).
    pub utf8_policy: Utf8Policy,
}

impl CodecOptions {
    /// What holds unless something else is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Zone of the date times that [`convert_datetime`](Self::convert_datetime) makes: a fixed distance from UTC.
    #[must_use]
    pub fn time_zone(mut self, zone: impl Into<Option<UtcOffset>>) -> Self {
        self.time_zone = zone.into();
        self
    }

    /// What happens to date times before the year 1 and after the year 9999.
    #[must_use]
    pub fn datetime_conversion(mut self, conversion: DatetimeConversion) -> Self {
        self.datetime_conversion = conversion;
        self
    }

    /// How UUIDs are kept in BSON.
    #[must_use]
    pub fn uuid_representation(mut self, representation: UuidRepresentation) -> Self {
        self.uuid_representation = representation;
        self
    }

    /// Conversions of the application's own.
    #[must_use]
    pub fn type_registry(mut self, registry: TypeRegistry) -> Self {
        self.type_registry = registry;
        self
    }

    /// What happens to strings that are not UTF-8.
    #[must_use]
    pub fn utf8_policy(mut self, policy: Utf8Policy) -> Self {
        self.utf8_policy = policy;
        self
    }
}
