//! The service: one client for the whole process, shared by the workers of the HTTP server.

mod books;
mod failure;

use std::{error::Error, future::Future, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    web::{Data, JsonConfig, PathConfig, QueryConfig, get, resource},
};
use mongo_actors::{
    Client,
    bson::doc,
    options::{IndexModel, IndexOptions},
    supervision::Placement,
};
use serde_json::json;

use self::{books::Book, failure::Failure};

/// How long requests, and then operations, may take to their end when the service stops.
pub(crate) const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// A client for this service.
pub(crate) fn client(uri: &str) -> mongo_actors::error::Result<Client> {
    Client::builder()
        .uri(uri)
        .app_name("rest_service")
        // The threads of the server share the client, so it gets one of its own.
        .placement(Placement::Dedicated)
        // Whoever waits for a page has left by then.
        .timeout(Duration::from_secs(3))
        .build()
}

/// Prepares the collection, and serves requests on `listener` until `end` is there; then those that have begun get their
/// answers, within [`SHUTDOWN_LIMIT`].
pub(crate) async fn start(
    listener: TcpListener,
    client: Client,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Server, Box<dyn Error>> {
    let books = client.database("library").collection::<Book>("books");
    let unique = IndexOptions { unique: Some(true), ..Default::default() };
    books.create_index(IndexModel::new(doc! { "isbn": 1 }).with_options(unique)).await?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(client.clone()))
            .app_data(Data::new(books.clone()))
            .app_data(JsonConfig::default().error_handler(|error, _| Failure::Invalid(error.to_string()).into()))
            .app_data(QueryConfig::default().error_handler(|error, _| Failure::Invalid(error.to_string()).into()))
            .app_data(PathConfig::default().error_handler(|_, _| Failure::NotFound.into()))
            .configure(books::routes)
            .service(resource("/health").route(get().to(health)))
    });
    let server = server.workers(2).shutdown_signal(end).shutdown_timeout(SHUTDOWN_LIMIT.as_secs());
    Ok(server.listen(listener)?.run())
}

/// Whether the database can be written to, and what is known of its servers.
async fn health(client: Data<Client>) -> HttpResponse {
    let topology = client.topology_description();
    let servers = topology.servers.values().map(|server| {
        json!({
            "address": server.address.to_string(),
            "type": server.server_type.to_string(),
            "error": server.error.as_deref(),
        })
    });
    let writable = topology.has_writable_server();
    let body = json!({
        "writable": writable,
        "topology": topology.topology_type.to_string(),
        "servers": servers.collect::<Vec<_>>(),
    });
    match writable {
        true => HttpResponse::Ok().json(body),
        false => HttpResponse::ServiceUnavailable().json(body),
    }
}
