use bson::{RawDocumentBuf, oid::ObjectId, rawdoc};

use super::*;
use crate::sdam::{HelloReply, RoundTripTime};

const MS: Duration = Duration::from_millis(1);

struct Driven {
    monitor: Monitor,
    now: Instant,
}

#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
fn started(settings: MonitorSettings) -> Driven {
    let now = Instant::now();
    let mut monitor = Monitor::new("a".parse().unwrap(), settings);
    monitor.start(now);
    Driven { monitor, now }
}

fn polling() -> MonitorSettings {
    MonitorSettings { mode: ServerMonitoringMode::Poll, ..MonitorSettings::default() }
}

fn reply(streams: bool) -> HelloReply {
    let mut reply: RawDocumentBuf = rawdoc! { "ok": 1, "helloOk": true, "maxWireVersion": 21 };
    if streams {
        reply.append(bson::raw::cstr!("topologyVersion"), version().to_document());
    }
    HelloReply::from_document(&reply).unwrap()
}

fn version() -> TopologyVersion {
    TopologyVersion { process_id: ObjectId::from_bytes([1; 12]), counter: 4 }
}

impl Driven {
    fn actions(&mut self) -> Vec<MonitorAction> {
        std::iter::from_fn(|| self.monitor.poll_action()).collect()
    }

    fn answer(&mut self, streams: bool, took: Duration, more: bool) -> Vec<MonitorAction> {
        self.actions();
        self.now += took;
        self.monitor.hello_received(self.now, &reply(streams), took, more);
        self.actions()
    }

    fn fail(&mut self, error: CheckError) -> Vec<MonitorAction> {
        self.actions();
        self.monitor.check_failed(self.now, error);
        self.actions()
    }

    fn pass(&mut self, time: Duration) -> Vec<MonitorAction> {
        self.now += time;
        self.monitor.on_deadline(self.now);
        self.actions()
    }

    /// How long until the deadline.
    fn left(&self) -> Option<Duration> {
        self.monitor.next_deadline().map(|deadline| deadline.saturating_duration_since(self.now))
    }
}

fn hello(hello: bool) -> MonitorAction {
    MonitorAction::SendHello(HelloRequest { hello, awaited: None })
}

fn awaited_hello() -> MonitorAction {
    let awaited = AwaitedHello { topology_version: version(), max_await_time: Duration::from_secs(10) };
    MonitorAction::SendHello(HelloRequest { hello: true, awaited: Some(awaited) })
}

fn started_event(awaited: bool) -> MonitorAction {
    MonitorAction::HeartbeatStarted { awaited }
}

#[test]
fn the_heartbeat_starts_before_the_socket_opens() {
    let mut driven = started(MonitorSettings::default());
    assert_eq!(driven.actions(), [started_event(false), MonitorAction::Connect { hello: false }]);
    assert_eq!(driven.left(), Some(Duration::from_secs(20)));
    let mut driven = started(MonitorSettings { always_hello: true, ..MonitorSettings::default() });
    assert_eq!(driven.actions()[1], MonitorAction::Connect { hello: true });
}

#[test]
fn a_polled_server_is_asked_every_heartbeat_on_the_same_connection() {
    let mut driven = started(polling());
    let actions = driven.answer(true, 5 * MS, false);
    let [MonitorAction::HeartbeatSucceeded { duration, awaited: false }, MonitorAction::Report(outcome)] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(*duration, 5 * MS);
    let CheckOutcome::Checked(description) = outcome else { panic!("{outcome:?}") };
    assert_eq!(description.round_trip_time, Some(5 * MS));
    assert_eq!(description.min_round_trip_time, Duration::ZERO);
    assert_eq!(description.last_update_time, Some(driven.now));
    assert_eq!(driven.left(), Some(Duration::from_secs(10)));
    assert_eq!(driven.pass(Duration::from_secs(10)), [started_event(false), hello(true)]);
    let actions = driven.answer(true, 10 * MS, false);
    let MonitorAction::Report(CheckOutcome::Checked(description)) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(description.round_trip_time, Some(6 * MS));
    assert_eq!(description.min_round_trip_time, 5 * MS);
}

#[test]
fn a_function_service_polls_unless_told_otherwise() {
    let settings =
        |mode, function_as_a_service| MonitorSettings { mode, function_as_a_service, ..MonitorSettings::default() };
    assert!(settings(ServerMonitoringMode::Auto, false).streams());
    assert!(!settings(ServerMonitoringMode::Auto, true).streams());
    assert!(settings(ServerMonitoringMode::Stream, true).streams());
    assert!(!settings(ServerMonitoringMode::Poll, false).streams());
}

#[test]
fn a_streaming_server_is_read_without_pause() {
    let mut driven = started(MonitorSettings::default());
    let actions = driven.answer(true, 5 * MS, false);
    assert_eq!(actions[2..], [started_event(true), awaited_hello()]);
    // The reply may take a heartbeat and the time limit of a connection.
    driven.monitor.rtt_failed(driven.now);
    assert_eq!(driven.left(), Some(Duration::from_secs(10)), "the measurement of the round-trip time is due earlier");
    let actions = driven.answer(true, Duration::from_secs(9), true);
    assert_eq!(actions[0], MonitorAction::HeartbeatSucceeded { duration: Duration::from_secs(9), awaited: true });
    assert_eq!(actions[2..], [started_event(true), MonitorAction::ReadNext]);
    // Awaited replies say nothing about the round-trip time.
    assert_eq!(driven.monitor.rtt().average(), Some(5 * MS));
    // The server ended the stream: a new one is asked for.
    let actions = driven.answer(true, MS, false);
    assert_eq!(actions[2..], [started_event(true), awaited_hello()]);
}

#[test]
fn a_server_that_cannot_stream_is_polled() {
    let mut driven = started(MonitorSettings { mode: ServerMonitoringMode::Stream, ..MonitorSettings::default() });
    assert_eq!(driven.answer(false, MS, false).len(), 2);
    assert_eq!(driven.pass(Duration::from_secs(10)), [started_event(false), hello(true)]);
}

#[test]
fn silence_is_a_timeout() {
    let mut driven = started(polling());
    driven.answer(true, MS, false);
    driven.pass(Duration::from_secs(10));
    assert!(driven.pass(Duration::from_secs(19)).is_empty());
    let actions = driven.pass(Duration::from_secs(1));
    let MonitorAction::Report(CheckOutcome::Failed(error)) = &actions[2] else { panic!("{actions:?}") };
    assert!(error.timed_out && error.network);
    assert_eq!(&*error.message, "the server at a:27017 did not answer hello within 20000 ms");
    // The server was known before: one more attempt at once, on a new connection.
    assert_eq!(actions[3..], [started_event(false), MonitorAction::Connect { hello: false }]);
}

#[test]
fn without_a_connect_timeout_silence_may_last() {
    let mut driven = started(MonitorSettings { connect_timeout: None, ..polling() });
    assert_eq!(driven.left(), None);
    driven.answer(true, MS, false);
    driven.pass(Duration::from_secs(10));
    assert_eq!(driven.left(), None);
}

#[test]
fn the_limit_of_an_awaited_reply_includes_the_heartbeat() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    for _ in 0..2 {
        assert_eq!(driven.pass(Duration::from_secs(10)), [MonitorAction::MeasureRtt { hello: true }]);
        driven.monitor.rtt_measured(driven.now, MS);
        assert!(matches!(driven.actions()[..], [MonitorAction::ReportRtt(_)]));
    }
    // Twenty seconds for the connection and ten for the heartbeat.
    assert_eq!(driven.pass(Duration::from_secs(10) - MS), []);
    let actions = driven.pass(MS);
    assert!(matches!(actions[0], MonitorAction::HeartbeatFailed { awaited: true, .. }), "{actions:?}");
}

#[test]
fn a_network_error_of_a_known_server_is_retried_once() {
    let mut driven = started(polling());
    driven.answer(true, MS, false);
    driven.pass(Duration::from_secs(10));
    let broken = CheckError::network("reset");
    let actions = driven.fail(broken.clone());
    assert_eq!(
        actions,
        [
            MonitorAction::HeartbeatFailed { duration: Duration::ZERO, awaited: false, error: broken.clone() },
            MonitorAction::CloseConnection,
            MonitorAction::Report(CheckOutcome::Failed(broken.clone())),
            started_event(false),
            MonitorAction::Connect { hello: false },
        ]
    );
    assert_eq!(driven.monitor.rtt().average(), None);
    // Now it is unknown: the monitor sleeps.
    assert_eq!(driven.fail(broken).len(), 3);
    assert_eq!(driven.left(), Some(Duration::from_secs(10)));
}

#[test]
fn a_refusal_is_not_retried_at_once() {
    let mut driven = started(polling());
    driven.answer(true, MS, false);
    driven.pass(Duration::from_secs(10));
    let actions = driven.fail(CheckError::reply("shutting down", Some(version())));
    assert!(matches!(actions.last(), Some(MonitorAction::Report(CheckOutcome::Failed(_)))));
    assert_eq!(driven.left(), Some(Duration::from_secs(10)));
}

#[test]
fn a_requested_check_keeps_the_least_distance() {
    let mut driven = started(polling());
    driven.answer(false, MS, false);
    driven.now += 100 * MS;
    driven.monitor.check_requested(driven.now);
    assert!(driven.actions().is_empty());
    assert_eq!(driven.left(), Some(400 * MS));
    assert_eq!(driven.pass(400 * MS).len(), 2);
    // One that comes during a check is ignored.
    driven.monitor.check_requested(driven.now);
    driven.answer(false, MS, false);
    assert_eq!(driven.left(), Some(Duration::from_secs(10)));
    driven.now += Duration::from_secs(2);
    driven.monitor.check_requested(driven.now);
    assert_eq!(driven.actions(), [started_event(false), hello(true)]);
}

#[test]
fn the_least_distance_can_be_chosen() {
    let mut driven = started(MonitorSettings { min_heartbeat_frequency: 50 * MS, ..polling() });
    driven.answer(false, MS, false);
    driven.now += 20 * MS;
    driven.monitor.check_requested(driven.now);
    assert!(driven.actions().is_empty());
    assert_eq!(driven.left(), Some(30 * MS));
    assert_eq!(driven.pass(30 * MS).len(), 2);
}

#[test]
fn a_cancelled_check_closes_its_connection_and_is_not_reported() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    driven.now += 50 * MS;
    driven.monitor.check_cancelled(driven.now);
    let actions = driven.actions();
    assert!(matches!(actions[0], MonitorAction::HeartbeatFailed { awaited: true, .. }));
    assert_eq!(actions[1..], [MonitorAction::CloseConnection]);
    driven.monitor.hello_received(driven.now, &reply(true), MS, true);
    assert!(driven.actions().is_empty(), "a reply to the cancelled check counts for nothing");
    driven.monitor.check_requested(driven.now);
    assert_eq!(driven.pass(500 * MS), [started_event(false), MonitorAction::Connect { hello: false }]);
}

#[test]
fn cancelling_between_checks_only_closes_the_connection() {
    let mut driven = started(polling());
    driven.answer(false, MS, false);
    driven.monitor.check_cancelled(driven.now);
    assert_eq!(driven.actions(), [MonitorAction::CloseConnection]);
    driven.monitor.check_cancelled(driven.now);
    assert!(driven.actions().is_empty());
    assert_eq!(driven.pass(Duration::from_secs(10))[1], MonitorAction::Connect { hello: false });
}

#[test]
fn the_round_trip_time_is_measured_beside_the_stream() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, 10 * MS, false);
    assert_eq!(driven.left(), Some(Duration::from_secs(10)));
    assert_eq!(driven.pass(Duration::from_secs(10)), [MonitorAction::MeasureRtt { hello: true }]);
    driven.monitor.rtt_measured(driven.now, 20 * MS);
    let measured = RoundTripTime { average: 12 * MS, minimum: 10 * MS };
    assert_eq!(driven.actions(), [MonitorAction::ReportRtt(measured)], "it counts at once");
    assert_eq!(driven.monitor.rtt().average(), Some(12 * MS));
    assert_eq!(driven.monitor.rtt().minimum(), 10 * MS);
    driven.pass(Duration::from_secs(10));
    // A failed measurement tells nothing about the server.
    driven.monitor.rtt_failed(driven.now);
    assert_eq!(driven.actions(), [MonitorAction::CloseRttConnection]);
    assert_eq!(driven.monitor.rtt().average(), Some(12 * MS));
    // A check that fails ends the measuring.
    let actions = driven.fail(CheckError::network("reset"));
    assert!(actions.contains(&MonitorAction::CloseRttConnection));
}

#[test]
fn a_superseded_primary_is_probed_at_once_and_found_silent_in_time() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    driven.monitor.probe_requested(driven.now);
    assert_eq!(driven.actions(), [MonitorAction::MeasureRtt { hello: true }]);
    assert_eq!(driven.left(), Some(SUPERSEDED_PATIENCE));
    assert_eq!(driven.pass(SUPERSEDED_PATIENCE), [MonitorAction::ReportSilence]);
    assert!(driven.pass(SUPERSEDED_PATIENCE).is_empty(), "it is said once");
}

#[test]
fn a_superseded_primary_that_answers_is_left_alone() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    driven.monitor.probe_requested(driven.now);
    driven.monitor.rtt_measured(driven.now, MS);
    driven.actions();
    assert!(driven.pass(SUPERSEDED_PATIENCE).is_empty());
}

#[test]
fn a_superseded_primary_that_breaks_the_probe_is_silent_at_once() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    driven.monitor.probe_requested(driven.now);
    driven.actions();
    driven.monitor.rtt_failed(driven.now);
    assert_eq!(driven.actions(), [MonitorAction::CloseRttConnection, MonitorAction::ReportSilence]);
}

#[test]
fn without_a_second_connection_the_next_check_is_the_probe() {
    let mut driven = started(polling());
    driven.answer(false, MS, false);
    driven.monitor.check_requested(driven.now);
    driven.monitor.probe_requested(driven.now);
    assert_eq!(driven.left(), Some(500 * MS), "checks are at least so far apart");
    driven.pass(500 * MS);
    assert_eq!(driven.left(), Some(SUPERSEDED_PATIENCE));
    assert_eq!(driven.pass(SUPERSEDED_PATIENCE), [MonitorAction::ReportSilence]);
    driven.monitor.probe_requested(driven.now);
    driven.answer(false, MS, false);
    assert!(driven.pass(SUPERSEDED_PATIENCE).is_empty());
}

#[test]
fn stopping_ends_everything() {
    let mut driven = started(MonitorSettings::default());
    driven.answer(true, MS, false);
    driven.monitor.stop(driven.now);
    let actions = driven.actions();
    assert!(matches!(actions[0], MonitorAction::HeartbeatFailed { .. }));
    assert_eq!(actions[1..], [MonitorAction::CloseConnection, MonitorAction::CloseRttConnection]);
    assert_eq!(driven.monitor.next_deadline(), None);
    driven.monitor.check_requested(driven.now);
    driven.monitor.check_cancelled(driven.now);
    assert!(driven.actions().is_empty());
}

#[test]
fn absurd_durations_do_no_harm() {
    let endless = MonitorSettings {
        heartbeat_frequency: Duration::MAX,
        connect_timeout: Some(Duration::MAX),
        ..MonitorSettings::default()
    };
    let mut driven = started(endless.clone());
    driven.answer(true, MS, false);
    let mut driven = started(MonitorSettings { mode: ServerMonitoringMode::Poll, ..endless });
    driven.answer(true, MS, false);
    assert!(driven.left().is_some());
}

#[test]
fn the_minimum_is_of_the_last_ten() {
    let mut rtt = RttEstimator::default();
    rtt.add_sample(MS);
    assert_eq!(rtt.minimum(), Duration::ZERO);
    for _ in 0..9 {
        rtt.add_sample(3 * MS);
    }
    assert_eq!(rtt.minimum(), MS);
    rtt.add_sample(3 * MS);
    assert_eq!(rtt.minimum(), 3 * MS);
    rtt.reset();
    assert_eq!((rtt.average(), rtt.minimum()), (None, Duration::ZERO));
}
