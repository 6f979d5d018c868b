//! The keys of an AWS identity, when the application gives none.
//!
//! Those of the environment are read anew each time, as something may have renewed them. Those that a container's agent
//! or an instance hands out are kept until they are about to end, or the server refuses them.

use std::{env, time::SystemTime};

use arc_swap::ArcSwapOption;
use mongo_actors_protocol::auth::{
    aws::{AwsError, AwsKeys, KeySource},
    credential::Credential,
};

use crate::{failure::EstablishFault, shared::Shared};

/// What was fetched last. Connections that need keys at the same time may fetch them twice: nobody waits for another.
#[derive(Debug, Default)]
pub(crate) struct AwsKeyCache(ArcSwapOption<AwsKeys>);

impl AwsKeyCache {
    pub(super) fn forget(&self) {
        self.0.store(None);
    }
}

/// The credential with keys. The caller limits the time.
pub(super) async fn complete(shared: &Shared, credential: &Credential) -> Result<Credential, EstablishFault> {
    if credential.username.is_some() {
        return Ok(credential.clone());
    }
    if let Some(kept) = shared.aws_keys.0.load().as_ref().filter(|keys| keys.hold_at(SystemTime::now())) {
        return Ok(kept.complete(credential));
    }
    let variables = shared.settings.conformance.variables.as_deref();
    let source = KeySource::find(|name| match variables {
        Some(variables) => variables.get(name).cloned(),
        None => env::var(name).ok(),
    });
    let keys = match source.map_err(refused)? {
        KeySource::Environment(keys) => keys,
        elsewhere => {
            let keys = endpoints::fetch(&elsewhere).await.map_err(refused)?;
            shared.aws_keys.0.store(Some(keys.clone().into()));
            keys
        }
    };
    Ok(keys.complete(credential))
}

fn refused(error: AwsError) -> EstablishFault {
    EstablishFault::Refused(error.to_string().into())
}

#[cfg(feature = "aws-auth")]
mod endpoints {
    use std::{io, path::PathBuf, time::Duration};

    use mongo_actors_protocol::auth::aws::{Authorization, AwsError, AwsKeys, KeySource};

    use crate::net::http::{self, Request, header::AUTHORIZATION};

    /// How long an answer is waited for, by the authentication specification.
    const LIMIT: Duration = Duration::from_secs(10);
    /// For how many seconds the metadata service's own token is to hold: as long as the questions take.
    const TOKEN_SECONDS: &str = "30";
    const ROLES: &str = "latest/meta-data/iam/security-credentials/";

    pub(super) async fn fetch(source: &KeySource) -> Result<AwsKeys, AwsError> {
        let answer = match source {
            KeySource::Environment(keys) => return Ok(keys.clone()),
            KeySource::Container { url, authorization } => container(url, authorization.as_ref()).await?,
            KeySource::Instance { endpoint } => instance(endpoint).await?,
        };
        AwsKeys::parse(&answer)
    }

    async fn container(url: &str, authorization: Option<&Authorization>) -> Result<Vec<u8>, AwsError> {
        let mut request = Request::get(url);
        if let Some(authorization) = authorization {
            let token = match authorization {
                Authorization::Token(token) => token.expose().to_owned(),
                Authorization::File(path) => read(path.clone()).await?,
            };
            request = request.header(AUTHORIZATION, token.trim());
        }
        ask(request.body(Vec::new())).await
    }

    async fn read(path: PathBuf) -> Result<String, AwsError> {
        let named = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        read.map_err(|error| AwsError::Endpoint(format!("{named}: {error}")))
    }

    /// A token, with which the name of the role is asked for, whose keys are then to be had.
    async fn instance(endpoint: &str) -> Result<Vec<u8>, AwsError> {
        let token = Request::put(format!("{endpoint}/latest/api/token"))
            .header("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
        let token = ask(token.body(Vec::new())).await?;
        let ask_for = async |path: &str| {
            let request = Request::get(format!("{endpoint}/{ROLES}{path}"));
            ask(request.header("X-aws-ec2-metadata-token", token.as_slice()).body(Vec::new())).await
        };
        let roles = ask_for("").await?;
        let role = String::from_utf8_lossy(&roles);
        let role = role.lines().next().map(str::trim).filter(|role| !role.is_empty());
        let role = role.ok_or_else(|| AwsError::Endpoint("the instance has no role".to_owned()))?;
        ask_for(role).await
    }

    /// These services are of this host and its neighbourhood: no proxy leads there.
    async fn ask(request: hyper::http::Result<Request<Vec<u8>>>) -> Result<Vec<u8>, AwsError> {
        let failed = |url: &str, error: &dyn std::fmt::Display| AwsError::Endpoint(format!("{url}: {error}"));
        let request = request.map_err(|error| AwsError::Endpoint(error.to_string()))?;
        let url = request.uri().to_string();
        match tokio::time::timeout(LIMIT, http::send(request, None)).await {
            Ok(answer) => answer.map(Vec::from).map_err(|error: io::Error| failed(&url, &error)),
            Err(_) => Err(failed(&url, &"no answer within 10 s")),
        }
    }
}

#[cfg(not(feature = "aws-auth"))]
mod endpoints {
    use mongo_actors_protocol::auth::aws::{AwsError, AwsKeys, KeySource};

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(super) async fn fetch(_: &KeySource) -> Result<AwsKeys, AwsError> {
        let reason = "this build of the driver asks neither containers nor instances of AWS: turn the Cargo feature \
                      \"aws-auth\" on, give a user name and password, or set AWS_ACCESS_KEY_ID and \
                      AWS_SECRET_ACCESS_KEY";
        Err(AwsError::Endpoint(reason.to_owned()))
    }
}
