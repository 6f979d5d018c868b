//! What can be chosen about the servers of a deployment.

use std::{collections::BTreeMap, ffi::OsString};

use bson::{Document, doc};

use crate::{
    error::{Error, Result},
    provision::{Mongod, Version},
    tls::ServerTls,
    wire::client::Credentials,
};

/// The choices every deployment has.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerOptions {
    pub(crate) mongod: Option<Mongod>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) arguments: Vec<OsString>,
    /// A parameter without a value is left at the server's default.
    pub(crate) parameters: BTreeMap<String, Option<String>>,
    pub(crate) unix_socket: bool,
    pub(crate) behind_proxies: bool,
    pub(crate) tls: Option<ServerTls>,
}

impl ServerOptions {
    pub(crate) fn check(&self) -> Result<()> {
        match self.tls.is_some() && self.behind_proxies {
            true => Err(Error::Invalid("a proxy cannot look into TLS: use one or the other".into())),
            false => Ok(()),
        }
    }

    /// The parameters to start a server of `version` with.
    pub(crate) fn parameters_for(&self, version: Version) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::from([
            ("enableTestCommands".to_owned(), Some("1".to_owned())),
            ("diagnosticDataCollectionEnabled".to_owned(), Some("false".to_owned())),
        ]);
        if version >= Version::new(5, 0, 0) {
            // Otherwise a primary takes fifteen seconds to end.
            parameters.insert("shutdownTimeoutMillisForSignaledShutdown".to_owned(), Some("100".to_owned()));
        }
        parameters.extend(self.parameters.clone());
        parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The setters of [`ServerOptions`], for a builder with the field `server`.
macro_rules! server_option_setters {
    () => {
        /// Uses this `mongod`. Default: [`Mongod::find`](crate::Mongod::find).
        pub fn mongod(mut self, mongod: crate::Mongod) -> Self {
            self.server.mongod = Some(mongod);
            self
        }

        /// Turns authentication on and creates one user in `admin` with the role `root`. Default: no authentication.
        ///
        /// Both texts must be printable ASCII.
        pub fn auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
            let credentials = crate::wire::client::Credentials { user: user.into(), password: password.into() };
            self.server.credentials = Some(credentials);
            self
        }

        /// Lets the servers speak TLS, and nothing else. Cannot be combined with proxies. Default: no TLS.
        pub fn tls(mut self, tls: crate::ServerTls) -> Self {
            self.server.tls = Some(tls);
            self
        }

        /// Adds a command line argument, such as `--networkMessageCompressors` (and then its value).
        pub fn arg(mut self, argument: impl Into<std::ffi::OsString>) -> Self {
            self.server.arguments.push(argument.into());
            self
        }

        /// Sets a server parameter at the start (`--setParameter name=value`). `enableTestCommands=1` is set unless set
        /// otherwise here.
        pub fn parameter(mut self, name: impl Into<String>, value: impl ToString) -> Self {
            self.server.parameters.insert(name.into(), Some(value.to_string()));
            self
        }

        /// Leaves a parameter the kit would set at the server's own default.
        pub fn default_parameter(mut self, name: impl Into<String>) -> Self {
            self.server.parameters.insert(name.into(), None);
            self
        }

        /// Lets the servers listen on a Unix socket too; see
        /// [`Member::socket_address`](crate::Member::socket_address). Default: no.
        pub fn unix_socket(mut self) -> Self {
            self.server.unix_socket = true;
            self
        }

        /// Puts a [`Proxy`](crate::Proxy) in front of every member, whose address the member goes by. Default: no.
        ///
        /// A driver then only ever sees the proxies, and so do the members of a replica set among themselves. The
        /// kit's own commands do not pass through them.
        pub fn behind_proxies(mut self) -> Self {
            self.server.behind_proxies = true;
            self
        }
    };
}
pub(crate) use server_option_setters;

/// The part of one member in a replica set. The default is an ordinary data-bearing voting member of priority 1.
///
/// ```
/// use mongo_actors_testkit::MemberOptions;
///
/// let far_away = MemberOptions::new().priority(0.0).tag("dc", "west");
/// # let _ = far_away;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MemberOptions {
    arbiter: bool,
    config: Document,
    tags: Document,
}

impl Default for MemberOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl MemberOptions {
    /// An ordinary member.
    pub fn new() -> Self {
        Self { arbiter: false, config: Document::new(), tags: Document::new() }
    }

    /// A member that votes but bears no data.
    #[must_use]
    pub fn arbiter(mut self) -> Self {
        self.arbiter = true;
        self.config("arbiterOnly", true)
    }

    /// How much the member strives to be the primary; 0 for never.
    #[must_use]
    pub fn priority(self, priority: f64) -> Self {
        self.config("priority", priority)
    }

    /// A member that drivers do not see; it cannot become primary.
    #[must_use]
    pub fn hidden(self) -> Self {
        self.config("hidden", true).priority(0.0)
    }

    /// A member without a vote; it cannot become primary.
    #[must_use]
    pub fn non_voting(self) -> Self {
        self.config("votes", 0).priority(0.0)
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name, value.into());
        self
    }

    /// Sets any field of the member's configuration document.
    #[must_use]
    pub fn config(mut self, field: impl Into<String>, value: impl Into<bson::Bson>) -> Self {
        self.config.insert(field, value);
        self
    }

    pub(crate) fn is_arbiter(&self) -> bool {
        self.arbiter
    }

    /// The member's entry in the configuration of the set.
    pub(crate) fn to_document(&self, index: usize, host: &str) -> Document {
        let id = i32::try_from(index).unwrap_or(i32::MAX);
        let mut document = doc! { "_id": id, "host": host };
        document.extend(self.config.clone());
        if !self.tags.is_empty() {
            document.insert("tags", self.tags.clone());
        }
        document
    }
}
