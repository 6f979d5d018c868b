//! TCP, by whichever of a host's addresses answers first.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

use super::ResolutionError;

/// Keep-alive of the specification: 120 s idle, then a probe every 10 s, 9 of them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
const KEEPALIVE_PROBES: u32 = 9;

/// How long an attempt has the network to itself (RFC 8305, connection attempt delay).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that accepts.
///
/// A host with addresses of both families is tried by them in turn, and an attempt that is slow does not delay the next
/// for long (RFC 8305): so an unreachable family costs little time.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let unresolved = |kind, reason| io::Error::new(kind, ResolutionError { host: host.to_owned(), reason });
    let found = lookup_host((host, port)).await.map_err(|error| unresolved(error.kind(), error.to_string()))?;
    let addresses = alternate(found.collect());
    let attempt = |address: SocketAddr| async move {
        TcpStream::connect(address).await.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    };
    match race(addresses, attempt).await {
        Some(outcome) => outcome.and_then(prepare),
        None => Err(unresolved(io::ErrorKind::NotFound, "it has no address".to_owned())),
    }
}

/// The addresses in the system's order, but with the families alternating. Each once.
fn alternate(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(|address| matches!(address.ip(), IpAddr::V6(_)));
    let (leading, following): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut leading, mut following) = (leading.into_iter(), following.into_iter());
    let mut ordered = VecDeque::new();
    loop {
        let pair = [leading.next(), following.next()];
        if pair == [None, None] {
            return ordered;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(&address) {
                ordered.push_back(address);
            }
        }
    }
}

/// The first success, or the last failure; none without addresses. The next attempt begins when one has failed, or
/// after a while without any outcome. Attempts that are not needed any more are given up.
async fn race<T, F>(mut addresses: VecDeque<SocketAddr>, attempt: impl Fn(SocketAddr) -> F) -> Option<io::Result<T>>
where
    F: Future<Output = io::Result<T>>,
{
    let mut attempts = FuturesUnordered::new();
    let mut last = None;
    loop {
        attempts.extend(addresses.pop_front().map(&attempt));
        let outcome = if addresses.is_empty() {
            attempts.next().await
        } else {
            match select(attempts.next(), pin!(sleep(ATTEMPT_DELAY))).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => continue,
            }
        };
        match outcome {
            Some(Ok(connected)) => return Some(Ok(connected)),
            Some(failed) => last = Some(failed),
            None if addresses.is_empty() => return last,
            None => {}
        }
    }
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(any(target_os = "linux", target_os = "macos", windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::{net::TcpListener, time::Instant};

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate_and_the_systems_first_stays_first() {
        let ordered = alternate(addresses(&["[::1]:1", "[::2]:1", "[::1]:1", "1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"]));
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"];
        assert_eq!(Vec::from(ordered), addresses(&expected));
        let ordered = alternate(addresses(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]));
        assert_eq!(Vec::from(ordered), addresses(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]));
        assert!(alternate(Vec::new()).is_empty());
    }

    /// Runs attempts that take this many milliseconds and then succeed or fail; says who won, after how long, and when
    /// each attempt began.
    async fn raced(script: &[(u64, bool)]) -> (Option<Result<u16, ()>>, u64, Vec<(u16, u64)>) {
        let (start, begun) = (Instant::now(), RefCell::new(Vec::new()));
        let elapsed = || start.elapsed().as_millis() as u64;
        let addresses = (0..script.len() as u16).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let outcome = race(addresses, |address| {
            begun.borrow_mut().push((address.port(), elapsed()));
            let (takes, succeeds) = script[usize::from(address.port())];
            async move {
                sleep(Duration::from_millis(takes)).await;
                if succeeds { Ok(address.port()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        });
        let outcome = outcome.await.map(|outcome| outcome.map_err(drop));
        (outcome, elapsed(), begun.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_first_attempt_stays_alone() {
        assert_eq!(raced(&[(200, true), (0, true)]).await, (Some(Ok(0)), 200, vec![(0, 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_attempt_is_joined_by_the_next_and_may_still_win() {
        let (outcome, after, begun) = raced(&[(10_000, true), (100, true)]).await;
        assert_eq!((outcome, after, begun), (Some(Ok(1)), 350, vec![(0, 0), (1, 250)]));
        let (outcome, after, _) = raced(&[(300, true), (100, true)]).await;
        assert_eq!((outcome, after), (Some(Ok(0)), 300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_lets_the_next_begin_at_once() {
        let (outcome, after, begun) = raced(&[(10, false), (20, false), (30, true)]).await;
        assert_eq!((outcome, after, begun), (Some(Ok(2)), 60, vec![(0, 0), (1, 10), (2, 30)]));
    }

    #[tokio::test(start_paused = true)]
    async fn it_fails_when_all_have_failed() {
        let (outcome, after, _) = raced(&[(1000, false), (100, false)]).await;
        assert_eq!((outcome, after), (Some(Err(())), 1000));
        assert_eq!(raced(&[]).await.0, None);
    }

    #[tokio::test]
    async fn sockets_are_kept_alive_and_send_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(120));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 9);
        }
    }
}
