//! A REST service over a collection of books.
//!
//! ```sh
//! cargo run --example rest_service
//! curl -i localhost:8080/books -H 'content-type: application/json' \
//!     -d '{"isbn": "9780441478125", "title": "The Left Hand of Darkness", "copies": 3}'
//! curl localhost:8080/books
//! curl localhost:8080/health
//! ```
//!
//! `LISTEN` names another address to listen on, `MONGODB_URI` a MongoDB to use. Ends with Ctrl-C or SIGTERM.

#[path = "../shared/deployment.rs"]
mod deployment;
mod service;

use std::{env, error::Error, net::TcpListener, process::ExitCode};

use self::deployment::{Deployment, VARIABLE};

#[actix_web::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rest_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address)
        .map_err(|error| format!("cannot listen on {address}: {error}; set LISTEN to another address"))?;
    let deployment = Deployment::provide(env::var(VARIABLE).ok()).await?;
    println!("Using {deployment}.");
    let client = service::client(&deployment.uri())?;
    let server = service::start(listener, client.clone(), asked_to_end()).await?;
    println!("Listening on http://{address}; end with Ctrl-C.");
    server.await?;
    client.shutdown_within(service::SHUTDOWN_LIMIT).await;
    println!("Ended.");
    Ok(())
}

/// Waits for Ctrl-C, or for what a service manager sends.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
