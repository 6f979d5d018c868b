//! Who the client claims to be, and the rules of each mechanism for saying so.

use std::{fmt, str::FromStr};

use super::secret::Secret;

/// The database that stands for users kept outside MongoDB.
pub const EXTERNAL_SOURCE: &str = "$external";

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMechanism {
    /// Salted challenge and response with SHA-1.
    ScramSha1,
    /// Salted challenge and response with SHA-256.
    ScramSha256,
    /// The subject of the client's TLS certificate.
    MongoDbX509,
    /// An AWS identity.
    MongoDbAws,
    /// A token of an OpenID Connect provider.
    MongoDbOidc,
    /// Kerberos.
    Gssapi,
    /// User name and password in the clear, usually for LDAP.
    Plain,
}

impl AuthMechanism {
    const ALL: [Self; 7] = [
        Self::ScramSha1,
        Self::ScramSha256,
        Self::MongoDbX509,
        Self::MongoDbAws,
        Self::MongoDbOidc,
        Self::Gssapi,
        Self::Plain,
    ];

    /// The mechanism's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::MongoDbX509 => "MONGODB-X509",
            Self::MongoDbAws => "MONGODB-AWS",
            Self::MongoDbOidc => "MONGODB-OIDC",
            Self::Gssapi => "GSSAPI",
            Self::Plain => "PLAIN",
        }
    }

    /// Whether its users live outside MongoDB, so that the source can only be `$external`.
    pub fn is_external(self) -> bool {
        matches!(self, Self::MongoDbX509 | Self::MongoDbAws | Self::MongoDbOidc | Self::Gssapi)
    }

    fn allows(self, property: &str) -> bool {
        match self {
            Self::Gssapi => {
                matches!(property, "SERVICE_NAME" | "SERVICE_HOST" | "SERVICE_REALM" | "CANONICALIZE_HOST_NAME")
            }
            Self::MongoDbAws => property == "AWS_SESSION_TOKEN",
            Self::MongoDbOidc => matches!(
                property,
                "ENVIRONMENT" | "TOKEN_RESOURCE" | "ALLOWED_HOSTS" | "OIDC_CALLBACK" | "OIDC_HUMAN_CALLBACK"
            ),
            Self::ScramSha1 | Self::ScramSha256 | Self::MongoDbX509 | Self::Plain => false,
        }
    }
}

impl fmt::Display for AuthMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuthMechanism {
    type Err = InvalidCredential;

    fn from_str(name: &str) -> Result<Self, InvalidCredential> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.as_str() == name)
            .ok_or_else(|| InvalidCredential::UnknownMechanism(name.to_owned()))
    }
}

/// How GSSAPI turns the server's host name into a service principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CanonicalizeHostName {
    /// The name as it was given.
    #[default]
    None,
    /// The name's canonical form as DNS gives it.
    Forward,
    /// The name that the address resolves back to.
    ForwardAndReverse,
}

impl CanonicalizeHostName {
    /// The value's name in a connection string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Forward => "forward",
            Self::ForwardAndReverse => "forwardAndReverse",
        }
    }
}

impl FromStr for CanonicalizeHostName {
    type Err = InvalidCredential;

    fn from_str(value: &str) -> Result<Self, InvalidCredential> {
        match value {
            "none" | "false" => Ok(Self::None),
            "forward" => Ok(Self::Forward),
            "forwardAndReverse" | "true" => Ok(Self::ForwardAndReverse),
            _ => Err(InvalidCredential::CanonicalizeHostName(value.to_owned())),
        }
    }
}

/// A workload environment that hands out OIDC tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OidcEnvironment {
    /// The drivers' own test environment.
    Test,
    /// Azure managed identities.
    Azure,
    /// Google Cloud service accounts.
    Gcp,
    /// Kubernetes service accounts.
    K8s,
}

impl OidcEnvironment {
    /// The environment's name in a connection string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::K8s => "k8s",
        }
    }

    fn needs_token_resource(self) -> bool {
        matches!(self, Self::Azure | Self::Gcp)
    }
}

impl FromStr for OidcEnvironment {
    type Err = InvalidCredential;

    fn from_str(value: &str) -> Result<Self, InvalidCredential> {
        [Self::Test, Self::Azure, Self::Gcp, Self::K8s]
            .into_iter()
            .find(|environment| environment.as_str() == value)
            .ok_or_else(|| InvalidCredential::UnknownEnvironment(value.to_owned()))
    }
}

/// The hosts that may receive a human's OIDC token unless `allowed_hosts` says otherwise.
pub const DEFAULT_ALLOWED_HOSTS: [&str; 8] = [
    "*.mongodb.net",
    "*.mongodb-qa.net",
    "*.mongodb-dev.net",
    "*.mongodbgov.net",
    "*.mongo.com",
    "localhost",
    "127.0.0.1",
    "::1",
];

/// The name of the Kerberos service unless `service_name` says otherwise.
pub const DEFAULT_SERVICE_NAME: &str = "mongodb";

/// What some mechanisms need beyond user name and password. A property that does not belong to the credential's
/// mechanism is an error.
///
/// Callbacks are code and are held by the client; here only their presence is noted, for validation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MechanismProperties {
    /// GSSAPI: name of the service, `mongodb` unless given.
    pub service_name: Option<String>,
    /// GSSAPI: host in the service principal, the server's own unless given.
    pub service_host: Option<String>,
    /// GSSAPI: realm of the service, the user's own unless given.
    pub service_realm: Option<String>,
    /// GSSAPI: how the host name is made canonical.
    pub canonicalize_host_name: Option<CanonicalizeHostName>,
    /// MONGODB-AWS: session token of temporary credentials.
    pub aws_session_token: Option<Secret>,
    /// MONGODB-OIDC: environment that hands out tokens.
    pub environment: Option<OidcEnvironment>,
    /// MONGODB-OIDC: audience of the token, for Azure and Google Cloud.
    pub token_resource: Option<String>,
    /// MONGODB-OIDC: hosts that may receive a human's token, exact or `*.suffix`;
    /// [`DEFAULT_ALLOWED_HOSTS`] unless given.
    pub allowed_hosts: Option<Vec<String>>,
    /// MONGODB-OIDC: whether the client was given a callback for workloads.
    pub has_machine_callback: bool,
    /// MONGODB-OIDC: whether the client was given a callback that asks a person.
    pub has_human_callback: bool,
}

impl MechanismProperties {
    /// Whether no property is given.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        [
            ("SERVICE_NAME", self.service_name.is_some()),
            ("SERVICE_HOST", self.service_host.is_some()),
            ("SERVICE_REALM", self.service_realm.is_some()),
            ("CANONICALIZE_HOST_NAME", self.canonicalize_host_name.is_some()),
            ("AWS_SESSION_TOKEN", self.aws_session_token.is_some()),
            ("ENVIRONMENT", self.environment.is_some()),
            ("TOKEN_RESOURCE", self.token_resource.is_some()),
            ("ALLOWED_HOSTS", self.allowed_hosts.is_some()),
            ("OIDC_CALLBACK", self.has_machine_callback),
            ("OIDC_HUMAN_CALLBACK", self.has_human_callback),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
    }

    /// The service name in force for GSSAPI.
    pub fn effective_service_name(&self) -> &str {
        self.service_name.as_deref().unwrap_or(DEFAULT_SERVICE_NAME)
    }

    /// Whether a human's OIDC token may be sent to `host`.
    pub fn allows_host(&self, host: &str) -> bool {
        let matches = |pattern: &str| match pattern.strip_prefix("*.") {
            Some(suffix) => {
                let host = host.to_ascii_lowercase();
                host.strip_suffix(&suffix.to_ascii_lowercase())
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => host.eq_ignore_ascii_case(pattern),
        };
        match &self.allowed_hosts {
            Some(patterns) => patterns.iter().any(|pattern| matches(pattern)),
            None => DEFAULT_ALLOWED_HOSTS.into_iter().any(matches),
        }
    }
}

/// Who the client claims to be. Its `Debug` output shows neither password nor tokens.
///
/// ```
/// use mongo_actors_protocol::auth::credential::Credential;
///
/// let credential = Credential::new("alice", "secret").with_source("people");
/// assert!(credential.validate().is_ok());
/// assert_eq!(credential.effective_source(), "people");
/// assert!(!format!("{credential:?}").contains("secret\""));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credential {
    /// User name; for MONGODB-AWS the access key id.
    pub username: Option<String>,
    /// Password; for MONGODB-AWS the secret access key.
    pub password: Option<Secret>,
    /// Database that knows the user; none means the mechanism's default.
    pub source: Option<String>,
    /// Mechanism; none lets server and driver agree on a SCRAM mechanism.
    pub mechanism: Option<AuthMechanism>,
    /// What the mechanism needs beyond that.
    pub mechanism_properties: MechanismProperties,
}

impl Credential {
    /// A user name and password, as they are, never percent-encoded.
    pub fn new(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { username: Some(username.into()), password: Some(password.into()), ..Self::default() }
    }

    /// A credential of a mechanism that needs no user name.
    pub fn of_mechanism(mechanism: AuthMechanism) -> Self {
        Self { mechanism: Some(mechanism), ..Self::default() }
    }

    /// The same for another mechanism.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: AuthMechanism) -> Self {
        self.mechanism = Some(mechanism);
        self
    }

    /// The same with the database that knows the user.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same with properties of its mechanism.
    #[must_use]
    pub fn with_mechanism_properties(mut self, properties: MechanismProperties) -> Self {
        self.mechanism_properties = properties;
        self
    }

    /// The database to authenticate against: `source` if given, else `$external` or `admin` by mechanism.
    pub fn effective_source(&self) -> &str {
        match (&self.source, self.mechanism) {
            (Some(source), _) => source,
            (None, Some(AuthMechanism::Plain)) => EXTERNAL_SOURCE,
            (None, Some(mechanism)) if mechanism.is_external() => EXTERNAL_SOURCE,
            (None, _) => "admin",
        }
    }

    /// Checks the rules of the mechanism.
    ///
    /// # Errors
    /// [`InvalidCredential`] says what is missing, contradictory or does not belong to the mechanism.
    pub fn validate(&self) -> Result<(), InvalidCredential> {
        let mechanism = self.mechanism.map_or("authentication", AuthMechanism::as_str);
        if self.source.as_deref() == Some("") {
            return Err(InvalidCredential::EmptySource);
        }
        self.check_source()?;
        self.check_properties(mechanism)?;
        match self.mechanism {
            None | Some(AuthMechanism::ScramSha1 | AuthMechanism::ScramSha256 | AuthMechanism::Plain) => {
                self.need_username(mechanism)?;
                self.need_password(mechanism)
            }
            Some(AuthMechanism::Gssapi) => self.need_username(mechanism),
            Some(AuthMechanism::MongoDbX509) => self.refuse_password(mechanism),
            Some(AuthMechanism::MongoDbAws) => self.check_aws(),
            Some(AuthMechanism::MongoDbOidc) => self.refuse_password(mechanism).and_then(|()| self.check_oidc()),
        }
    }

    fn check_source(&self) -> Result<(), InvalidCredential> {
        match (self.mechanism, &self.source) {
            (Some(mechanism), Some(source)) if mechanism.is_external() && source != EXTERNAL_SOURCE => {
                Err(InvalidCredential::SourceMustBeExternal { mechanism, given: source.clone() })
            }
            _ => Ok(()),
        }
    }

    fn check_properties(&self, mechanism: &'static str) -> Result<(), InvalidCredential> {
        let foreign = |name: &&str| self.mechanism.is_none_or(|mechanism| !mechanism.allows(name));
        match self.mechanism_properties.names().find(foreign) {
            Some(property) => Err(InvalidCredential::ForeignProperty { mechanism, property }),
            None => Ok(()),
        }
    }

    fn need_username(&self, mechanism: &'static str) -> Result<(), InvalidCredential> {
        match self.username.as_deref() {
            None | Some("") => Err(InvalidCredential::MissingUsername(mechanism)),
            Some(_) => Ok(()),
        }
    }

    fn need_password(&self, mechanism: &'static str) -> Result<(), InvalidCredential> {
        self.password.as_ref().map(|_| ()).ok_or(InvalidCredential::MissingPassword(mechanism))
    }

    fn refuse_password(&self, mechanism: &'static str) -> Result<(), InvalidCredential> {
        if self.password.is_some() {
            return Err(InvalidCredential::UnexpectedPassword(mechanism));
        }
        self.refuse_empty_username(mechanism)
    }

    /// A delimiter with nothing before it is a user name that was forgotten, even where none is needed.
    fn refuse_empty_username(&self, mechanism: &'static str) -> Result<(), InvalidCredential> {
        match self.username.as_deref() {
            Some("") => Err(InvalidCredential::MissingUsername(mechanism)),
            _ => Ok(()),
        }
    }

    fn check_aws(&self) -> Result<(), InvalidCredential> {
        let mechanism = AuthMechanism::MongoDbAws.as_str();
        self.refuse_empty_username(mechanism)?;
        match (&self.username, &self.password) {
            (Some(_), None) => Err(InvalidCredential::MissingPassword(mechanism)),
            (None, Some(_)) => Err(InvalidCredential::MissingUsername(mechanism)),
            (None, None) if self.mechanism_properties.aws_session_token.is_some() => {
                Err(InvalidCredential::SessionTokenAlone)
            }
            _ => Ok(()),
        }
    }

    fn check_oidc(&self) -> Result<(), InvalidCredential> {
        let properties = &self.mechanism_properties;
        if properties.has_machine_callback && properties.has_human_callback {
            return Err(InvalidCredential::TwoOidcCallbacks);
        }
        let has_callback = properties.has_machine_callback || properties.has_human_callback;
        if properties.allowed_hosts.is_some() && !properties.has_human_callback {
            return Err(InvalidCredential::AllowedHostsWithoutHumanCallback);
        }
        match properties.environment {
            Some(_) if has_callback => Err(InvalidCredential::OidcEnvironmentAndCallback),
            None if !has_callback => Err(InvalidCredential::NoOidcSource),
            Some(OidcEnvironment::Test) if self.username.is_some() => Err(InvalidCredential::UsernameInTestEnvironment),
            Some(environment) if environment.needs_token_resource() && properties.token_resource.is_none() => {
                Err(InvalidCredential::MissingTokenResource(environment.as_str()))
            }
            environment => match &properties.token_resource {
                Some(_) if !environment.is_some_and(OidcEnvironment::needs_token_resource) => {
                    Err(InvalidCredential::UnexpectedTokenResource)
                }
                _ => Ok(()),
            },
        }
    }
}

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCredential {
    /// A mechanism that does not exist.
    #[error(
        "\"{0}\" is not an authentication mechanism: use SCRAM-SHA-256, SCRAM-SHA-1, MONGODB-X509, MONGODB-AWS, \
         MONGODB-OIDC, GSSAPI, PLAIN or DEFAULT"
    )]
    UnknownMechanism(String),
    /// The mechanism needs a user name.
    #[error("{0} needs a user name")]
    MissingUsername(&'static str),
    /// The mechanism needs a password.
    #[error("{0} needs a password")]
    MissingPassword(&'static str),
    /// The mechanism takes no password.
    #[error("{0} takes no password: leave it out")]
    UnexpectedPassword(&'static str),
    /// An explicit, empty source.
    #[error("authSource is empty: name a database, or leave the option out")]
    EmptySource,
    /// The mechanism's users live outside MongoDB.
    #[error("{mechanism} works with authSource $external only, not \"{given}\"")]
    SourceMustBeExternal {
        /// The mechanism.
        mechanism: AuthMechanism,
        /// The source that was given.
        given: String,
    },
    /// A property of another mechanism.
    #[error("the mechanism property {property} does not belong to {mechanism}")]
    ForeignProperty {
        /// The credential's mechanism.
        mechanism: &'static str,
        /// The property.
        property: &'static str,
    },
    /// An unknown way to make a host name canonical.
    #[error("CANONICALIZE_HOST_NAME is \"{0}\": use none, forward or forwardAndReverse")]
    CanonicalizeHostName(String),
    /// A session token without the keys it belongs to.
    #[error("AWS_SESSION_TOKEN needs an access key id and a secret access key beside it")]
    SessionTokenAlone,
    /// An environment that does not exist.
    #[error("the OIDC ENVIRONMENT is \"{0}\": use azure, gcp, k8s or test")]
    UnknownEnvironment(String),
    /// No way to get a token.
    #[error("MONGODB-OIDC needs an ENVIRONMENT or a callback")]
    NoOidcSource,
    /// Two ways to get a token.
    #[error("MONGODB-OIDC takes an ENVIRONMENT or a callback, not both")]
    OidcEnvironmentAndCallback,
    /// Two callbacks.
    #[error("MONGODB-OIDC takes a machine callback or a human callback, not both")]
    TwoOidcCallbacks,
    /// A missing audience.
    #[error("the OIDC ENVIRONMENT {0} needs a TOKEN_RESOURCE")]
    MissingTokenResource(&'static str),
    /// An audience nobody reads.
    #[error("TOKEN_RESOURCE belongs to the OIDC environments azure and gcp only")]
    UnexpectedTokenResource,
    /// The test environment chooses the user itself.
    #[error("the OIDC ENVIRONMENT test takes no user name")]
    UsernameInTestEnvironment,
    /// A protection that would not be in force.
    #[error("ALLOWED_HOSTS protects the human callback only: add that callback or drop the hosts")]
    AllowedHostsWithoutHumanCallback,
}

impl InvalidCredential {
    /// The options that are at fault, by their names in a connection string.
    pub fn options(&self) -> &'static [&'static str] {
        match self {
            Self::UnknownMechanism(_) => &["authMechanism"],
            Self::MissingUsername(_) => &["username"],
            Self::MissingPassword(_) | Self::UnexpectedPassword(_) => &["password"],
            Self::EmptySource => &["authSource"],
            Self::SourceMustBeExternal { .. } => &["authMechanism", "authSource"],
            Self::UsernameInTestEnvironment => &["username", "authMechanismProperties"],
            _ => &["authMechanism", "authMechanismProperties"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oidc(change: impl FnOnce(&mut MechanismProperties)) -> Credential {
        let mut credential = Credential::of_mechanism(AuthMechanism::MongoDbOidc);
        change(&mut credential.mechanism_properties);
        credential
    }

    #[test]
    fn the_source_follows_the_mechanism() {
        let source = |mechanism| Credential::of_mechanism(mechanism).effective_source().to_owned();
        assert_eq!(Credential::new("a", "b").effective_source(), "admin");
        assert_eq!(source(AuthMechanism::ScramSha256), "admin");
        for mechanism in [AuthMechanism::Plain, AuthMechanism::Gssapi, AuthMechanism::MongoDbOidc] {
            assert_eq!(source(mechanism), "$external");
        }
    }

    #[test]
    fn oidc_takes_exactly_one_way_to_a_token() {
        assert_eq!(oidc(|_| ()).validate(), Err(InvalidCredential::NoOidcSource));
        let both = oidc(|p| {
            p.environment = Some(OidcEnvironment::K8s);
            p.has_machine_callback = true;
        });
        assert_eq!(both.validate(), Err(InvalidCredential::OidcEnvironmentAndCallback));
        let two = oidc(|p| {
            p.has_human_callback = true;
            p.has_machine_callback = true;
        });
        assert_eq!(two.validate(), Err(InvalidCredential::TwoOidcCallbacks));
        assert_eq!(oidc(|p| p.has_machine_callback = true).validate(), Ok(()));
    }

    #[test]
    fn oidc_environments_have_their_rules() {
        let azure = oidc(|p| p.environment = Some(OidcEnvironment::Azure));
        assert_eq!(azure.validate(), Err(InvalidCredential::MissingTokenResource("azure")));
        let k8s = oidc(|p| {
            p.environment = Some(OidcEnvironment::K8s);
            p.token_resource = Some("a".into());
        });
        assert_eq!(k8s.validate(), Err(InvalidCredential::UnexpectedTokenResource));
        let mut test = oidc(|p| p.environment = Some(OidcEnvironment::Test));
        test.username = Some("a".into());
        assert_eq!(test.validate(), Err(InvalidCredential::UsernameInTestEnvironment));
        let hosts = oidc(|p| {
            p.has_machine_callback = true;
            p.allowed_hosts = Some(vec![]);
        });
        assert_eq!(hosts.validate(), Err(InvalidCredential::AllowedHostsWithoutHumanCallback));
    }

    #[test]
    fn a_property_of_another_mechanism_is_refused() {
        let mut credential = Credential::new("a", "b");
        credential.mechanism_properties.service_name = Some("x".into());
        let expected = InvalidCredential::ForeignProperty { mechanism: "authentication", property: "SERVICE_NAME" };
        assert_eq!(credential.validate(), Err(expected));
    }

    #[test]
    fn allowed_hosts_match_exactly_or_by_suffix() {
        let properties = MechanismProperties::default();
        for host in ["localhost", "::1", "a.b.mongodb.net", "DB.Mongo.com"] {
            assert!(properties.allows_host(host), "{host}");
        }
        for host in ["mongodb.net", "evilmongodb.net", ".mongodb.net", "localhost.evil.com"] {
            assert!(!properties.allows_host(host), "{host}");
        }
        let nobody = MechanismProperties { allowed_hosts: Some(vec![]), ..Default::default() };
        assert!(!nobody.allows_host("localhost"));
    }

    #[test]
    fn debug_output_hides_secrets() {
        let mut credential = Credential::new("alice", "hunter2").with_mechanism(AuthMechanism::MongoDbAws);
        credential.mechanism_properties.aws_session_token = Some("t0ken".into());
        let printed = format!("{credential:#?}");
        assert!(printed.contains("alice") && !printed.contains("hunter2") && !printed.contains("t0ken"));
    }
}
