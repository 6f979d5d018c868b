//! Doing to servers, networks and actors what a plan says, and making it good again.

use std::time::Duration;

use mongo_actors::{Client, chaos::MessageFault};
use mongo_actors_testkit::{Break, Direction, Error, Member, Proxy, ReplicaSet, Result};
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{Blow, Event, Victim};
use crate::record::FiredFault;

/// What is under attack.
pub(super) struct Environment<'a> {
    pub(super) set: &'a ReplicaSet,
    pub(super) client: &'a Client,
    /// What times are counted from.
    pub(super) began: Instant,
}

impl Environment<'_> {
    /// Deals each blow when its time has come, one after the other; those are left out for which it is too late by
    /// `end`. Says what was done.
    pub(super) async fn suffer(&self, events: &[Event], since: Instant, end: Instant) -> Vec<FiredFault> {
        let mut dealt = Vec::new();
        for event in events {
            sleep_until(since + event.at).await;
            if Instant::now() >= end {
                break;
            }
            let at = self.began.elapsed();
            // What cannot be done now, as when no other member could be elected, is left out.
            if let Ok(Some((role, kind))) = self.deal(&event.blow).await {
                dealt.push(FiredFault { role, kind: kind.to_owned(), at });
            }
        }
        dealt
    }

    async fn deal(&self, blow: &Blow) -> Result<Option<(String, &'static str)>> {
        let of_server = |kind| Ok(Some(("server".to_owned(), kind)));
        let of_network = |kind| Ok(Some(("network".to_owned(), kind)));
        match blow {
            Blow::StepDown => {
                self.set.step_down().await?;
                of_server("step down")
            }
            Blow::Kill(victim, down) => {
                let member = self.member(*victim).await?;
                member.kill().await?;
                sleep(*down).await;
                member.start().await?;
                of_server("kill")
            }
            Blow::Restart(victim, down) => {
                let member = self.member(*victim).await?;
                member.stop().await?;
                sleep(*down).await;
                member.start().await?;
                of_server("restart")
            }
            Blow::Pause(victim, time) => {
                let member = self.member(*victim).await?;
                member.pause().await?;
                sleep(*time).await;
                member.resume()?;
                of_server("pause")
            }
            Blow::Slow(victim, latency, time) => {
                let proxy = self.proxy(*victim).await?;
                proxy.delay(Direction::Both, *latency);
                sleep(*time).await;
                proxy.delay(Direction::Both, Duration::ZERO);
                of_network("latency")
            }
            Blow::Silence(victim, direction, time) => {
                let proxy = self.proxy(*victim).await?;
                proxy.stall(*direction);
                sleep(*time).await;
                proxy.resume(*direction);
                of_network("silence")
            }
            Blow::Cut(victim) => {
                self.proxy(*victim).await?.cut().await;
                of_network("cut")
            }
            Blow::Refuse(victim, time) => {
                let proxy = self.proxy(*victim).await?;
                proxy.refuse().await.map_err(unusable)?;
                proxy.cut().await;
                sleep(*time).await;
                proxy.accept().await.map_err(unusable)?;
                of_network("refuse")
            }
            Blow::LoseReply(victim, command) => {
                let proxy = self.proxy(*victim).await?;
                let before = proxy.fired();
                proxy.arm(Break::before_reply(*command));
                // It may be a while until such a command comes, and none may come to a secondary.
                let fired = proxy.wait_for_fired(before + 1, Duration::from_secs(1)).await;
                fired.map(|()| Some(("network".to_owned(), "lost reply")))
            }
            Blow::Strike(role, fault) => {
                let chaos = self.client.chaos();
                let (struck, kind) = match fault {
                    MessageFault::Panic => (chaos.panic(*role, None), "panic"),
                    MessageFault::Stop => (chaos.stop(*role, None), "stop"),
                    MessageFault::Stall => (chaos.stall(*role, None), "stall"),
                    _ => (chaos.kill(*role, None), "kill"),
                };
                Ok((struck > 0).then(|| (role.to_string(), kind)))
            }
            Blow::KillRoot(down) => {
                let role = mongo_actors::supervision::Role::Supervisor;
                let struck = self.client.chaos().kill(role, None);
                sleep(*down).await;
                self.client.restart().await;
                Ok((struck > 0).then(|| (role.to_string(), "kill")))
            }
        }
    }

    async fn member(&self, victim: Victim) -> Result<Member> {
        match victim {
            Victim::Primary => self.set.primary().await,
            Victim::Member(index) => Ok(self.set.members()[index].clone()),
        }
    }

    async fn proxy(&self, victim: Victim) -> Result<Proxy> {
        let member = self.member(victim).await?;
        member.proxy().cloned().ok_or_else(|| Error::Invalid("the set is not behind proxies".into()))
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::Invalid(format!("a proxy does not obey: {error}"))
}

/// Ends every fault of servers and networks, and waits until the set is whole.
///
/// # Errors
/// The test kit's, when it cannot be made whole.
pub(super) async fn heal(set: &ReplicaSet) -> Result<()> {
    for member in set.members() {
        if let Some(proxy) = member.proxy() {
            proxy.heal().await.map_err(unusable)?;
        }
        match member.is_running() {
            // One that was not frozen goes on.
            true => member.resume()?,
            false => member.start().await?,
        }
    }
    set.wait_until_healthy().await
}
