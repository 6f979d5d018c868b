//! A replica set.

mod elections;

pub(crate) use elections::current_primary;

use std::time::Duration;

use bson::{Bson, Document, doc};
use futures_util::future::try_join_all;

use super::{
    PATIENCE,
    launch::{Launch, create_root},
    member::Member,
    options::{MemberOptions, ServerOptions, server_option_setters},
    uri,
};
use crate::{
    background,
    error::{Error, Result},
    process::Directory,
    provision::Mongod,
    wire::client::Client,
};

const ELECTION_TIMEOUT: Duration = Duration::from_millis(1500);
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(250);
/// Also how long a member that is frozen or cut off keeps the others from electing another.
const HEARTBEAT_TIMEOUT_SECONDS: i32 = 2;

/// A replica set of `mongod` processes on the loopback interface, which ends when this value is dropped or the process
/// ends.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::ReplicaSet;
///
/// let set = ReplicaSet::start(3).await?;
/// let old = set.primary().await?;
/// old.kill().await?;
/// let new = set.wait_for_primary().await?;
/// assert_ne!(old.address(), new.address());
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// All futures of this type can be dropped; what they have begun is finished in the background.
#[derive(Debug)]
pub struct ReplicaSet {
    name: String,
    members: Vec<Member>,
    options: ServerOptions,
    /// Dropped after the servers have been killed.
    _directory: Directory,
}

/// Chooses how a [`ReplicaSet`] is started.
///
/// ```no_run
/// # async fn example() -> mongo_actors_testkit::Result<()> {
/// use mongo_actors_testkit::{MemberOptions, ReplicaSet};
///
/// let set = ReplicaSet::builder(2)
///     .member(1, MemberOptions::new().priority(0.5).tag("dc", "west"))
///     .with_member(MemberOptions::new().arbiter())
///     .auth("user", "secret")
///     .start()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ReplicaSetBuilder {
    name: String,
    members: Vec<MemberOptions>,
    settings: Document,
    journals_majority: bool,
    server: ServerOptions,
}

impl ReplicaSetBuilder {
    server_option_setters!();

    /// The name of the set. Default: `rs`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Chooses the part of the member at `index` (from 0); members up to there are added if they are not there yet.
    pub fn member(mut self, index: usize, options: MemberOptions) -> Self {
        if self.members.len() <= index {
            self.members.resize_with(index + 1, MemberOptions::new);
        }
        self.members[index] = options;
        self
    }

    /// Adds a member at the end.
    pub fn with_member(mut self, options: MemberOptions) -> Self {
        self.members.push(options);
        self
    }

    /// After how long without a primary the others elect one. Default: 1.5 seconds.
    pub fn election_timeout(self, timeout: Duration) -> Self {
        self.setting("electionTimeoutMillis", milliseconds(timeout))
    }

    /// Sets any field of `settings` in the configuration of the set. The kit's own are short election timeouts and
    /// heartbeats, and `chainingAllowed: false`.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<Bson>) -> Self {
        self.settings.insert(name, value);
        self
    }

    /// Whether a write with the concern `majority` is acknowledged only when its journal is on disk
    /// (`writeConcernMajorityJournalDefault`). Default: true.
    ///
    /// Without, such writes are several times faster on a slow disk; a member that is killed may lose the last of them,
    /// though not a majority of members.
    pub fn journals_majority(mut self, journals: bool) -> Self {
        self.journals_majority = journals;
        self
    }

    /// Starts the members and waits until member 0 (or another, if that one cannot) is primary and all others
    /// are ready.
    ///
    /// # Errors
    /// [`Error::Provision`] without a `mongod`, [`Error::Start`] with the end of the log when a member does not come
    /// up, [`Error::Command`] when the configuration is refused, [`Error::Timeout`] when the set does not get ready
    /// in 30 s.
    ///
    /// # Cancel safety
    /// Safe: the servers are then killed once they have started.
    pub async fn start(self) -> Result<ReplicaSet> {
        let mongod = match self.server.mongod.clone() {
            Some(mongod) => mongod,
            None => Mongod::find().await?,
        };
        background::run(async move { self.start_with(mongod).await }).await
    }

    async fn start_with(self, mongod: Mongod) -> Result<ReplicaSet> {
        if self.members.is_empty() || self.members[0].is_arbiter() {
            return Err(Error::Invalid("member 0 of a replica set must be there and bear data".into()));
        }
        let directory = Directory::create()?;
        let starts = self.members.iter().enumerate().map(|(index, member)| {
            let name = index.to_string();
            let launch =
                Launch::prepare(mongod.clone(), directory.path(), &name, &self.server, Some(self.name.as_str()));
            let (arbiter, proxied) = (member.is_arbiter(), self.server.behind_proxies);
            async move { Member::start_first(index, arbiter, launch?, proxied).await }
        });
        let members = try_join_all(starts).await?;
        let config = self.config(&members);
        let set = ReplicaSet { name: self.name, members, options: self.server, _directory: directory };
        set.initiate(config).await?;
        Ok(set)
    }

    fn config(&self, members: &[Member]) -> Document {
        let entries = self.members.iter().zip(members);
        let entries =
            entries.map(|(options, member)| options.to_document(member.index(), &member.address().to_string()));
        let mut settings = doc! {
            "electionTimeoutMillis": milliseconds(ELECTION_TIMEOUT),
            "heartbeatIntervalMillis": milliseconds(HEARTBEAT_INTERVAL),
            "heartbeatTimeoutSecs": HEARTBEAT_TIMEOUT_SECONDS,
            // A secondary that finds itself behind the start of another's oplog, as happens while a set is young,
            // would not copy from it for a minute, not even when it becomes the primary.
            "chainingAllowed": false,
        };
        settings.extend(self.settings.clone());
        doc! {
            "_id": &self.name, "members": entries.collect::<Vec<_>>(), "settings": settings,
            "writeConcernMajorityJournalDefault": self.journals_majority,
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl ReplicaSet {
    /// Starts a set of `members` ordinary members.
    ///
    /// # Errors
    /// As [`ReplicaSetBuilder::start`].
    pub async fn start(members: usize) -> Result<Self> {
        Self::builder(members).start().await
    }

    /// Chooses options first, for a set of `members` ordinary members to begin with.
    pub fn builder(members: usize) -> ReplicaSetBuilder {
        ReplicaSetBuilder {
            name: "rs".to_owned(),
            members: vec![MemberOptions::new(); members],
            settings: Document::new(),
            journals_majority: true,
            server: ServerOptions::default(),
        }
    }

    async fn initiate(&self, config: Document) -> Result<()> {
        let first = &self.members[0];
        let mut client = Client::connect(first.direct_socket(), self.options.tls.as_ref(), None, PATIENCE).await?;
        client.command("admin", doc! { "replSetInitiate": config }, PATIENCE).await?;
        drop(client);
        elections::wait_until_configured(&self.members).await?;
        // Otherwise the election timeout would pass first.
        elections::elect(&self.members, first).await?;
        let primary = elections::wait_for_primary(&self.members, None).await?;
        create_root(primary.direct_socket(), &self.options).await?;
        for member in &self.members {
            member.set_credentials(self.options.credentials.clone());
        }
        elections::wait_until_healthy(&self.members).await
    }

    /// The name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members, in the order of the configuration.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this address (its own or its proxy's).
    pub fn member_at(&self, address: &mongo_actors_protocol::address::ServerAddress) -> Option<&Member> {
        self.members.iter().find(|member| member.address() == *address || member.direct_address() == *address)
    }

    /// A connection string that names all members, with the name of the set and
    /// credentials if there are any.
    pub fn uri(&self) -> String {
        self.uri_with(&[])
    }

    /// The connection string with further options, such as `("readPreference", "secondary")`.
    pub fn uri_with(&self, options: &[(&str, &str)]) -> String {
        self.compose(self.options.credentials.is_some(), options)
    }

    /// The connection string without credentials.
    pub fn uri_without_credentials(&self) -> String {
        self.compose(false, &[])
    }

    pub(crate) fn credentials(&self) -> Option<&crate::wire::client::Credentials> {
        self.options.credentials.as_ref()
    }

    fn compose(&self, with_credentials: bool, options: &[(&str, &str)]) -> String {
        let hosts: Vec<_> = self.members.iter().map(|member| member.address().to_string()).collect();
        let credentials = self.options.credentials.as_ref().filter(|_| with_credentials);
        let mut all = vec![("replicaSet", self.name.as_str())];
        all.extend_from_slice(options);
        uri::compose(&hosts, credentials, self.options.tls.as_ref(), &all)
    }
}

impl Drop for ReplicaSet {
    fn drop(&mut self) {
        self.members.iter().for_each(Member::end_now);
    }
}
