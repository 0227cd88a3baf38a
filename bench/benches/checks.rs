//! Criterion over the same cases as the table: for looking closely at one of them while working on it.

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use tidegate_bench::cases;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in cases() {
        criterion.bench_function(case.name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                black_box(case.run(times));
                start.elapsed()
            });
        });
    }
    criterion.final_summary();
}
