//! How long to wait before asking an overloaded server again.

use std::time::Duration;

use rand::{Rng, RngCore};

const BASE: Duration = Duration::from_millis(100);
const MAX: Duration = Duration::from_secs(10);

/// The pause before the `retry`-th repetition (1 is the first) after an overload error: a random share of
/// `min(10 s, base × 2^retry)`.
///
/// `base` is what the server asks for in `baseBackoffMS`; without it, or when it is zero, 100 ms.
pub fn backoff(rng: &mut dyn RngCore, retry: u32, base: Option<Duration>) -> Duration {
    let base = base.filter(|base| !base.is_zero()).unwrap_or(BASE);
    let factor = 2_u32.checked_pow(retry).unwrap_or(u32::MAX);
    let longest = base.checked_mul(factor).map_or(MAX, |pause| pause.min(MAX));
    longest.mul_f64(rng.random_range(0.0..1.0))
}
