//! Messages on commands.

use mongo_actors_protocol::event::{CommandEvent, CommandFailure, LogDocument};
use tracing::debug;

use super::{COMMAND, milliseconds};

/// Writes the fields that all messages on commands have, and then some.
macro_rules! message {
    ($event:expr, $($rest:tt)*) => {
        debug!(
            target: COMMAND,
            commandName = &*$event.command_name,
            databaseName = &*$event.db,
            requestId = $event.request_id,
            operationId = $event.operation_id,
            driverConnectionId = $event.connection.id,
            serverConnectionId = $event.connection.server_id,
            serverHost = &*$event.connection.address.host(),
            serverPort = $event.connection.address.port(),
            serviceId = $event.service_id.map(|id| id.to_hex()),
            $($rest)*
        )
    };
}

pub(super) fn write(event: &CommandEvent, max_len: usize) {
    match event {
        CommandEvent::Started(event) => {
            message!(event, command = %LogDocument::new(&event.command, max_len), "Command started");
        }
        CommandEvent::Succeeded(event) => {
            let reply = LogDocument::new(event.reply.as_document(), max_len);
            message!(event, durationMS = milliseconds(event.duration), reply = %reply, "Command succeeded");
        }
        CommandEvent::Failed(event) => {
            let duration = milliseconds(event.duration);
            match &event.failure {
                CommandFailure::Server(error) => {
                    let failure = LogDocument::new(&error.response, max_len);
                    message!(event, durationMS = duration, failure = %failure, "Command failed");
                }
                CommandFailure::Connection(reason) => {
                    message!(event, durationMS = duration, failure = &**reason, "Command failed");
                }
                _ => message!(event, durationMS = duration, "Command failed"),
            }
        }
        _ => {}
    }
}
