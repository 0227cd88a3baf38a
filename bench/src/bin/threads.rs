//! Two threads that read the same flags, each pinned to a core of its own, against one alone.
//!
//! Unpinned, two threads of a busy machine share a core and every lock looks free. Each thread's own CPU time
//! is taken, so what else runs on the machine is left out; the middle ratio of all rounds is shown.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tidegate::Tidegate;
use tidegate_bench::connect;

/// Checks of one round: some milliseconds of work.
const CHECKS: u32 = 500_000;
const ROUNDS: usize = 21;

type Check = fn(&Tidegate, &tidegate::FlagHandle, &str) -> bool;

fn main() {
    let tide = connect();
    let cases: [(&str, &str, Check); 4] = [
        ("on/off by handle", "on", |_, handle, key| handle.is_active_for(key)),
        ("xxh3 rollout by handle", "rollout", |_, handle, key| handle.is_active_for(key)),
        ("on/off by name", "on", |tide, _, key| tide.is_active_for(black_box("features/on"), key)),
        ("xxh3 rollout by name", "rollout", |tide, _, key| tide.is_active_for(black_box("features/rollout"), key)),
    ];
    println!("| case | two pinned threads, x one |\n| --- | ---: |");
    for (name, flag, check) in cases {
        let mut ratios: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let alone = round(&tide, flag, check, 1);
                round(&tide, flag, check, 2) / alone
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!("| {name} | {:.2} |", ratios[ROUNDS / 2]);
    }
}

/// The CPU time of the slower thread, in nanoseconds.
fn round(tide: &Tidegate, flag: &str, check: Check, threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|core| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut cores = CpuSet::new();
                    cores.set(core);
                    sched_setaffinity(None, &cores).expect("the machine has two cores");
                    let handle = tide.flag("features", flag);
                    let keys: Vec<String> = (0..1_024).map(|number| format!("user-{core}{number:010}")).collect();
                    black_box(check(tide, &handle, "warm"));
                    barrier.wait();
                    let before = thread_nanos();
                    for number in 0..CHECKS {
                        black_box(check(tide, &handle, &keys[number as usize % keys.len()]));
                    }
                    thread_nanos() - before
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("a check never panics")).fold(0.0, f64::max)
    })
}

fn thread_nanos() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a round is far below 2^53 nanoseconds")]
    let nanos = (time.tv_sec * 1_000_000_000 + time.tv_nsec) as f64;
    nanos
}
