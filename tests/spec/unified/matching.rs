//! Comparing what happened with what is expected.
//!
//! Follows "Evaluating Matches" of the specification.

use bson::{Bson, Document};

use super::{
    entities::EntityMap,
    failure::{Outcome, failure},
};

/// Which documents may have fields that are not expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The value itself, if it is a document.
    Root,
    /// The elements of the value, which came from an iterable.
    RootElements,
    /// None.
    Nested,
}

/// Compares values, with the entities that operators refer to.
#[derive(Clone, Copy)]
pub(super) struct Matcher<'a> {
    entities: &'a EntityMap,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(entities: &'a EntityMap) -> Self {
        Self { entities }
    }

    /// Sees that `actual`, none if there is no value, is as expected.
    pub(super) fn matches(self, expected: &Bson, actual: Option<&Bson>, level: Level) -> Outcome {
        if let Some((operator, operand)) = operator(expected) {
            return self.apply(operator, operand, actual, level);
        }
        let actual = actual.ok_or_else(|| failure!("there is nothing where {expected} is expected"))?;
        match (expected, actual) {
            (Bson::Document(expected), Bson::Document(actual)) => self.documents(expected, actual, level),
            (Bson::Array(expected), Bson::Array(actual)) => self.arrays(expected, actual, level),
            (Bson::Document(_) | Bson::Array(_), _) => Err(failure!("{actual} differs from {expected}")),
            _ if equal(expected, actual) => Ok(()),
            _ => Err(failure!("{actual} differs from {expected}")),
        }
    }

    /// Sees that a document of its own is as expected; it may have further fields.
    pub(super) fn root(self, expected: &Document, actual: &Document) -> Outcome {
        self.documents(expected, actual, Level::Root).map_err(|failure| failure.at(actual))
    }

    fn documents(self, expected: &Document, actual: &Document, level: Level) -> Outcome {
        for (key, value) in expected {
            self.matches(value, actual.get(key), Level::Nested).map_err(|failure| failure.at(key))?;
        }
        if level == Level::Root {
            return Ok(());
        }
        match actual.keys().find(|key| !expected.contains_key(key)) {
            Some(key) => Err(failure!("the field {key} of {actual} is not expected")),
            None => Ok(()),
        }
    }

    fn arrays(self, expected: &[Bson], actual: &[Bson], level: Level) -> Outcome {
        if expected.len() != actual.len() {
            let (expected, actual) = (Bson::Array(expected.to_vec()), Bson::Array(actual.to_vec()));
            return Err(failure!("{actual} has another length than {expected}"));
        }
        let level = if level == Level::RootElements { Level::Root } else { Level::Nested };
        for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            self.matches(expected, Some(actual), level).map_err(|failure| failure.at(index))?;
        }
        Ok(())
    }

    fn apply(self, operator: &str, operand: &Bson, actual: Option<&Bson>, level: Level) -> Outcome {
        match operator {
            "$$exists" => exists(operand, actual),
            "$$type" => has_type(operand, actual),
            "$$unsetOrMatches" if actual.is_none() => Ok(()),
            "$$unsetOrMatches" => self.matches(operand, actual, level),
            "$$matchesEntity" => self.matches(&self.entities.bson(name(operator, operand)?)?, actual, level),
            "$$matchesHexBytes" => matches_hex_bytes(name(operator, operand)?, actual),
            "$$sessionLsid" => {
                let expected = self.entities.session(name(operator, operand)?)?.lsid();
                self.matches(&Bson::Document(expected), actual, Level::Nested)
            }
            "$$lte" => at_most(operand, actual),
            "$$matchAsDocument" => self.matches(operand, Some(&parsed(actual)?), Level::Nested),
            "$$matchAsRoot" => match actual {
                Some(Bson::Document(_)) => self.matches(operand, actual, Level::Root),
                _ => Err(failure!("{actual:?} is no document")),
            },
            _ => Err(failure!("the operator {operator} is not known")),
        }
    }
}

/// The special operator that `expected` consists of, and what it is given.
fn operator(expected: &Bson) -> Option<(&str, &Bson)> {
    let document = expected.as_document()?;
    let (key, value) = document.iter().next()?;
    (document.len() == 1 && key.starts_with("$$")).then_some((key.as_str(), value))
}

fn name<'a>(operator: &str, operand: &'a Bson) -> Outcome<&'a str> {
    operand.as_str().ok_or_else(|| failure!("{operator} needs a text"))
}

fn exists(operand: &Bson, actual: Option<&Bson>) -> Outcome {
    match (operand, actual) {
        (Bson::Boolean(true), Some(_)) | (Bson::Boolean(false), None) => Ok(()),
        (Bson::Boolean(true), None) => Err(failure!("the field does not exist")),
        (Bson::Boolean(false), Some(actual)) => Err(failure!("the field exists, as {actual}")),
        _ => Err(failure!("$$exists needs a boolean")),
    }
}

fn has_type(operand: &Bson, actual: Option<&Bson>) -> Outcome {
    let actual = actual.ok_or_else(|| failure!("there is nothing where a value of type {operand} is expected"))?;
    let allowed = match operand {
        Bson::Array(types) => types.as_slice(),
        one => std::slice::from_ref(one),
    };
    for allowed in allowed {
        let allowed = allowed.as_str().ok_or_else(|| failure!("$$type needs texts"))?;
        if is_of_type(actual, allowed)? {
            return Ok(());
        }
    }
    Err(failure!("{actual} is not of type {operand}"))
}

/// Whether `value` is of the type that the query operator `$type` calls `name`.
fn is_of_type(value: &Bson, name: &str) -> Outcome<bool> {
    Ok(match name {
        "double" => matches!(value, Bson::Double(_)),
        "string" => matches!(value, Bson::String(_)),
        "object" => matches!(value, Bson::Document(_)),
        "array" => matches!(value, Bson::Array(_)),
        "binData" => matches!(value, Bson::Binary(_)),
        "undefined" => matches!(value, Bson::Undefined),
        "objectId" => matches!(value, Bson::ObjectId(_)),
        "bool" => matches!(value, Bson::Boolean(_)),
        "date" => matches!(value, Bson::DateTime(_)),
        "null" => matches!(value, Bson::Null),
        "regex" => matches!(value, Bson::RegularExpression(_)),
        "dbPointer" => matches!(value, Bson::DbPointer(_)),
        "javascript" => matches!(value, Bson::JavaScriptCode(_)),
        "symbol" => matches!(value, Bson::Symbol(_)),
        "javascriptWithScope" => matches!(value, Bson::JavaScriptCodeWithScope(_)),
        "int" => matches!(value, Bson::Int32(_)),
        "timestamp" => matches!(value, Bson::Timestamp(_)),
        "long" => matches!(value, Bson::Int64(_)),
        "decimal" => matches!(value, Bson::Decimal128(_)),
        "minKey" => matches!(value, Bson::MinKey),
        "maxKey" => matches!(value, Bson::MaxKey),
        "number" => matches!(value, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_)),
        _ => return Err(failure!("{name} is no type that $$type knows")),
    })
}

fn matches_hex_bytes(expected: &str, actual: Option<&Bson>) -> Outcome {
    let Some(bytes) = hex_bytes(expected) else {
        return Err(failure!("$$matchesHexBytes needs hexadecimal digits, two for each byte"));
    };
    let Some(Bson::Binary(actual)) = actual else { return Err(failure!("{actual:?} is no stream of bytes")) };
    if actual.bytes == bytes { Ok(()) } else { Err(failure!("{:02x?} differs from {bytes:02x?}", actual.bytes)) }
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pair = |start| u8::from_str_radix(&digits[start..start + 2], 16).ok();
    if is_hex { (0..digits.len()).step_by(2).map(pair).collect() } else { None }
}

fn at_most(operand: &Bson, actual: Option<&Bson>) -> Outcome {
    let number = |value: Option<&Bson>| value.and_then(number);
    match (number(Some(operand)), number(actual)) {
        (Some(limit), Some(value)) if value <= limit => Ok(()),
        (None, _) => Err(failure!("$$lte needs a number")),
        _ => Err(failure!("{actual:?} is not at most {operand}")),
    }
}

fn parsed(actual: Option<&Bson>) -> Outcome<Bson> {
    let text = actual.and_then(Bson::as_str).ok_or_else(|| failure!("{actual:?} is no text"))?;
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| failure!("{text:?} is no JSON: {error}"))?;
    match Bson::try_from(json) {
        Ok(document @ Bson::Document(_)) => Ok(document),
        Ok(_) => Err(failure!("{text:?} is no document")),
        Err(error) => Err(failure!("{text:?} is no extended JSON: {error}")),
    }
}

fn number(value: &Bson) -> Option<f64> {
    match *value {
        Bson::Int32(value) => Some(value.into()),
        // The numbers of the files are small enough.
        Bson::Int64(value) => Some(value as f64),
        Bson::Double(value) => Some(value),
        _ => None,
    }
}

/// Whether two values are the same, apart from the types of numbers and the order of fields.
pub(super) fn equal(expected: &Bson, actual: &Bson) -> bool {
    match (expected, actual) {
        (Bson::Int64(expected), Bson::Int64(actual)) => expected == actual,
        (Bson::Document(expected), Bson::Document(actual)) => equal_documents(expected, actual),
        (Bson::Array(expected), Bson::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(one, other)| equal(one, other))
        }
        (Bson::JavaScriptCodeWithScope(expected), Bson::JavaScriptCodeWithScope(actual)) => {
            expected.code == actual.code && equal_documents(&expected.scope, &actual.scope)
        }
        _ => match (number(expected), number(actual)) {
            (Some(expected), Some(actual)) => expected == actual,
            (None, None) => expected == actual,
            _ => false,
        },
    }
}

fn equal_documents(expected: &Document, actual: &Document) -> bool {
    let same = |(key, value): (&String, &Bson)| actual.get(key).is_some_and(|actual| equal(value, actual));
    expected.len() == actual.len() && expected.iter().all(same)
}
