//! Whether a fault is due.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    plan::{Fault, FaultPlan, Rule},
    site::Site,
};

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// When, counted from when the plan was armed.
    pub at: Duration,
    /// Where.
    pub site: Site,
    /// The how manieth time it was that this site was reached, counted from 1.
    pub ordinal: u64,
    /// What.
    pub fault: Fault,
}

/// Carries a plan out. The same plan decides the same at the same site and count, in whatever order sites are reached.
#[derive(Debug)]
pub struct Decider {
    plan: FaultPlan,
    reached: HashMap<Site, u64>,
    /// How often each rule has fired.
    fired: Vec<u32>,
    total: u32,
}

impl Decider {
    /// Nothing was reached yet.
    pub fn new(plan: FaultPlan) -> Self {
        let fired = vec![0; plan.rules.len()];
        Self { plan, reached: HashMap::new(), fired, total: 0 }
    }

    /// The plan.
    pub fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// How many faults have fired.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// `site` is reached, so long after the plan was armed. Says what happens there, if anything does.
    pub fn decide(&mut self, site: &Site, at: Duration) -> Option<Firing> {
        let ordinal = self.reached.get(site).copied().unwrap_or(0) + 1;
        self.reached.insert(site.clone(), ordinal);
        if at >= self.plan.time_to_live || self.total >= self.plan.limit {
            return None;
        }
        let fault = self.recorded(site, ordinal).or_else(|| self.by_rule(site, ordinal, at))?;
        self.total += 1;
        Some(Firing { at, site: site.clone(), ordinal, fault })
    }

    fn recorded(&self, site: &Site, ordinal: u64) -> Option<Fault> {
        let mut recorded = self.plan.exactly.iter();
        recorded.find(|(where_, when, _)| *when == ordinal && where_ == site).map(|(.., fault)| *fault)
    }

    fn by_rule(&mut self, site: &Site, ordinal: u64, at: Duration) -> Option<Fault> {
        let (index, rule) =
            (self.plan.rules.iter().enumerate()).find(|(index, rule)| self.is_due(*index, rule, site, ordinal, at))?;
        self.fired[index] += 1;
        Some(rule.fault)
    }

    fn is_due(&self, index: usize, rule: &Rule, site: &Site, ordinal: u64, at: Duration) -> bool {
        rule.fits(site)
            && rule.nth.is_none_or(|nth| nth == ordinal)
            && rule.window.is_none_or(|(from, until)| (from..until).contains(&at))
            && rule.limit.is_none_or(|limit| self.fired[index] < limit)
            && rule.chance.is_none_or(|chance| draw(self.plan.seed, index, site, ordinal) < chance)
    }
}

/// A number of 0 to 1, below 1, that is drawn anew for each rule at each site and count.
fn draw(seed: u64, rule: usize, site: &Site, ordinal: u64) -> f64 {
    let rule = u64::try_from(rule).unwrap_or(u64::MAX);
    let mixed = [rule, site.digest(), ordinal].into_iter().fold(mix(seed), |mixed, part| mix(mixed ^ mix(part)));
    // A float holds 53 bits exactly.
    let drawn = (mixed >> 11) as f64;
    drawn / (1_u64 << 53) as f64
}

/// The finaliser of SplitMix64: every bit of the input changes half of the output's.
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
