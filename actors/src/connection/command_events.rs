//! The events of a command, built only when someone listens.

use std::{sync::Arc, time::Duration};

use bson::RawDocumentBuf;
use mongo_actors_protocol::{
    event::{self, CommandEvent, CommandFailure, CommandInfo},
    wire::ReplyBody,
};

use super::exchange::Exchange;
use crate::{failure::Cause, shared::Shared, ticket::ConnectionInfo};

/// Publishes the events of the commands on one connection.
pub(super) struct CommandEvents<'a> {
    shared: &'a Shared,
    connection: &'a ConnectionInfo,
}

impl<'a> CommandEvents<'a> {
    pub(super) fn of(shared: &'a Shared, connection: &'a ConnectionInfo) -> Self {
        Self { shared, connection }
    }

    pub(super) fn started(&self, exchange: &Exchange) {
        // Nothing that was encoded a moment ago is invalid; an empty document would show it.
        let command = || exchange.message().to_command_document().unwrap_or_else(|_| RawDocumentBuf::new());
        self.publish(CommandEvent::Started(self.info(exchange).started(command)));
    }

    pub(super) fn succeeded(&self, exchange: &Exchange, reply: Option<&ReplyBody>, duration: Duration) {
        let info = self.info(exchange);
        self.publish(CommandEvent::Succeeded(match reply {
            Some(reply) => info.succeeded(reply, duration),
            None => info.unacknowledged(duration),
        }));
    }

    pub(super) fn failed(&self, exchange: &Exchange, cause: &Cause, duration: Duration) {
        let failure = match cause {
            Cause::Command(error) => CommandFailure::Server(error.clone()),
            other => CommandFailure::Connection(other.to_string().into()),
        };
        self.publish(CommandEvent::Failed(self.info(exchange).failed(failure, duration)));
    }

    fn info(&self, exchange: &Exchange) -> CommandInfo {
        let operation = &exchange.ticket.operation;
        let (id, server_id) = (self.connection.id, self.connection.server_connection_id);
        let connection = event::ConnectionInfo::new(id, server_id, self.connection.address.clone());
        CommandInfo::new(
            operation.request.name.clone(),
            operation.request.database.clone(),
            &operation.request.body,
            exchange.request_id,
            operation.operation_id,
            Arc::new(connection),
        )
        .with_service_id(self.connection.service_id)
    }

    fn publish(&self, event: CommandEvent) {
        self.shared.events.publish_command(event);
    }
}
