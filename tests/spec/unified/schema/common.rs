//! Shapes that several structures share.

use std::{fmt, ops::Deref};

use bson::{Bson, Document};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// An object of extended JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(pub(crate) Document);

/// Any value of extended JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json(pub(crate) Bson);

/// An array of at least one element.
#[derive(Clone, Debug)]
pub(crate) struct NonEmpty<T>(pub(crate) Vec<T>);

/// An object of at least one field.
#[derive(Clone, Debug)]
pub(crate) struct Filled<T>(pub(crate) T);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        Document::try_from(map).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Bson::try_from(value).map(Self).map_err(D::Error::custom)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NonEmpty<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::deserialize(deserializer)?;
        if elements.is_empty() { Err(D::Error::custom("an empty array")) } else { Ok(Self(elements)) }
    }
}

impl<'de, T: for<'any> Deserialize<'any>> Deserialize<'de> for Filled<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        if map.is_empty() {
            return Err(D::Error::custom("an empty object"));
        }
        T::deserialize(Value::Object(map)).map(Self).map_err(D::Error::custom)
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Deref for Filled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Deref for Object {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
