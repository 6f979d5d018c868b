use std::time::Duration;

use super::*;

const POOL: &str = "supervisor/topology/connection-pool[db0:27017]";

fn message(name: &str) -> Site {
    Site::message("connection-pool", POOL, name, MessageClass::Ticket, Moment::Before)
}

fn socket(command: &str, step: SocketStep) -> Site {
    Site::socket("db0:27017", Some(command), step)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// At which of so many occurrences the plan fires.
fn occurrences(plan: FaultPlan, site: &Site, times: u64) -> Vec<u64> {
    let mut decider = Decider::new(plan);
    (0..times).filter_map(|_| decider.decide(site, Duration::ZERO)).map(|firing| firing.ordinal).collect()
}

#[test]
fn what_is_decided_at_a_site_does_not_depend_on_the_order_of_the_others() {
    let plan = FaultPlan::new(3).rule(Rule::message(MessageFault::Panic).chance(0.3));
    let (first, second) = (message("CheckOut"), message("CheckedIn"));
    let mut one_by_one = Decider::new(plan.clone());
    let mut mixed = Decider::new(plan);
    let mut decided = Vec::new();
    for site in [&first, &second] {
        decided.extend((0..50).filter_map(|_| one_by_one.decide(site, Duration::ZERO)));
    }
    let mut again: Vec<_> =
        (0..50).flat_map(|_| [&second, &first]).filter_map(|site| mixed.decide(site, Duration::ZERO)).collect();
    let key = |firing: &Firing| (firing.site.to_string(), firing.ordinal);
    decided.sort_by_key(key);
    again.sort_by_key(key);
    assert!(!decided.is_empty());
    assert_eq!(decided, again);
}

#[test]
fn a_chance_is_kept_and_seeds_differ() {
    let fired = |seed| {
        let plan = FaultPlan::new(seed).rule(Rule::message(MessageFault::Panic).chance(0.2)).limit(u32::MAX);
        occurrences(plan, &message("CheckOut"), 10_000)
    };
    let (one, other) = (fired(1), fired(2));
    for count in [one.len(), other.len()] {
        assert!((1_800..2_200).contains(&count), "{count} of 10,000 with a chance of 0.2");
    }
    assert_ne!(one, other);
    assert_eq!(one, fired(1));
}

#[test]
fn each_condition_narrows_a_rule() {
    let all = |rule: Rule, site: &Site| occurrences(FaultPlan::new(0).rule(rule), site, 3);
    let panic = || Rule::message(MessageFault::Panic);
    assert_eq!(all(panic(), &message("CheckOut")), [1, 2, 3]);
    assert_eq!(all(panic().nth(2), &message("CheckOut")), [2]);
    assert_eq!(all(panic().limit(1), &message("CheckOut")), [1]);
    assert_eq!(all(panic().on("CheckedIn"), &message("CheckOut")), [] as [u64; 0]);
    assert_eq!(all(panic().role("topology"), &message("CheckOut")), [] as [u64; 0]);
    assert_eq!(all(panic().at(POOL), &message("CheckOut")), [1, 2, 3]);
    assert_eq!(all(panic().server("db0:27017"), &message("CheckOut")), [1, 2, 3]);
    assert_eq!(all(panic().server("db1:27017"), &message("CheckOut")), [] as [u64; 0]);
    assert_eq!(all(panic().after(), &message("CheckOut")), [] as [u64; 0]);
    assert_eq!(all(panic(), &socket("find", SocketStep::Write)), [] as [u64; 0]);
    let close = || Rule::socket(SocketFault::CloseBeforeReply);
    assert_eq!(all(close().command("find"), &socket("find", SocketStep::Read)), [1, 2, 3]);
    assert_eq!(all(close().command("find"), &socket("insert", SocketStep::Read)), [] as [u64; 0]);
    assert_eq!(all(close(), &socket("find", SocketStep::Write)), [] as [u64; 0], "not at this step");
}

#[test]
fn only_what_may_be_lost_is_lost() {
    let drop = || FaultPlan::new(0).rule(Rule::message(MessageFault::Drop));
    for (class, may_be_lost) in [
        (MessageClass::Ticket, true),
        (MessageClass::Periodic, true),
        (MessageClass::State, false),
        (MessageClass::Barrier, false),
    ] {
        let site = Site::message("topology", "supervisor/topology", "ServerChecked", class, Moment::Before);
        assert_eq!(!occurrences(drop(), &site, 1).is_empty(), may_be_lost, "{class:?}");
    }
}

#[test]
fn a_plan_ends_by_its_window_its_limit_and_its_time() {
    let site = message("CheckOut");
    let always = Rule::message(MessageFault::Panic);
    let mut decider = Decider::new(FaultPlan::new(0).rule(always.clone().between(seconds(1), seconds(2))));
    let at = [0, 1, 2].map(|second| decider.decide(&site, seconds(second)).is_some());
    assert_eq!(at, [false, true, false]);
    assert_eq!(occurrences(FaultPlan::new(0).rule(always.clone()).limit(2), &site, 5), [1, 2]);
    let mut decider = Decider::new(FaultPlan::new(0).rule(always).time_to_live(seconds(5)));
    assert!(decider.decide(&site, seconds(4)).is_some());
    assert!(decider.decide(&site, seconds(5)).is_none());
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_by_its_rule() {
    let fine = Rule::message(MessageFault::Panic);
    for wrong in [
        fine.clone().chance(1.1),
        fine.clone().chance(f64::NAN),
        fine.clone().nth(0),
        fine.clone().between(seconds(2), seconds(1)),
        fine.clone().command("find"),
        Rule::socket(SocketFault::Reset).role("topology"),
        Rule::message(MessageFault::Drop).after(),
    ] {
        let plan = FaultPlan::new(0).rule(fine.clone()).rule(wrong);
        let refusal = plan.check().unwrap_err();
        assert_eq!(refusal.rule, 2, "{refusal}");
    }
    assert_eq!(FaultPlan::new(0).rule(fine).check(), Ok(()));
}

#[test]
fn realistic_plans_differ_make_sense_and_spare_most_sites() {
    let plans: Vec<_> = (0..50).map(FaultPlan::realistic).collect();
    assert!(plans.iter().all(|plan| plan.check().is_ok()));
    assert!(plans.windows(2).any(|pair| pair[0].rules().len() != pair[1].rules().len()));
    for plan in plans {
        let fired = occurrences(plan.limit(u32::MAX), &message("CheckOut"), 2_000).len();
        assert!(fired < 100, "{fired} of 2,000");
    }
}

fn recording(faults: u64) -> Recording {
    let mut recording = Recording::new(FaultPlan::new(9));
    for ordinal in 1..=faults {
        let fault = Fault::Message(MessageFault::Panic);
        recording.fired(Firing { at: seconds(ordinal), site: message("CheckOut"), ordinal, fault });
    }
    recording
}

#[test]
fn a_recording_can_be_saved_and_replayed() {
    let recording = recording(3);
    let loaded = Recording::from_json(&recording.to_json()).unwrap();
    assert_eq!(loaded, recording);
    assert_eq!(occurrences(loaded.replay(), &message("CheckOut"), 5), [1, 2, 3]);
    assert_eq!(occurrences(loaded.replay(), &message("CheckedIn"), 5), [] as [u64; 0]);
}

#[test]
fn shrinking_finds_the_faults_that_matter() {
    let matters: &[u64] = &[3, 17];
    let fails = |plan: FaultPlan| {
        let fired = occurrences(plan, &message("CheckOut"), 20);
        matters.iter().all(|fault| fired.contains(fault))
    };
    let mut shrinker = Shrinker::new(&recording(20));
    let mut runs = 0;
    while let Some(plan) = shrinker.candidate() {
        runs += 1;
        assert!(runs < 200);
        shrinker.tried(fails(plan));
    }
    assert_eq!(occurrences(shrinker.smallest(), &message("CheckOut"), 20), matters);
}

#[test]
fn promises_are_held_against_what_was_recorded() {
    let mut recording = recording(1);
    let answered = recording.began("find", seconds(1));
    recording.ended(answered, seconds(2), End::Succeeded);
    let cancelled = recording.began("find", seconds(3));
    recording.ended(cancelled, seconds(3), End::Cancelled);
    assert_eq!(recording.no_lost_reply(), Ok(()));
    assert_eq!(recording.recovers_within(seconds(1)), Ok(()));
    assert_eq!(recording.recovery_times(), [seconds(1)]);
    assert!(recording.recovers_within(Duration::from_millis(999)).is_err());

    let open = recording.began("insert", seconds(4));
    let violation = recording.no_lost_reply().unwrap_err().to_string();
    assert!(violation.contains("insert") && violation.contains("seed 9"), "{violation}");
    recording.ended(open, seconds(5), End::Lost);
    assert!(recording.no_lost_reply().is_err());

    recording.took(Resource::Session);
    assert!(recording.no_leak().is_err());
    recording.gave_back(Resource::Session);
    assert_eq!(recording.no_leak(), Ok(()));

    assert_eq!(recording.acked_writes_once([1, 2], [1, 2, 3]), Ok(()));
    assert!(recording.acked_writes_once([1, 2], [1]).is_err());
    assert!(recording.acked_writes_once([1], [1, 2, 2]).is_err());
}
