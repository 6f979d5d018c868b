//! The machine that decides about one server's checks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    AwaitedHello, CheckError, CheckOutcome, HelloRequest, MonitorSettings, RttEstimator, SUPERSEDED_PATIENCE, after,
    probe::RttProbe,
};
use crate::{
    address::ServerAddress,
    sdam::{HelloReply, RoundTripTime, ServerDescription, TopologyVersion},
};

/// What the shell around a [`Monitor`] has to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorAction {
    /// Publish that a heartbeat starts. Comes before its socket is opened.
    HeartbeatStarted {
        /// The server waits for a change before it answers.
        awaited: bool,
    },
    /// Publish that the server answered.
    HeartbeatSucceeded {
        /// Since the heartbeat started.
        duration: Duration,
        /// The server waited for a change before it answered.
        awaited: bool,
    },
    /// Publish that it did not, or with an error.
    HeartbeatFailed {
        /// Since the heartbeat started.
        duration: Duration,
        /// The server waited for a change.
        awaited: bool,
        /// What happened.
        error: CheckError,
    },
    /// Open a connection and make the handshake on it; its reply is the check's.
    Connect {
        /// Say `hello`; else its legacy form with `helloOk: true`.
        hello: bool,
    },
    /// Send this on the open connection and read the reply.
    SendHello(HelloRequest),
    /// Read the next of the replies that the server streams.
    ReadNext,
    /// Close the connection, whatever is going on on it.
    CloseConnection,
    /// Tell the topology.
    Report(CheckOutcome),
    /// Tell the topology how far away the server is by now.
    ReportRtt(RoundTripTime),
    /// Tell the topology that a server whose place as primary was taken does not answer.
    ReportSilence,
    /// Say a plain `hello` on the second connection, which is opened if need be; the duration of this, or of
    /// the handshake if it was opened, is the measured time. Publishes no event.
    MeasureRtt {
        /// Say `hello`; else its legacy form with `helloOk: true`.
        hello: bool,
    },
    /// Close the second connection, whatever is going on on it.
    CloseRttConnection,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Not started, or stopped for good.
    Stopped,
    /// Until the next check.
    Sleeping { earliest: Instant, until: Instant },
    /// A heartbeat is going on.
    Checking { since: Instant, awaited: bool, deadline: Option<Instant> },
}

/// The decisions of one server's monitor. It also keeps the deadlines of its own I/O, so that one timer drives it.
/// What a connection still yields after it was told to be closed must not be reported.
///
/// ```
/// use std::time::Instant;
/// use mongo_actors_protocol::sdam::monitor::{Monitor, MonitorAction, MonitorSettings};
///
/// let mut monitor = Monitor::new("localhost".parse().unwrap(), MonitorSettings::default());
/// monitor.start(Instant::now());
/// assert_eq!(monitor.poll_action(), Some(MonitorAction::HeartbeatStarted { awaited: false }));
/// assert_eq!(monitor.poll_action(), Some(MonitorAction::Connect { hello: false }));
/// ```
#[derive(Debug)]
pub struct Monitor {
    address: ServerAddress,
    settings: MonitorSettings,
    state: State,
    connected: bool,
    hello_ok: bool,
    /// Of the latest reply; none after a failure.
    topology_version: Option<TopologyVersion>,
    was_known: bool,
    rtt: RttEstimator,
    probe: RttProbe,
    /// Until when the server, superseded as primary, has to show that it is there.
    sign_of_life_due: Option<Instant>,
    actions: VecDeque<MonitorAction>,
}

impl Monitor {
    /// A monitor of the server at `address`. Nothing happens before [`start`](Self::start).
    pub fn new(address: ServerAddress, settings: MonitorSettings) -> Self {
        let settings = settings.within_reason();
        Self {
            address,
            hello_ok: settings.always_hello,
            settings,
            state: State::Stopped,
            connected: false,
            topology_version: None,
            was_known: false,
            rtt: RttEstimator::default(),
            probe: RttProbe::Off,
            sign_of_life_due: None,
            actions: VecDeque::new(),
        }
    }

    /// The server's address.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Begins with the first check.
    pub fn start(&mut self, now: Instant) {
        if self.state == State::Stopped {
            self.check(now);
        }
    }

    /// Ends for good, giving up whatever is going on.
    pub fn stop(&mut self, now: Instant) {
        self.abandon_heartbeat(now, "the monitor was stopped");
        self.state = State::Stopped;
        self.sign_of_life_due = None;
        self.close_connection();
        self.stop_measuring();
    }

    /// Someone needs to know now. Ignored while a check is going on; otherwise the next check comes at once, or
    /// [`MonitorSettings::min_heartbeat_frequency`] after the previous one.
    pub fn check_requested(&mut self, now: Instant) {
        if let State::Sleeping { earliest, until } = self.state {
            self.state = State::Sleeping { earliest, until: until.min(earliest.max(now)) };
            self.on_deadline(now);
        }
    }

    /// An application lost its connection to the server: the current check and its connection are given up.
    pub fn check_cancelled(&mut self, now: Instant) {
        if self.state == State::Stopped {
            return;
        }
        let checking = matches!(self.state, State::Checking { .. });
        self.abandon_heartbeat(now, "the check was cancelled because an operation lost its connection");
        self.close_connection();
        if checking {
            self.sleep(now);
        }
    }

    /// A newer primary was found: the second connection is used at once to see whether this server still answers, or
    /// its next check if there is no second connection. If nothing comes within [`SUPERSEDED_PATIENCE`],
    /// [`MonitorAction::ReportSilence`] follows.
    pub fn probe_requested(&mut self, now: Instant) {
        self.measure(now);
        let asked = match (self.probe, self.state) {
            (RttProbe::Measuring { .. }, _) | (_, State::Checking { .. }) => now,
            (_, State::Sleeping { until, .. }) => until,
            (_, State::Stopped) => return,
        };
        self.sign_of_life_due = asked.checked_add(SUPERSEDED_PATIENCE);
    }

    /// The server answered the heartbeat that is going on. `duration` is how long the handshake's `hello`, or this
    /// one, took; `more_to_come` that the server streams further replies.
    pub fn hello_received(&mut self, now: Instant, reply: &HelloReply, duration: Duration, more_to_come: bool) {
        let State::Checking { since, awaited, .. } = self.state else { return };
        self.sign_of_life_due = None;
        let event_duration = if awaited { now.saturating_duration_since(since) } else { duration };
        self.actions.push_back(MonitorAction::HeartbeatSucceeded { duration: event_duration, awaited });
        if !awaited {
            self.rtt.add_sample(duration);
        }
        self.connected = true;
        self.was_known = true;
        self.hello_ok = self.settings.always_hello || reply.hello_ok;
        self.topology_version = reply.topology_version;
        let description = ServerDescription::from_hello(self.address.clone(), reply, now, self.rtt.round_trip_time());
        self.actions.push_back(MonitorAction::Report(CheckOutcome::Checked(Box::new(description))));
        let streams = self.settings.streams() && (more_to_come || self.topology_version.is_some());
        if streams {
            self.start_measuring(now);
            self.await_change(now, more_to_come);
        } else {
            self.stop_measuring();
            self.sleep(now);
        }
    }

    /// The heartbeat that is going on failed.
    pub fn check_failed(&mut self, now: Instant, error: CheckError) {
        let State::Checking { since, awaited, .. } = self.state else { return };
        let duration = now.saturating_duration_since(since);
        self.actions.push_back(MonitorAction::HeartbeatFailed { duration, awaited, error: error.clone() });
        self.report_silence();
        self.close_connection();
        self.stop_measuring();
        self.rtt.reset();
        let retry = error.network && self.was_known;
        self.was_known = false;
        self.actions.push_back(MonitorAction::Report(CheckOutcome::Failed(error)));
        if retry {
            self.check(now);
        } else {
            self.sleep(now);
        }
    }

    /// A measurement over the second connection was made.
    pub fn rtt_measured(&mut self, now: Instant, duration: Duration) {
        if self.probe.end(now, self.settings.heartbeat_frequency) {
            self.sign_of_life_due = None;
            self.rtt.add_sample(duration);
            self.actions.push_back(MonitorAction::ReportRtt(self.rtt.round_trip_time()));
        }
    }

    /// A measurement failed. It tells nothing about the server; the next one comes in due time.
    pub fn rtt_failed(&mut self, now: Instant) {
        if self.probe.end(now, self.settings.heartbeat_frequency) {
            self.actions.push_back(MonitorAction::CloseRttConnection);
            self.report_silence();
        }
    }

    /// The round-trip times measured so far.
    pub fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called; none while there is nothing to wait for.
    pub fn next_deadline(&self) -> Option<Instant> {
        let check = match self.state {
            State::Stopped => None,
            State::Sleeping { until, .. } => Some(until),
            State::Checking { deadline, .. } => deadline,
        };
        [check, self.probe.next_deadline(), self.sign_of_life_due].into_iter().flatten().min()
    }

    /// Does whatever is due at `now`.
    pub fn on_deadline(&mut self, now: Instant) {
        match self.state {
            State::Sleeping { until, .. } if until <= now => self.check(now),
            State::Checking { since, deadline: Some(deadline), .. } if deadline <= now => {
                let waited = now.saturating_duration_since(since).as_millis();
                let message = format!("the server at {} did not answer hello within {waited} ms", self.address);
                self.check_failed(now, CheckError::timeout(message));
            }
            _ => {}
        }
        if self.probe.next_deadline().is_some_and(|deadline| deadline <= now) {
            match self.probe {
                RttProbe::Measuring { .. } => self.rtt_failed(now),
                _ => self.measure(now),
            }
        }
        if self.sign_of_life_due.is_some_and(|due| due <= now) {
            self.report_silence();
        }
    }

    /// The next thing to be done; none when all was taken.
    pub fn poll_action(&mut self) -> Option<MonitorAction> {
        self.actions.pop_front()
    }

    /// Reports that the server does not answer, if it was to show that it does.
    fn report_silence(&mut self) {
        if self.sign_of_life_due.take().is_some() {
            self.actions.push_back(MonitorAction::ReportSilence);
        }
    }

    fn check(&mut self, now: Instant) {
        let action = if self.connected {
            MonitorAction::SendHello(HelloRequest { hello: self.hello_ok, awaited: None })
        } else {
            self.hello_ok = self.settings.always_hello;
            MonitorAction::Connect { hello: self.hello_ok }
        };
        self.begin_heartbeat(now, false, action);
    }

    fn await_change(&mut self, now: Instant, more_to_come: bool) {
        let action = match self.topology_version {
            _ if more_to_come => MonitorAction::ReadNext,
            None => return self.sleep(now),
            Some(topology_version) => {
                let max_await_time = self.settings.heartbeat_frequency;
                let awaited = Some(AwaitedHello { topology_version, max_await_time });
                MonitorAction::SendHello(HelloRequest { hello: self.hello_ok, awaited })
            }
        };
        self.begin_heartbeat(now, true, action);
    }

    fn begin_heartbeat(&mut self, now: Instant, awaited: bool, action: MonitorAction) {
        let limit = if awaited { self.settings.awaited_timeout() } else { self.settings.connect_timeout };
        self.state = State::Checking { since: now, awaited, deadline: after(now, limit) };
        self.actions.push_back(MonitorAction::HeartbeatStarted { awaited });
        self.actions.push_back(action);
    }

    /// Every heartbeat that was published as started is also published as ended.
    fn abandon_heartbeat(&mut self, now: Instant, reason: &str) {
        if let State::Checking { since, awaited, .. } = self.state {
            let duration = now.saturating_duration_since(since);
            let error = CheckError::network(reason);
            self.actions.push_back(MonitorAction::HeartbeatFailed { duration, awaited, error });
            // A connection that is being opened has to be given up, too.
            self.connected = true;
        }
    }

    fn sleep(&mut self, now: Instant) {
        let until = now + self.settings.heartbeat_frequency;
        self.state = State::Sleeping { earliest: now + self.settings.min_heartbeat_frequency, until };
    }

    fn close_connection(&mut self) {
        if std::mem::take(&mut self.connected) || matches!(self.state, State::Checking { .. }) {
            self.actions.push_back(MonitorAction::CloseConnection);
        }
        self.topology_version = None;
    }

    fn start_measuring(&mut self, now: Instant) {
        if self.probe == RttProbe::Off {
            // The handshake was the first measurement.
            self.probe = RttProbe::Waiting { until: now + self.settings.heartbeat_frequency };
        }
    }

    fn stop_measuring(&mut self) {
        if std::mem::take(&mut self.probe) != RttProbe::Off {
            self.actions.push_back(MonitorAction::CloseRttConnection);
        }
    }

    fn measure(&mut self, now: Instant) {
        if self.probe.begin(now, self.settings.connect_timeout) {
            self.actions.push_back(MonitorAction::MeasureRtt { hello: self.hello_ok });
        }
    }
}
