//! How a process sees changes and what a read costs it: for the benches with several processes.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tidegate::{FlagHandle, Tidegate};

/// Numbers, and the instant at which each was seen.
pub type Seen = Arc<Mutex<Vec<(u64, Duration)>>>;

/// An instant that means the same in all processes of this host.
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Notes when each activation of the flag `bench` becomes active: its percentage is a number of millionths.
pub fn note_activations(tide: &Tidegate, seen: &Seen) {
    let (tide, seen, mut subscription) = (tide.clone(), Arc::clone(seen), tide.subscribe());
    thread::spawn(move || {
        while subscription.recv().is_ok() {
            let at = now();
            let snapshot = tide.snapshot();
            let Some(index) = snapshot.find_key("bench") else { continue };
            let Some(activation) = snapshot.flag(index).activation() else { continue };
            let Ok(percentage) = activation.share.to_string().parse::<f64>() else { continue };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, rounded")]
            let number = (percentage * 1e6).round() as u64;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((number, at));
        }
    });
}

/// Nanoseconds of this thread for a read by handle, the mean of a million.
#[expect(clippy::cast_precision_loss, reason = "a time of some milliseconds")]
pub fn read_time(handle: &FlagHandle, keys: &[String]) -> f64 {
    let cpu = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    };
    let began = cpu();
    for _ in 0..1_000 {
        for key in keys {
            black_box(handle.is_active_for(black_box(key)));
        }
    }
    (cpu() - began) / (1_000 * keys.len()) as f64
}
