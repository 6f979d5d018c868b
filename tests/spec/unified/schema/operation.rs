//! `operation` and `expectedError`.

use bson::{Bson, Document};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Filled, Json, NonEmpty, Object};

/// Something a test does to an entity, or to the runner itself.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) object: String,
    pub(crate) arguments: Document,
    pub(crate) expectation: Expectation,
}

/// What is expected of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    /// Anything.
    Ignored,
    /// That it fails in this way.
    Error(Box<ExpectedError>),
    /// That it succeeds, perhaps with a certain result, which may be kept.
    Success { result: Option<Bson>, save_as: Option<String> },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExpectedError {
    pub(crate) is_error: Option<True>,
    pub(crate) is_client_error: Option<bool>,
    pub(crate) is_timeout_error: Option<bool>,
    pub(crate) error_contains: Option<String>,
    pub(crate) error_code: Option<i32>,
    pub(crate) error_code_name: Option<String>,
    pub(crate) error_labels_contain: Option<NonEmpty<String>>,
    pub(crate) error_labels_omit: Option<NonEmpty<String>>,
    pub(crate) write_errors: Option<Object>,
    pub(crate) write_concern_errors: Option<Vec<Object>>,
    pub(crate) error_response: Option<Object>,
    pub(crate) expect_result: Option<Json>,
}

/// The only value that `isError` may have.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "bool")]
pub(crate) struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("isError can only be true") }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Read {
    name: String,
    object: String,
    arguments: Option<Object>,
    ignore_result_and_error: Option<bool>,
    expect_error: Option<Filled<ExpectedError>>,
    /// A result of null is an expectation, too.
    #[serde(default, deserialize_with = "present")]
    expect_result: Option<Json>,
    save_result_as_entity: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let expects_result = read.expect_result.is_some() || read.save_result_as_entity.is_some();
        let expectation = match (read.ignore_result_and_error, read.expect_error) {
            (Some(_), None) | (None, Some(_)) if expects_result => {
                return Err(D::Error::custom("a result is expected where none can be"));
            }
            (Some(_), Some(_)) => return Err(D::Error::custom("an error is both ignored and expected")),
            (Some(true), None) => Expectation::Ignored,
            (_, Some(Filled(error))) => Expectation::Error(Box::new(error)),
            (_, None) => Expectation::Success {
                result: read.expect_result.map(|Json(result)| result),
                save_as: read.save_result_as_entity,
            },
        };
        let arguments = read.arguments.unwrap_or_default().0;
        Ok(Self { name: read.name, object: read.object, arguments, expectation })
    }
}
