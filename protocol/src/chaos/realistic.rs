//! Plans that nobody has to write.

use std::time::Duration;

use super::{
    decide::mix,
    plan::{FaultPlan, MessageFault, Rule, SocketFault},
};

impl FaultPlan {
    /// A plan of faults that the real world can produce, which ones and how often drawn from the seed: crashes, stops and
    /// stalls of actors, messages that are late, connections that are closed, reset, held up or damaged.
    ///
    /// Its faults are rare enough for an application to go on: each site is spared at least 19 times of 20.
    #[must_use]
    pub fn realistic(seed: u64) -> Self {
        let mut drawn = seed;
        let mut draw = || {
            drawn = mix(drawn);
            drawn
        };
        let delay = Duration::from_millis(draw() % 50 + 1);
        let held_up = Duration::from_millis(draw() % 500 + 10);
        let rules = [
            Rule::message(MessageFault::Panic),
            Rule::message(MessageFault::Panic).after(),
            Rule::message(MessageFault::Stop),
            Rule::message(MessageFault::Kill).role("connection"),
            Rule::message(MessageFault::Delay(delay)),
            Rule::message(MessageFault::Drop),
            Rule::socket(SocketFault::CloseBeforeWrite),
            Rule::socket(SocketFault::CloseInWrite),
            Rule::socket(SocketFault::CloseBeforeReply),
            Rule::socket(SocketFault::Reset),
            Rule::socket(SocketFault::Stall(held_up)),
            Rule::socket(SocketFault::Corrupt),
        ];
        let mut plan = Self::new(seed);
        for rule in rules {
            // About half of the kinds are in a plan, so that plans differ by more than their draws.
            if draw() % 2 == 0 {
                let chance = (draw() % 50 + 1) as f64 / 1000.0;
                plan = plan.rule(rule.chance(chance / 12.0));
            }
        }
        plan
    }
}
