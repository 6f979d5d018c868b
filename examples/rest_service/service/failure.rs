//! What a request is answered when it fails, and what that says to whoever sent it.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use mongo_actors::error::{Error, Outcome};
use serde_json::json;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The request makes no sense; the text says what is wrong with it.
    Invalid(String),
    NotFound,
    Database(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Database(error) if error.is_duplicate_key() => StatusCode::CONFLICT,
            // No server, no connection, no time: it may be better soon.
            Self::Database(error) if error.is_timeout() || error.is_connection_failure() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header(("retry-after", "1"));
        }
        if status.is_server_error() {
            // For whoever runs the service. What the database says is no business of its users.
            eprintln!("{status}: {self}");
        }
        response.json(json!({ "error": self.message(), "done": self.done() }))
    }
}

impl Failure {
    fn message(&self) -> String {
        match self {
            Self::Invalid(reason) => reason.clone(),
            Self::NotFound => "there is no such book".into(),
            Self::Database(error) if error.is_duplicate_key() => "there is a book with this isbn".into(),
            Self::Database(_) => "the database did not answer as it should".into(),
        }
    }

    /// Whether what was asked for has been done: no, yes, or nobody knows.
    fn done(&self) -> &'static str {
        match self {
            Self::Database(error) => match error.outcome() {
                Outcome::NotSent | Outcome::Rejected => "no",
                Outcome::Applied => "yes",
                _ => "unknown",
            },
            _ => "no",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            _ => f.write_str(&self.message()),
        }
    }
}
