//! How figures are shown.

use std::time::Duration;

/// The percentile: the value below which this part of a hundred lies.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// A row: what, the middle, the 99th of a hundred.
pub(crate) fn row(what: &str, times: &mut [Duration]) -> Duration {
    let (middle, late) = (percentile(times, 50), percentile(times, 99));
    let count = times.len();
    println!("{what:<58} p50 {:>7.3} ms  p99 {:>7.3} ms  ({count})", ms(middle), ms(late));
    middle
}

/// How many times as long.
pub(crate) fn ratio(what: &str, one: Duration, other: Duration) {
    println!("{what:<58} {:>11.2} x", one.as_secs_f64() / other.as_secs_f64());
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
