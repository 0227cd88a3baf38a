//! Times every question to every library, and prints a table.
//!
//! Each round asks every question once, in turn, so that other work of the machine falls on all of them alike; the time
//! is the CPU time of this thread, after one call that is not timed; ratios are taken inside a round, and the median of
//! all rounds is shown.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use tidegate_bench_peers::{Case, LIBRARIES, QUESTIONS, TIDEGATE, cases};

/// Long enough for a clock of a few microseconds, short enough that rounds are many.
const BATCH_NANOS: f64 = 2e6;
const ROUNDS: usize = 31;

fn main() {
    let cases = cases();
    let times: Vec<usize> = cases.iter().map(calibrate).collect();
    let rounds: Vec<Vec<f64>> =
        (0..ROUNDS).map(|_| cases.iter().zip(&times).map(|(case, &times)| nanos_each(case, times)).collect()).collect();
    println!("| library | {} |\n| --- |{}", QUESTIONS.join(" | "), " ---: |".repeat(QUESTIONS.len()));
    let find = |question: &str, library: &str| {
        cases.iter().position(|case| case.question == question && case.library == library)
    };
    for library in LIBRARIES {
        let cell = |question: &&str| {
            let Some(index) = find(question, library) else { return String::new() };
            let floor = find(question, TIDEGATE).expect("Tidegate answers every question");
            let nanos = median(rounds.iter().map(|round| round[index]).collect());
            let ratio = median(rounds.iter().map(|round| round[index] / round[floor]).collect());
            format!("{} ({})", time(nanos), factor(ratio))
        };
        println!("| {library} | {} |", QUESTIONS.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
}

fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{nanos:.1} ns"),
        ..1e6 => format!("{:.1} us", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}

fn factor(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} x") } else { format!("{ratio:.0} x") }
}

/// How often a question fits into a batch.
fn calibrate(case: &Case) -> usize {
    let mut times = 1;
    while nanos_each(case, times) * count(times) < BATCH_NANOS {
        times *= 2;
    }
    times
}

fn nanos_each(case: &Case, times: usize) -> f64 {
    // The other cases have used the caches since.
    black_box(case.run(1));
    let before = thread_nanos();
    black_box(case.run(times));
    #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 nanoseconds")]
    let spent = (thread_nanos() - before) as f64;
    spent / count(times)
}

#[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53")]
fn count(times: usize) -> f64 {
    times as f64
}

fn thread_nanos() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
