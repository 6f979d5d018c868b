//! Connects, does a little of everything, and shows what happened.
//!
//! ```sh
//! cargo run --example quickstart
//! MONGODB_URI=mongodb://localhost:27017 cargo run --example quickstart
//! ```

#[path = "../shared/deployment.rs"]
mod deployment;
mod tour;

use std::{env, error::Error, io, process::ExitCode, time::Duration};

use self::deployment::{Deployment, VARIABLE};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let deployment = Deployment::provide(env::var(VARIABLE).ok()).await?;
    println!("Using {deployment}.");
    // Nobody who tries something out waits half a minute to hear that the server is not there.
    tour::run(&deployment.uri(), Duration::from_secs(5), &mut io::stdout()).await
}
