//! Date times, with and without a zone, and those beyond the calendar.

use std::str::FromStr;

use bson::DateTime;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{CodecOptions, ConversionError, rewrite::Rule};

/// What happens to a date time before the year 1 or after the year 9999, the years that RFC 3339 and the usual date
/// types can hold.
///
/// A [`bson::DateTime`] holds them all, and needs no policy: read as one, a date time is never an error and never
/// changed, except by [`Clamp`](Self::Clamp). The others are for whoever wants a date of the calendar, from
/// [`CodecOptions::convert_datetime`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatetimeConversion {
    /// It is an error, where it is converted to a type that cannot hold it.
    #[default]
    Strict,
    /// It becomes the nearest date time of those years, already in the documents that are read.
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

/// A date time as the codec options have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConvertedDateTime {
    /// What calendar and clock show in UTC. Without a time zone.
    Naive(PrimitiveDateTime),
    /// The moment, in the time zone of the options.
    Zoned(OffsetDateTime),
    /// Milliseconds since 1970.
    Millis(DateTime),
}

/// A date time before the year 1 or after the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} ms since 1970 is not in the years 1 to 9999: read it as a bson::DateTime, or set datetime_conversion to \
     datetime_clamp, datetime_ms or datetime_auto",
    .0.timestamp_millis()
)]
pub struct DateTimeOutOfRange(pub DateTime);

/// The first and the last millisecond of the years 1 to 9999.
const FIRST: i64 = -62_135_596_800_000;
const LAST: i64 = 253_402_300_799_999;

impl CodecOptions {
    /// The date of the calendar that a BSON date time is, in the time zone of these options.
    ///
    /// ```
    /// use bson::DateTime;
    /// use mongo_actors_protocol::codec::{CodecOptions, ConvertedDateTime, time::UtcOffset};
    ///
    /// let options = CodecOptions::new().time_zone(UtcOffset::from_hms(2, 0, 0).unwrap());
    /// let ConvertedDateTime::Zoned(noon) = options.convert_datetime(DateTime::from_millis(36_000_000)).unwrap() else {
    ///     unreachable!("there is a time zone")
    /// };
    /// assert_eq!((noon.year(), noon.hour()), (1970, 12));
    /// ```
    ///
    /// # Errors
    /// [`DateTimeOutOfRange`] with [`DatetimeConversion::Strict`], when calendars show another year than 1 to 9999 in
    /// that zone.
    pub fn convert_datetime(&self, at: DateTime) -> Result<ConvertedDateTime, DateTimeOutOfRange> {
        let shift = self.time_zone.map_or(0, |zone| i64::from(zone.whole_seconds()) * 1000);
        let local = at.timestamp_millis().saturating_add(shift);
        let local = match self.datetime_conversion {
            DatetimeConversion::Millis => return Ok(ConvertedDateTime::Millis(at)),
            DatetimeConversion::Clamp => local.clamp(FIRST, LAST),
            DatetimeConversion::Strict | DatetimeConversion::Auto => local,
        };
        match (calendar(local), self.time_zone) {
            (Some(shown), Some(zone)) => Ok(ConvertedDateTime::Zoned(shown.assume_offset(zone))),
            (Some(shown), None) => Ok(ConvertedDateTime::Naive(shown)),
            (None, _) if self.datetime_conversion == DatetimeConversion::Auto => Ok(ConvertedDateTime::Millis(at)),
            (None, _) => Err(DateTimeOutOfRange(at)),
        }
    }
}

/// What calendar and clock show so many milliseconds after the beginning of 1970; none beyond the years 1 to 9999.
fn calendar(millis: i64) -> Option<PrimitiveDateTime> {
    let in_range = (FIRST..=LAST).contains(&millis).then_some(millis)?;
    let shown = OffsetDateTime::from_unix_timestamp_nanos(i128::from(in_range) * 1_000_000).ok()?;
    Some(PrimitiveDateTime::new(shown.date(), shown.time()))
}

/// Date times beyond the calendar become the nearest in it.
pub(super) struct Clamp;

impl Rule for Clamp {
    fn value(&self, kind: u8, out: &mut Vec<u8>, at: usize) -> Result<u8, ConversionError> {
        const DATE_TIME: u8 = 0x09;
        if kind == DATE_TIME
            && let Some(millis) = out[at..].first_chunk_mut()
        {
            *millis = i64::from_le_bytes(*millis).clamp(FIRST, LAST).to_le_bytes();
        }
        Ok(kind)
    }
}
