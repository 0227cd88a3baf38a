//! A program that reacts to changed flags: it resizes a pool of workers when the flag with its size changes.
//!
//!     cargo run -p tidegate --features cluster --example changes
//!
//! Reads need no subscription. One is for work that a change causes: to open connections, to drop a cache, to log.

use std::error::Error;
use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tidegate::{Live, Tidegate};

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let tide = Tidegate::builder().live(Live::in_memory().name("pool")).without_locks().connect()?;
    tide.define("pool/size", r#"{"stable": 2}"#).send()?;

    // Subscribed before the first read, so that no change is missed between the two.
    let mut changes = tide.subscribe();
    let size = |tide: &Tidegate| tide.get("pool", "size", None::<&str>, 1);
    writeln!(out, "at the start: {} workers", size(&tide))?;

    let (resized, sizes) = mpsc::channel();
    let pool = thread::spawn({
        // A weak handle: this thread does not keep the instance alive.
        let tide = tide.downgrade();
        move || {
            // Ends with the instance. Changes between two calls come as one, so the present value counts.
            while let Ok(changed) = changes.recv() {
                let Some(tide) = tide.upgrade() else { return };
                // `contains` is also true where more flags have changed than are listed.
                if changed.flags.contains("pool/size") && resized.send(size(&tide)).is_err() {
                    return;
                }
            }
        }
    });

    // Another flag: the pool stays as it is.
    tide.activate("pool/verbose").send()?;
    tide.define("pool/size", r#"{"stable": 8}"#).actor("dana").reason("sale").send()?;
    writeln!(out, "after the change: {} workers", sizes.recv_timeout(Duration::from_secs(10))?)?;

    tide.shutdown(Duration::from_secs(5))?;
    pool.join().map_err(|_| "the pool's thread panicked")?;
    writeln!(out, "the subscription has ended; further resizes: {}", sizes.try_iter().count())?;
    Ok(())
}
