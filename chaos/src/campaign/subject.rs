//! What a campaign runs.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::record::{Against, RunRecord};

/// Something that can be attacked by a seed.
pub trait Subject: Send + Sync + 'static {
    /// What the runs go against.
    fn against(&self) -> Against;

    /// How many runs may be made at the same time.
    fn at_a_time(&self) -> usize;

    /// How long a run may really go on without a beat of its pulse. One that takes longer is stuck.
    fn limit(&self) -> Duration;

    /// Makes the run that follows from `seed`, and returns when it is over.
    fn run(&self, seed: u64, pulse: &Pulse) -> RunRecord;
}

/// Shows that a run goes on.
#[derive(Debug, Default)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// The run has come a little further.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Makes a run. If it panics or is stuck, that is its violation.
///
/// A thread cannot be ended from outside: that of a run that is stuck goes on until the program ends.
pub(super) fn run_contained(subject: &Arc<dyn Subject>, seed: u64) -> RunRecord {
    let (done, outcome) = mpsc::channel();
    let (running, pulse) = (subject.clone(), Arc::new(Pulse::default()));
    let beating = pulse.clone();
    let run = move || {
        let run = catch_unwind(AssertUnwindSafe(|| running.run(seed, &beating)));
        // Nobody waits any more for one that was stuck.
        drop(done.send(run.map_err(|payload| text_of(&*payload))));
    };
    let thread = thread::Builder::new().name(format!("seed {seed}")).spawn(run);
    let violation = match thread.map(|_| end(&outcome, &pulse, subject.limit())) {
        Ok(Some(Ok(run))) => return run,
        Ok(Some(Err(text))) => format!("the run panicked: {text}"),
        Ok(None) => format!("the run is stuck: it has not come any further in {:?}", subject.limit()),
        Err(error) => format!("the run could not be made: {error}"),
    };
    let mut run = RunRecord::new(seed, subject.against());
    run.violations.push(violation);
    run
}

/// What comes of a run; none when it is stuck.
fn end<T>(outcome: &mpsc::Receiver<T>, pulse: &Pulse, limit: Duration) -> Option<T> {
    loop {
        let before = pulse.beats();
        match outcome.recv_timeout(limit) {
            Ok(outcome) => return Some(outcome),
            Err(RecvTimeoutError::Timeout) if pulse.beats() != before => {}
            Err(_) => return None,
        }
    }
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
