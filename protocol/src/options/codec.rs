//! How BSON values are turned into the values applications work with.

use std::str::FromStr;

/// Choices about conversions that BSON leaves open. Inherited from client to database to collection.
///
/// The driver applies [`utf8_policy`](Self::utf8_policy) to every document that it decodes. The others are carried, and
/// change nothing that it decodes yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodecOptions {
    /// Zone that conversion helpers give date times; none gives date times without a zone.
    pub time_zone: Option<UtcOffset>,
    /// What happens to date times that the application's type cannot hold.
    pub datetime_conversion: DatetimeConversion,
    /// How UUIDs are kept in BSON.
    pub uuid_representation: UuidRepresentation,
    /// What happens to strings that are not UTF-8.
    pub utf8_policy: Utf8Policy,
}

/// A zone: an offset from UTC in minutes, east positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self { minutes: 0 };

    /// An offset of less than a day; none if it is more.
    pub fn east(minutes: i16) -> Option<Self> {
        (minutes.unsigned_abs() < 24 * 60).then_some(Self { minutes })
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i16 {
        self.minutes
    }
}

/// What happens to a date time outside the range of the application's type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatetimeConversion {
    /// It is an error.
    #[default]
    Strict,
    /// It becomes the nearest date time in range.
    Clamp,
    /// Every date time stays a number of milliseconds.
    Millis,
    /// Only a date time out of range stays a number of milliseconds.
    Auto,
}

impl FromStr for DatetimeConversion {
    type Err = &'static str;

    /// Reads a name (any case, with or without its prefix `datetime_`) or a number from 1 to 4.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let name = text.to_ascii_lowercase();
        match name.strip_prefix("datetime_").unwrap_or(&name) {
            "datetime" | "strict" | "1" => Ok(Self::Strict),
            "clamp" | "2" => Ok(Self::Clamp),
            "ms" | "3" => Ok(Self::Millis),
            "auto" | "4" => Ok(Self::Auto),
            _ => Err("datetime, datetime_clamp, datetime_ms or datetime_auto"),
        }
    }
}

/// How UUIDs are kept in BSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UuidRepresentation {
    /// Native UUIDs are refused, binary values stay binary values.
    #[default]
    Unspecified,
    /// Subtype 4, network byte order.
    Standard,
    /// Subtype 3, network byte order.
    PythonLegacy,
    /// Subtype 3, each half reversed.
    JavaLegacy,
    /// Subtype 3, the first three fields little-endian.
    CSharpLegacy,
}

impl FromStr for UuidRepresentation {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "unspecified" => Ok(Self::Unspecified),
            "standard" => Ok(Self::Standard),
            "pythonLegacy" => Ok(Self::PythonLegacy),
            "javaLegacy" => Ok(Self::JavaLegacy),
            "csharpLegacy" => Ok(Self::CSharpLegacy),
            _ => Err("unspecified, standard, pythonLegacy, javaLegacy or csharpLegacy"),
        }
    }
}

/// What happens to a string that is not UTF-8. Error replies of servers are always read with `Replace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Utf8Policy {
    /// It is an error.
    #[default]
    Strict,
    /// Faulty bytes become U+FFFD.
    Replace,
    /// Faulty bytes are dropped.
    Ignore,
}

impl FromStr for Utf8Policy {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "strict" => Ok(Self::Strict),
            "replace" => Ok(Self::Replace),
            "ignore" => Ok(Self::Ignore),
            _ => Err("strict, replace or ignore"),
        }
    }
}
