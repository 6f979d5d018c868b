//! `explain`: how a server would execute an operation.

use std::time::Duration;

use bson::Document;
use mongo_actors_protocol::{
    command::{Explain as ExplainCommand, ExplainOptions, Request},
    options::CodecOptions,
    selection::SelectionCriteria,
};

use super::{ActionFuture, awaitable, setters::fluent};
use crate::{
    ClientSession,
    decode::decode,
    error::Result,
    executor::{Call, require},
};

/// Explains an operation. Made by the `explain` method of the operation; awaiting it gives the server's explanation,
/// whose form depends on the server's version.
///
/// ```no_run
/// # async fn example(people: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
/// use mongo_actors::{bson::doc, options::ExplainVerbosity};
///
/// let plan = people.find(doc! { "age": 36 }).explain().verbosity(ExplainVerbosity::QueryPlanner).await?;
/// println!("{plan}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the operation's arguments, of reaching a server, and of its refusal.
///
/// # Cancel safety
/// See [`action`](crate::action).
#[must_use = "operations do nothing unless they are awaited"]
pub struct Explain<'a> {
    call: Call<'a>,
    request: Result<Request>,
    selection_criteria: Option<SelectionCriteria>,
    options: ExplainOptions,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

fluent! { ['a] Explain<'a>, ExplainOptions { session, comment, max_time, verbosity } }

impl<'a> Explain<'a> {
    pub(super) fn new(
        call: Call<'a>,
        request: Result<Request>,
        selection_criteria: Option<SelectionCriteria>,
        timeout: Option<Duration>,
        session: Option<&'a mut ClientSession>,
    ) -> Self {
        Self { call, request, selection_criteria, options: ExplainOptions::default(), timeout, session }
    }
}

awaitable! { ['a] Explain<'a> => Document {
    fn into_future(self) -> Self::IntoFuture {
        let prepared = self.request.and_then(|command| {
            let call = self.call.selection_criteria(self.selection_criteria.as_ref()).timeout(self.timeout).session(self.session);
            call.prepare(&ExplainCommand { command: &command, options: &self.options })
        });
        ActionFuture::of(self.call.client(), prepared, |body| {
            decode(require(body)?.as_bytes(), &CodecOptions::default())
        })
    }
} }
