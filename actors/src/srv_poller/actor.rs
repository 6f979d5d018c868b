//! The poller: one lookup after the other.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Supervised, fut::wrap_future};
use mongo_actors_protocol::{
    sdam::{SrvPolling, SrvRecord},
    uri::srv::SrvOptions,
};

use crate::{
    net::{DnsError, dns},
    runtime::{Address, Context, SupervisedActor, clock},
    shared::Shared,
    topology::{SrvUpdated, TopologyActor},
};

/// What a poller is made from.
pub(crate) struct SrvPollerPlan {
    pub(crate) shared: Arc<Shared>,
    pub(crate) topology: Address<TopologyActor>,
    pub(crate) srv: SrvOptions,
    /// Which start of the poller this is.
    pub(crate) tag: u64,
}

/// Follows the SRV records of one name.
pub(crate) struct SrvPollerActor {
    plan: SrvPollerPlan,
    polling: SrvPolling,
}

impl SrvPollerActor {
    pub(crate) fn new(plan: SrvPollerPlan) -> Self {
        let settings = &plan.shared.settings;
        let polling = SrvPolling::new(&settings.options, settings.conformance.srv_rescan_interval);
        Self { plan, polling }
    }

    fn look_up(&self, ctx: &mut Context<Self>) {
        let shared = self.plan.shared.clone();
        let name = self.plan.srv.query_name();
        let looking = async move {
            let options = &shared.settings.options;
            dns::srv_records(&options.resolver_config, &name, options.connect_timeout).await
        };
        ctx.spawn(wrap_future::<_, Self>(looking).map(|answer, actor, ctx: &mut Context<Self>| {
            let next = actor.looked_up(answer);
            ctx.set_deadline(Some(clock::now() + next));
        }));
    }

    /// Passes the answer on; says when to look again.
    fn looked_up(&self, answer: Result<Vec<SrvRecord>, DnsError>) -> Duration {
        let rescan = match answer {
            Ok(records) => self.polling.answered(&self.plan.srv, records),
            Err(error) => {
                tracing::warn!(target: "mongo_actors::topology", %error, "the hosts stay as they are");
                return self.polling.failed();
            }
        };
        for reason in &rescan.refused {
            tracing::warn!(target: "mongo_actors::topology", %reason, "an SRV record was ignored");
        }
        if !rescan.hosts.is_empty() {
            self.plan.topology.do_send(SrvUpdated { hosts: rescan.hosts, tag: self.plan.tag });
        }
        rescan.next
    }
}

impl Actor for SrvPollerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_deadline(Some(clock::now() + self.polling.first()));
    }
}

impl Supervised for SrvPollerActor {}

impl SupervisedActor for SrvPollerActor {
    fn deadline_reached(&mut self, ctx: &mut Context<Self>) {
        self.look_up(ctx);
    }
}
