//! Who is primary, and making it another.

use std::time::Duration;

use bson::{Document, doc, oid::ObjectId};
use futures_util::future::join_all;

use super::{Member, PATIENCE, ReplicaSet};
use crate::{
    background,
    error::{Error, Result},
    wait::{self, Look},
};

/// How long an old primary stays out of elections, at most, after it was asked to step down.
const STEP_DOWN_SECONDS: i32 = 60;
/// A step-up is asked for again and again, each with this limit.
const STEP_UP_LIMIT: Duration = Duration::from_secs(5);
/// So that a member that does not win is not kept busy with elections.
const STEP_UP_PAUSE: Duration = Duration::from_millis(75);

impl ReplicaSet {
    /// The present primary; waits up to 30 s for one.
    ///
    /// When two members think they are, it is the one of the later election.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is none for 30 s.
    pub async fn primary(&self) -> Result<Member> {
        self.wait_for_primary().await
    }

    /// The same as [`primary`](Self::primary), for use after the old one was killed or cut off.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is none for 30 s.
    pub async fn wait_for_primary(&self) -> Result<Member> {
        let members = self.members.clone();
        background::run(async move { wait_for_primary(&members, None).await }).await
    }

    /// Waits for a primary other than `old`; returns it.
    ///
    /// # Errors
    /// [`Error::Timeout`] when there is none for 30 s.
    pub async fn wait_for_primary_other_than(&self, old: &Member) -> Result<Member> {
        let (members, old) = (self.members.clone(), old.index());
        background::run(async move { wait_for_primary(&members, Some(old)).await }).await
    }

    /// The members that are secondaries at the moment.
    ///
    /// # Errors
    /// None at present; members that do not answer are left out.
    pub async fn secondaries(&self) -> Result<Vec<Member>> {
        let members = self.members.clone();
        background::run(async move {
            let seen = greet(&members).await;
            let secondaries = seen.into_iter().filter(|(_, hello)| flag(hello.as_ref(), "secondary"));
            Ok(secondaries.map(|(member, _)| member).collect())
        })
        .await
    }

    /// Waits until one member is primary, the other running members are secondaries or arbiters, and all agree who the
    /// primary is. Paused members must be resumed first.
    ///
    /// # Errors
    /// [`Error::Timeout`] after 30 s.
    pub async fn wait_until_healthy(&self) -> Result<()> {
        let members = self.members.clone();
        background::run(async move { wait_until_healthy(&members).await }).await
    }

    /// Asks the primary to step down and waits for the next one, which is returned.
    ///
    /// # Errors
    /// [`Error::Command`] when the primary refuses, [`Error::Timeout`] when no other takes over within 30 s.
    pub async fn step_down(&self) -> Result<Member> {
        let members = self.members.clone();
        background::run(async move {
            let old = wait_for_primary(&members, None).await?;
            let command = doc! { "replSetStepDown": STEP_DOWN_SECONDS, "secondaryCatchUpPeriodSecs": 10 };
            match old.run("admin", command, PATIENCE).await {
                // Servers before 4.2 close the connection instead of answering.
                Ok(_) | Err(Error::Network { .. }) => {}
                Err(error) => return Err(error),
            }
            let new = wait_for_primary(&members, Some(old.index())).await?;
            // Let the old primary be elected again at any time.
            let _ = old.run("admin", doc! { "replSetFreeze": 0 }, STEP_UP_LIMIT).await;
            Ok(new)
        })
        .await
    }

    /// Makes `member` the primary by an election and waits until it is.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it does not get elected within 30 s, for example an arbiter.
    pub async fn elect(&self, member: &Member) -> Result<()> {
        let (members, chosen) = (self.members.clone(), member.clone());
        background::run(async move { elect(&members, &chosen).await }).await
    }
}

fn flag(hello: Option<&Document>, name: &str) -> bool {
    hello.is_some_and(|hello| hello.get_bool(name).unwrap_or(false))
}

/// Asks all members at once who they are.
async fn greet(members: &[Member]) -> Vec<(Member, Option<Document>)> {
    let running = members.iter().filter(|member| member.is_running());
    let greetings = running.map(|member| async move { (member.clone(), member.hello_directly().await.ok()) });
    join_all(greetings).await
}

fn describe(seen: &[(Member, Option<Document>)]) -> String {
    let line = |(member, hello): &(Member, Option<Document>)| {
        let part = match hello {
            None => "does not answer",
            Some(hello) if flag(Some(hello), "isWritablePrimary") => "primary",
            Some(hello) if flag(Some(hello), "secondary") => "secondary",
            Some(hello) if flag(Some(hello), "arbiterOnly") => "arbiter",
            Some(_) => "neither primary nor secondary",
        };
        format!("{} {part}", member.direct_address())
    };
    seen.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// The member that says it is primary, of the latest election.
fn primary_among(seen: &[(Member, Option<Document>)]) -> Option<&Member> {
    let primaries = seen.iter().filter(|(_, hello)| flag(hello.as_ref(), "isWritablePrimary"));
    let election = |(_, hello): &&(Member, Option<Document>)| {
        let id = hello.as_ref().and_then(|hello| hello.get_object_id("electionId").ok());
        id.as_ref().map(ObjectId::bytes)
    };
    primaries.max_by_key(election).map(|(member, _)| member)
}

pub(super) async fn wait_for_primary(members: &[Member], other_than: Option<usize>) -> Result<Member> {
    wait::until("a primary", PATIENCE, || async {
        let seen = greet(members).await;
        match primary_among(&seen).filter(|member| Some(member.index()) != other_than) {
            Some(primary) => Ok(Look::Done(primary.clone())),
            None => Ok(Look::NotYet(describe(&seen))),
        }
    })
    .await
}

/// The primary, without waiting for an election.
pub(crate) async fn current_primary(members: &[Member]) -> Result<Member> {
    let seen = greet(members).await;
    primary_among(&seen).cloned().ok_or_else(|| Error::Invalid(format!("there is no primary: {}", describe(&seen))))
}

pub(super) async fn wait_until_healthy(members: &[Member]) -> Result<()> {
    wait::until("a healthy replica set", PATIENCE, || async {
        let seen = greet(members).await;
        let hellos: Vec<_> = seen.iter().map(|(_, hello)| hello.as_ref()).collect();
        let writable = hellos.iter().filter(|hello| flag(**hello, "isWritablePrimary")).count();
        let has_role = |hello: &Option<&Document>| {
            ["isWritablePrimary", "secondary", "arbiterOnly"].iter().any(|role| flag(*hello, role))
        };
        let mut names = hellos.iter().map(|hello| hello.and_then(|hello| hello.get_str("primary").ok()));
        let first = names.next().flatten();
        let agreed = first.is_some() && names.all(|name| name == first);
        match writable == 1 && agreed && hellos.iter().all(has_role) {
            true => Ok(Look::Done(())),
            false => Ok(Look::NotYet(describe(&seen))),
        }
    })
    .await
}

/// Waits until the configuration has come to all members, so that they can vote.
pub(super) async fn wait_until_configured(members: &[Member]) -> Result<()> {
    wait::until("the configuration to reach all members", PATIENCE, || async {
        let seen = greet(members).await;
        let knows = |(_, hello): &(Member, Option<Document>)| hello.as_ref().is_some_and(|h| h.contains_key("setName"));
        Ok(if seen.iter().all(knows) { Look::Done(()) } else { Look::NotYet(describe(&seen)) })
    })
    .await
}

pub(super) async fn elect(members: &[Member], chosen: &Member) -> Result<()> {
    let what = format!("the election of {}", chosen.direct_address());
    wait::until(&what, PATIENCE, || async {
        let seen = greet(members).await;
        if primary_among(&seen).is_some_and(|primary| primary.index() == chosen.index()) {
            return Ok(Look::Done(()));
        }
        match chosen.run("admin", doc! { "replSetStepUp": 1 }, STEP_UP_LIMIT).await {
            Ok(_) => Ok(Look::NotYet(describe(&seen))),
            Err(error) => {
                tokio::time::sleep(STEP_UP_PAUSE).await;
                Ok(Look::NotYet(format!("{}; {error}", describe(&seen))))
            }
        }
    })
    .await
}
