mod contradictions;
mod defaults;
mod old_names;
mod precedence;
mod srv;

use super::*;

fn parse(options: &str) -> Result<ClientOptions, ConfigError> {
    ClientOptions::parse(&format!("mongodb://h/?{options}"))
}

/// The options named by a configuration error.
fn configuration(result: Result<ClientOptions, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Configuration { options, reason }) => {
            assert!(!reason.is_empty());
            options.into_iter().map(|name| name.into_owned()).collect()
        }
        other => panic!("expected a configuration error, got {other:?}"),
    }
}

/// The place named by an error about the connection string.
fn invalid_uri(result: Result<ClientOptions, ConfigError>) -> String {
    match result {
        Err(ConfigError::InvalidUri { place, .. }) => place,
        other => panic!("expected an error about the connection string, got {other:?}"),
    }
}
