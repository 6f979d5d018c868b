//! Waiting for something to become true, with a deadline.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::error::{Error, Result};

const INTERVAL: Duration = Duration::from_millis(15);

/// What one look showed.
pub(crate) enum Look<T> {
    Done(T),
    /// Not there yet; the text says what was seen, for the error message.
    NotYet(String),
}

/// Looks again and again until `look` is done, fails, or `within` has passed.
pub(crate) async fn until<T, F, Fut>(what: &str, within: Duration, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Look<T>>>,
{
    let deadline = Instant::now() + within;
    let mut state = "no answer".to_owned();
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Done(value))) => return Ok(value),
            Ok(Ok(Look::NotYet(seen))) => state = seen,
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(Error::Timeout { what: what.to_owned(), waited: within, state });
        }
        sleep(INTERVAL).await;
    }
}
