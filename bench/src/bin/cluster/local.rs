//! Reading while a thousand changes a second arrive, beside reading at rest, in one process.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidegate::{Level, Live, Tidegate};
use tidegate_bench::observe::read_time;

use crate::Outcome;

pub(crate) fn measure() -> Outcome {
    let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    for number in 0..FLAGS {
        tide.activate_percentage(&format!("bench/f{number}"), 50).ack(Level::Local).send()?;
    }
    let handle = tide.flag("bench", "f0");
    let keys: Vec<String> = (0..1_024).map(|number| format!("user-{number:010}")).collect();
    let (is_over, count, is_quiet) = (AtomicBool::new(false), AtomicU64::new(0), AtomicBool::new(true));
    let (mut rest, mut busy) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = Instant::now();
            for number in 0_u64.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                while is_quiet.load(Ordering::SeqCst) && !is_over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                    next = Instant::now();
                }
                let flag = format!("bench/f{}", number % FLAGS);
                let percentage = u32::try_from(number % 90).unwrap_or(0) + 5;
                if tide.activate_percentage(&flag, percentage).ack(Level::Local).send().is_ok() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                next += Duration::from_millis(1);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        for _ in 0..ROUNDS {
            for (times, quiet) in [(&mut rest, true), (&mut busy, false)] {
                is_quiet.store(quiet, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
                times.push(read_time(&handle, &keys));
            }
        }
        is_over.store(true, Ordering::SeqCst);
    });
    rest.sort_by(f64::total_cmp);
    busy.sort_by(f64::total_cmp);
    let (rest, busy) = (rest[ROUNDS / 2], busy[ROUNDS / 2]);
    let allocations = allocation_counter::measure(|| _ = black_box(read_time(&handle, &keys))).count_total;
    println!("reading by handle, {FLAGS} flags, {} changes made meanwhile", count.into_inner());
    println!("{:<58} {rest:>9.2} ns", "at rest");
    println!("{:<58} {busy:>9.2} ns, {:.2} x", "while a thousand changes a second arrive", busy / rest);
    println!("{:<58} {allocations:>9}", "allocations of a million reads");
    Ok(())
}

/// A definition among few others and among many, from the call to its receipt: the cost of a change is the cost of what it
/// changes.
pub(crate) fn definitions() -> Outcome {
    let (few, many) = (defined(FEW)?, defined(MANY)?);
    let (mut among_few, mut among_many) = (Vec::new(), Vec::new());
    for round in 0..DEFINITIONS {
        for (tide, count, times) in [(&few, FEW, &mut among_few), (&many, MANY, &mut among_many)] {
            let flag = format!("bench/f{}", round * 7_919 % count);
            let began = Instant::now();
            tide.define(&flag, &entry(round % 90)).ack(Level::Local).send()?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    among_few.sort_by(f64::total_cmp);
    among_many.sort_by(f64::total_cmp);
    let (among_few, among_many) = (among_few[among_few.len() / 2], among_many[among_many.len() / 2]);
    println!("a definition, from the call to its receipt, in memory");
    println!("{:<58} {among_few:>9.1} us", format!("among {FEW}"));
    println!("{:<58} {among_many:>9.1} us, {:.2} x (target 2.00)", format!("among {MANY}"), among_many / among_few);
    Ok(())
}

/// An instance with `count` definitions, restored from a backup; prints how long that took.
fn defined(count: u64) -> Outcome<Tidegate> {
    let connect = || Tidegate::builder().live(Live::in_memory()).without_locks().connect();
    let first = connect()?;
    for number in 0..count {
        first.define(&format!("bench/f{number}"), &entry(50)).ack(Level::Local).send()?;
    }
    let mut backup = Vec::new();
    first.cluster().ok_or("no cluster")?.backup(&mut backup)?;
    drop(first);
    let (tide, began) = (connect()?, Instant::now());
    tide.cluster().ok_or("no cluster")?.restore(&*backup, false, "bench")?;
    println!("{:<58} {:>9.2} s", format!("restoring {count} definitions in memory"), began.elapsed().as_secs_f64());
    Ok(tide)
}

fn entry(percent: u64) -> String {
    format!(
        r#"{{"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "duration": "14d", "end_pct": {}}}"#,
        percent + 5
    )
}

const FEW: u64 = 10;
const MANY: u64 = 10_000;
const DEFINITIONS: u64 = 2_001;

const FLAGS: u64 = 1_000;
const ROUNDS: usize = 21;
