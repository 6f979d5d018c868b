//! Where the keys of an AWS identity come from when the application gives none, in the order of the authentication
//! specification: the environment, a container's agent, the instance's metadata service.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::AwsError;
use crate::auth::{credential::Credential, secret::Secret};

/// How long before their end keys are not used any more, so that a server still finds them valid.
const MARGIN: Duration = Duration::from_secs(5 * 60);
const CONTAINER_AGENT: &str = "http://169.254.170.2";
const METADATA_SERVICE: &str = "http://169.254.169.254";
/// Addresses of container agents beside the loopback interface, which keys are asked of over plain HTTP.
const AGENTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Keys of an AWS identity, usually for a few hours.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// `AccessKeyId`.
    pub id: String,
    /// `SecretAccessKey`.
    pub secret: Secret,
    /// The session that they belong to.
    pub session_token: Option<Secret>,
    /// When they end; none when nobody has said so.
    pub expires: Option<SystemTime>,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Where keys are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The variables of the environment have them. They may change: these keys are not to be kept.
    Environment(AwsKeys),
    /// The agent of a container's platform has them.
    Container {
        /// What to ask.
        url: String,
        /// What the header `Authorization` is to say.
        authorization: Option<Authorization>,
    },
    /// The metadata service of an instance has them.
    Instance {
        /// The service's address, without a path.
        endpoint: String,
    },
}

/// What a container's agent is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// This.
    Token(Secret),
    /// What the file holds at the moment.
    File(PathBuf),
}

impl KeySource {
    /// Finds the source. `variable` reads a variable of the environment.
    ///
    /// ```
    /// use mongo_actors_protocol::auth::aws::KeySource;
    ///
    /// let variable = |name: &str| (name == "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").then(|| "/v2/credentials/7".into());
    /// let url = "http://169.254.170.2/v2/credentials/7".to_owned();
    /// assert_eq!(KeySource::find(variable), Ok(KeySource::Container { url, authorization: None }));
    /// ```
    ///
    /// # Errors
    /// [`AwsError`] when the environment names a source that is not asked.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self, AwsError> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            let session_token = variable("AWS_SESSION_TOKEN").map(Secret::from);
            return Ok(Self::Environment(AwsKeys { id, secret: secret.into(), session_token, expires: None }));
        }
        if variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && variable("AWS_ROLE_ARN").is_some() {
            return Err(AwsError::WebIdentity);
        }
        if let Some(path) = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            let url = format!("{CONTAINER_AGENT}/{}", path.trim_start_matches('/'));
            return Ok(Self::Container { url, authorization: None });
        }
        if let Some(url) = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            if !is_agent(&url) {
                return Err(AwsError::UntrustedEndpoint(url));
            }
            let file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|path| Authorization::File(path.into()));
            let token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|token| Authorization::Token(token.into()));
            return Ok(Self::Container { url, authorization: file.or(token) });
        }
        if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(AwsError::NoKeys);
        }
        let endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| METADATA_SERVICE.to_owned());
        Ok(Self::Instance { endpoint: endpoint.trim_end_matches('/').to_owned() })
    }
}

/// Whether keys may be asked of the address over plain HTTP: nobody can listen on the way.
fn is_agent(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || AGENTS.contains(&ip))
}

impl AwsKeys {
    /// Whether they may be used at `now`: they are valid for five minutes more. Those without an end may not be kept.
    pub fn hold_at(&self, now: SystemTime) -> bool {
        self.expires.and_then(|expires| expires.duration_since(now).ok()).is_some_and(|left| left > MARGIN)
    }

    /// The credential with these keys.
    #[must_use]
    pub fn complete(&self, credential: &Credential) -> Credential {
        let mut completed = credential.clone();
        completed.username = Some(self.id.clone());
        completed.password = Some(self.secret.clone());
        completed.mechanism_properties.aws_session_token.clone_from(&self.session_token);
        completed
    }
}

#[cfg(feature = "aws-auth")]
mod json {
    use bson::DateTime;
    use serde::Deserialize;

    use super::{AwsError, AwsKeys, Secret};

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        code: Option<String>,
        access_key_id: Option<String>,
        secret_access_key: Option<String>,
        token: Option<String>,
        expiration: Option<String>,
    }

    impl AwsKeys {
        /// Reads what a container's agent or the metadata service has answered.
        ///
        /// # Errors
        /// [`AwsError::Endpoint`] says what is wrong with it, without quoting it.
        pub fn parse(answer: &[u8]) -> Result<Self, AwsError> {
            let invalid = |reason: &str| AwsError::Endpoint(reason.to_owned());
            let answer: Answer = serde_json::from_slice(answer).map_err(|_| invalid("the answer is not JSON"))?;
            if let Some(code) = answer.code.filter(|code| code != "Success") {
                let code: String = code.chars().take(100).collect();
                return Err(AwsError::Endpoint(format!("the answer is \"{code}\"")));
            }
            let expires = match answer.expiration {
                Some(text) => {
                    let date = DateTime::parse_rfc3339_str(&text);
                    Some(date.map_err(|_| invalid("the answer has no valid \"Expiration\""))?.to_system_time())
                }
                None => None,
            };
            Ok(Self {
                id: answer.access_key_id.ok_or_else(|| invalid("the answer has no \"AccessKeyId\""))?,
                secret: answer
                    .secret_access_key
                    .ok_or_else(|| invalid("the answer has no \"SecretAccessKey\""))?
                    .into(),
                session_token: answer.token.map(Secret::from),
                expires,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<KeySource, AwsError> {
        KeySource::find(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    const WEB: [(&str, &str); 2] = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")];
    const RELATIVE: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");
    const FULL: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:81/y?z=1");

    fn container(url: &str, authorization: Option<Authorization>) -> Result<KeySource, AwsError> {
        Ok(KeySource::Container { url: url.to_owned(), authorization })
    }

    fn instance(endpoint: &str) -> Result<KeySource, AwsError> {
        Ok(KeySource::Instance { endpoint: endpoint.to_owned() })
    }

    #[test]
    fn sources_are_tried_in_the_order_of_the_specification() {
        let all = [KEYS[0], KEYS[1], WEB[0], WEB[1], RELATIVE, FULL];
        let Ok(KeySource::Environment(keys)) = find(&all) else { panic!("the environment goes first") };
        assert_eq!((keys.id.as_str(), keys.secret.expose(), keys.session_token), ("id", "key", None));
        assert_eq!(find(&all[2..]), Err(AwsError::WebIdentity));
        assert_eq!(find(&all[3..]), container("http://169.254.170.2/v2/x", None));
        assert_eq!(find(&all[5..]), container("http://127.0.0.1:81/y?z=1", None));
        assert_eq!(find(&[]), instance("http://169.254.169.254"));
        // One key alone, or one that is empty, is none.
        assert_eq!(find(&KEYS[..1]), find(&[]));
        assert_eq!(find(&[KEYS[0], (KEYS[1].0, "")]), find(&[]));
    }

    #[test]
    fn an_agent_may_have_to_be_shown_something() {
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken");
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/token");
        assert_eq!(find(&[FULL, token]), container(FULL.1, Some(Authorization::Token("t0ken".into()))));
        assert_eq!(find(&[FULL, token, file]), container(FULL.1, Some(Authorization::File("/var/token".into()))));
        assert!(!format!("{:?}", find(&[FULL, token])).contains("t0ken"));
    }

    #[test]
    fn keys_are_asked_only_of_those_whom_nobody_can_overhear() {
        let full = |url| find(&[(FULL.0, url)]);
        for url in ["http://localhost/", "http://[::1]:8/x", "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1"] {
            assert_eq!(full(url), container(url, None));
        }
        for url in [
            "https://127.0.0.1/",
            "http://evil.example/",
            "http://169.254.169.254/",
            "http://127.0.0.1@evil.example/",
            "http://localhost.evil.example/",
            "ftp://localhost/",
            "localhost",
        ] {
            assert_eq!(full(url), Err(AwsError::UntrustedEndpoint(url.to_owned())));
        }
    }

    #[test]
    fn the_metadata_service_can_be_elsewhere_or_left_alone() {
        let elsewhere = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:8000/");
        assert_eq!(find(&[elsewhere]), instance("http://127.0.0.1:8000"));
        assert_eq!(find(&[elsewhere, ("AWS_EC2_METADATA_DISABLED", "True")]), Err(AwsError::NoKeys));
    }

    #[test]
    fn keys_are_used_until_five_minutes_before_their_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let keys = |expires| AwsKeys { id: "id".into(), secret: "key".into(), session_token: None, expires };
        assert!(!keys(None).hold_at(now));
        assert!(keys(Some(now + Duration::from_secs(301))).hold_at(now));
        assert!(!keys(Some(now + Duration::from_secs(300))).hold_at(now));
        assert!(!keys(Some(now - Duration::from_secs(1))).hold_at(now));
    }

    #[cfg(feature = "aws-auth")]
    #[test]
    fn answers_are_read_and_judged() {
        let answer = br#"{ "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "id", "SecretAccessKey": "k3y",
            "Token": "t0ken", "Expiration": "1970-01-12T13:46:40Z" }"#;
        let keys = AwsKeys::parse(answer).unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.expose()), ("id", "k3y"));
        assert_eq!(keys.session_token.as_ref().unwrap().expose(), "t0ken");
        assert_eq!(keys.expires, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)));
        assert!(!format!("{keys:?}").contains("k3y") && !format!("{keys:?}").contains("t0ken"));
        for (answer, reason) in [
            ("no JSON with k3y", "not JSON"),
            (r#"{ "SecretAccessKey": "k3y" }"#, "AccessKeyId"),
            (r#"{ "AccessKeyId": "id" }"#, "SecretAccessKey"),
            (r#"{ "AccessKeyId": "id", "SecretAccessKey": "k3y", "Expiration": "soon" }"#, "Expiration"),
            (r#"{ "Code": "AssumeRoleUnauthorizedAccess" }"#, "AssumeRoleUnauthorizedAccess"),
        ] {
            let error = AwsKeys::parse(answer.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("k3y"), "{error}");
        }
    }
}
