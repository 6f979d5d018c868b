//! A short run against real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::time::Duration;

use mongo_actors_chaos::{
    Against,
    campaign::{Pulse, Subject},
    replica_set::RealSet,
};

#[test]
fn a_driver_that_is_attacked_together_with_its_servers_holds_what_it_promises() {
    let set = RealSet::start(Duration::from_secs(4)).unwrap();
    let run = set.run(11, &Pulse::default());
    assert_eq!(run.violations, [] as [String; 0]);
    assert_eq!((run.seed, run.against), (11, Against::ReplicaSet));
    assert!(run.operations > 50 && run.outcomes["ok"] > 25, "{run:?}");
    assert!(run.faults.len() > 1, "{:?}", run.faults);
}
