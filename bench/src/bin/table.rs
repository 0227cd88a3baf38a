//! Times every case and prints a table.
//!
//! Each round runs every case once, in turn, so that whatever else the machine does falls on all of them
//! alike; the time is the CPU time of this thread; ratios are taken inside a round, and the middle one of all
//! rounds is shown.

use std::collections::HashMap;
use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use tidegate_bench::{Case, Times, cases};

/// Long enough for a clock of a few microseconds, short enough that rounds are many.
const BATCH_NANOS: f64 = 2e6;
const ROUNDS: usize = 41;

fn main() {
    let wanted = std::env::args().nth(1).filter(|word| !word.starts_with('-')).unwrap_or_default();
    let cases = cases();
    let by_name: HashMap<&str, usize> = cases.iter().enumerate().map(|(index, case)| (case.name, index)).collect();
    let is_wanted = |case: &Case| case.name.contains(&wanted);
    let floors: Vec<&str> = cases.iter().filter(|case| is_wanted(case)).filter_map(|case| case.floor).collect();
    let is_shown = |case: &Case| is_wanted(case) || floors.contains(&case.name);
    let times: Vec<Times> = cases.iter().map(|case| if is_shown(case) { calibrate(case) } else { 0 }).collect();
    let rounds: Vec<Vec<f64>> =
        (0..ROUNDS).map(|_| cases.iter().zip(&times).map(|(case, &times)| nanos_each(case, times)).collect()).collect();
    println!("| case | ns | x floor | target |\n| --- | ---: | ---: | ---: |");
    for (index, case) in cases.iter().enumerate().filter(|(_, case)| is_shown(case)) {
        let nanos = middle(rounds.iter().map(|round| round[index]).collect());
        let floor = case.floor.map(|floor| by_name[floor]);
        let ratio = floor.map(|floor| middle(rounds.iter().map(|round| round[index] / round[floor]).collect()));
        let show = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.2}"));
        println!("| {} | {} | {} | {} |", case.name, shown(nanos), show(ratio), show(case.target));
    }
}

fn shown(nanos: f64) -> String {
    if nanos < 1e4 { format!("{nanos:.2}") } else { format!("{:.2} ms", nanos / 1e6) }
}

/// How often a case fits into a batch.
fn calibrate(case: &Case) -> Times {
    let mut times: Times = 1;
    loop {
        let nanos = nanos_each(case, times);
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53")]
        let whole = nanos * times as f64;
        if whole >= BATCH_NANOS || times > 1 << 30 {
            return times;
        }
        times *= 2;
    }
}

fn nanos_each(case: &Case, times: Times) -> f64 {
    if times == 0 {
        return 0.0;
    }
    let before = thread_nanos();
    black_box(case.run(times));
    #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 nanoseconds")]
    let (spent, times) = ((thread_nanos() - before) as f64, times as f64);
    spent / times
}

fn thread_nanos() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
