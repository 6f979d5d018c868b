//! Numbers of replies, whose BSON type depends on the server and on who stored them.

use std::{fmt, time::Duration};

use serde::{
    Deserializer,
    de::{Error, Visitor},
};

struct Integer;

impl Visitor<'_> for Integer {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::custom("the number does not fit into 64 bits"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        super::reply::integer(bson::RawBsonRef::Double(number)).ok_or_else(|| E::custom("the number is not whole"))
    }
}

/// A whole number of any BSON type.
pub(crate) fn deserialize_i64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(Integer)
}

/// A number that is not negative, of any BSON type.
pub(crate) fn deserialize_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    u64::try_from(deserialize_i64(deserializer)?).map_err(|_| D::Error::custom("the number is negative"))
}

/// The same for an option that is present.
pub(crate) fn some_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserialize_u64(deserializer).map(Some)
}

/// A 32-bit number that is not negative, for an option that is present.
pub(crate) fn some_u32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = deserialize_i64(deserializer)?;
    u32::try_from(number).map(Some).map_err(|_| D::Error::custom("the number does not fit into 32 bits"))
}

/// A number of seconds, for an option that is present.
pub(crate) fn some_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    deserialize_u64(deserializer).map(|seconds| Some(Duration::from_secs(seconds)))
}
