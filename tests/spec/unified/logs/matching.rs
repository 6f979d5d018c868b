//! Comparing log messages.

use super::collector::Message;
use crate::unified::{
    failure::{Outcome, failure},
    matching::Matcher,
    schema::{ExpectedLogMessage, ExpectedLogMessagesForClient},
};

/// Sees that the messages are exactly the expected ones, in order.
pub(crate) fn verify(matcher: Matcher<'_>, expected: &ExpectedLogMessagesForClient, messages: &[Message]) -> Outcome {
    let is_ignored =
        |message: &&Message| expected.ignore_messages.iter().any(|ignored| matches(matcher, ignored, message).is_ok());
    let messages: Vec<_> = messages.iter().filter(|message| !is_ignored(message)).collect();
    for (index, (one, message)) in expected.messages.iter().zip(&messages).enumerate() {
        matches(matcher, one, message).map_err(|failure| failure.at(format!("message {index}{}", list(&messages))))?;
    }
    let (count, wanted) = (messages.len(), expected.messages.len());
    if count < wanted || (count > wanted && !expected.ignore_extra_messages) {
        return Err(failure!("{count} messages instead of {wanted}{}", list(&messages)));
    }
    Ok(())
}

fn list(messages: &[&Message]) -> String {
    format!(" of:{}\n", messages.iter().map(|message| format!("\n  {}", message.data)).collect::<String>())
}

fn matches(matcher: Matcher<'_>, expected: &ExpectedLogMessage, message: &Message) -> Outcome {
    if message.component != expected.component || message.severity != expected.level {
        let (component, severity) = (message.component, message.severity);
        return Err(failure!("it is of {component:?} with the level {severity:?}"));
    }
    if let Some(redacted) = expected.failure_is_redacted {
        let failure = message.data.get_str("failure").map_err(|_| failure!("it tells no failure"))?;
        // What is redacted keeps the code, its name and the labels, but not the server's words.
        if failure.contains("errmsg") == redacted {
            return Err(failure!("that the failure {failure} is redacted is {}", !redacted));
        }
    }
    matcher.root(&expected.data, &message.data)
}
