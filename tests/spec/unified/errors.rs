//! Comparing errors.

use bson::{Bson, Document, RawDocument};
use mongo_actors::{
    Error,
    error::{ClientBulkWriteError, ErrorKind},
};

use super::{
    failure::{Outcome, failure},
    matching::{Level, Matcher},
    operations::partial_result,
    schema::ExpectedError,
};

/// Sees that `error` is the expected one.
pub(super) fn verify(matcher: Matcher<'_>, expected: &ExpectedError, error: &Error) -> Outcome {
    check(matcher, expected, error).map_err(|failure| failure.at(format_args!("the error {error}\n{error:?}\n")))
}

fn check(matcher: Matcher<'_>, expected: &ExpectedError, error: &Error) -> Outcome {
    // That there is an error is all that isError asks.
    let ExpectedError { is_error: _, .. } = expected;
    holds("isClientError", expected.is_client_error, is_client_error(error))?;
    holds("isTimeoutError", expected.is_timeout_error, matches!(error.kind(), ErrorKind::OperationTimeout))?;
    if let Some(text) = &expected.error_contains {
        contains(text, error)?;
    }
    if let Some(code) = expected.error_code
        && error.code() != Some(code)
    {
        return Err(failure!("its code is {:?} instead of {code}", error.code()));
    }
    if let Some(name) = &expected.error_code_name
        && !error.code_name().is_some_and(|actual| actual.eq_ignore_ascii_case(name))
    {
        return Err(failure!("its code's name is {:?} instead of {name}", error.code_name()));
    }
    for label in expected.error_labels_contain.as_deref().unwrap_or_default() {
        if !error.has_label(label) {
            return Err(failure!("it has no label {label}"));
        }
    }
    for label in expected.error_labels_omit.as_deref().unwrap_or_default() {
        if error.has_label(label) {
            return Err(failure!("it has the label {label}"));
        }
    }
    if let Some(response) = &expected.error_response {
        let actual = error.server_response().ok_or_else(|| failure!("there is no response of a server"))?;
        matcher.root(response, &document(actual)?)?;
    }
    if expected.write_errors.is_some() || expected.write_concern_errors.is_some() {
        bulk_errors(matcher, expected, error)?;
    }
    match &expected.expect_result {
        Some(result) => matcher.matches(&result.0, partial_result(error).as_ref(), Level::Root),
        None => Ok(()),
    }
}

fn holds(what: &str, expected: Option<bool>, actual: bool) -> Outcome {
    match expected {
        Some(expected) if expected != actual => Err(failure!("{what} is {actual} instead of {expected}")),
        _ => Ok(()),
    }
}

/// Whether the error does not come from a reply.
fn is_client_error(error: &Error) -> bool {
    error.code().is_none() && !error.is_operation_failure()
}

/// Looks for `text` in what the error and the server say, ignoring case.
fn contains(text: &str, error: &Error) -> Outcome {
    let said = error.to_string() + &error.server_response().map(|reply| format!("{reply:?}")).unwrap_or_default();
    if said.to_lowercase().contains(&text.to_lowercase()) {
        return Ok(());
    }
    Err(failure!("it does not say {text:?}"))
}

/// Compares the errors of single writes, and of the write concern, of a client's bulk write.
fn bulk_errors(matcher: Matcher<'_>, expected: &ExpectedError, error: &Error) -> Outcome {
    let none = ClientBulkWriteError::default();
    let actual = error.partial_client_bulk_write().unwrap_or(&none);
    let wanted = expected.write_errors.clone().unwrap_or_default();
    if wanted.len() != actual.write_errors.len() {
        return Err(failure!("there are {} write errors instead of {}", actual.write_errors.len(), wanted.len()));
    }
    for (index, wanted) in &wanted.0 {
        let found = index.parse().ok().and_then(|index: usize| actual.write_errors.get(&index));
        let found = found.ok_or_else(|| failure!("there is no write error {index}"))?;
        matcher.matches(wanted, Some(&serialized(found)?), Level::Root)?;
    }
    let wanted = expected.write_concern_errors.as_deref().unwrap_or_default();
    if wanted.len() != actual.write_concern_errors.len() {
        let (count, wanted) = (actual.write_concern_errors.len(), wanted.len());
        return Err(failure!("there are {count} write concern errors instead of {wanted}"));
    }
    for (wanted, found) in wanted.iter().zip(&actual.write_concern_errors) {
        let mut found = serialized(found)?;
        if let Some(document) = found.as_document_mut()
            && let Some(message) = document.remove("errmsg")
        {
            // The specification's name for it.
            document.insert("message", message);
        }
        matcher.matches(&Bson::Document(wanted.0.clone()), Some(&found), Level::Root)?;
    }
    Ok(())
}

fn serialized(error: &impl serde::Serialize) -> Outcome<Bson> {
    bson::serialize_to_bson(error).map_err(|error| failure!("an error: {error}"))
}

fn document(raw: &RawDocument) -> Outcome<Document> {
    Document::try_from(raw).map_err(|error| failure!("the response is malformed: {error}"))
}
