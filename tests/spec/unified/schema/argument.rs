//! Structures of the format among the arguments of operations, which were read as BSON.

use bson::{Bson, Document};
use serde::Deserialize;

use crate::unified::failure::{Outcome, failure};

/// Reads a structure of the format that stands among the arguments.
pub(crate) fn from_argument<T: for<'any> Deserialize<'any>>(document: Document) -> Outcome<T> {
    let json = Bson::Document(document).into_canonical_extjson();
    let relaxed = relaxed(json);
    T::deserialize(relaxed).map_err(|error| failure!("an argument cannot be read: {error}"))
}

/// The same JSON, with integers as plain numbers.
fn relaxed(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(object) if object.len() == 1 && object.contains_key("$numberInt") => {
            let number = object["$numberInt"].as_str().and_then(|text| text.parse::<i64>().ok());
            number.map_or(serde_json::Value::Object(object), Into::into)
        }
        serde_json::Value::Object(object) => {
            object.into_iter().map(|(name, value)| (name, relaxed(value))).collect::<serde_json::Map<_, _>>().into()
        }
        serde_json::Value::Array(array) => array.into_iter().map(relaxed).collect(),
        other => other,
    }
}
