//! What is printed.

use std::time::Duration;

/// A line of the table of costs.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
}

impl Row {
    pub(super) fn new(name: &str, value: String) -> Self {
        Self { name: name.to_owned(), value }
    }
}

/// The middle, the 99th of a hundred, and the last.
pub(super) fn quantiles(times: &mut [Duration]) -> [Duration; 3] {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100).copied();
    [50, 99, 100].map(|percent| at(percent).unwrap_or(Duration::MAX))
}

/// Prints a line with the ratio to the floor; the 99th of a hundred.
pub(super) fn print_times(name: &str, mut times: Vec<Duration>, floor: Option<Duration>) -> Duration {
    let [middle, late, last] = quantiles(&mut times);
    let ratio =
        floor.map_or_else(|| "1".to_owned(), |floor| format!("{:.2}", late.as_secs_f64() / floor.as_secs_f64()));
    println!("| {name} | {} | {} | {} | {ratio} |", super::millis(middle), super::millis(late), super::millis(last));
    late
}

/// Prints a line; the 99th of a hundred.
pub(super) fn print_probe(name: &str, mut times: Vec<Duration>) -> Duration {
    let [middle, late, last] = quantiles(&mut times);
    let count = times.len();
    println!(
        "| {name}, {count} times | {} | {} | {} |",
        super::millis(middle),
        super::millis(late),
        super::millis(last)
    );
    late
}
