//! One node of Tidegate, told what to do in lines.

use std::fmt::Write as _;
use std::io::{Write as _, stdin, stdout};
use std::thread;
use std::time::Duration;

use tidegate::{Level, Live, Tidegate};
use tidegate_bench::observe::{Seen, note_activations, now};

use crate::Outcome;

pub(crate) fn run(words: &[&str]) -> Outcome {
    let [folder, certificates, port, peers @ ..] = words else { return Err("a node wants more words".into()) };
    let mut live = Live::at(folder).cluster("bench").certificates(certificates);
    live = live.listen(format!("127.0.0.1:{port}").parse()?);
    for peer in peers {
        live = live.peer(format!("127.0.0.1:{peer}"));
    }
    let started = now();
    let tide = Tidegate::builder().live(live).without_locks().connect()?;
    let seen = Seen::default();
    note_activations(&tide, &seen);
    for order in stdin().lines() {
        let order = order?;
        let answer = match order.split(' ').collect::<Vec<_>>().as_slice() {
            ["peers"] => count_peers(&tide)?.to_string(),
            ["registers"] => {
                let registers = tide.cluster().ok_or("no cluster")?.status()?.node.registers;
                format!("{registers} {}", now().saturating_sub(started).as_nanos())
            }
            // The instants at which each number became active here.
            ["seen"] => {
                let seen = std::mem::take(&mut *seen.lock().map_err(|_| "a thread panicked")?);
                seen.iter().map(|(number, at)| format!("{number}:{}", at.as_nanos())).collect::<Vec<_>>().join(" ")
            }
            ["write", level, count, pause_us] => write(&tide, level.parse()?, count.parse()?, pause_us.parse()?)?,
            ["fill", count] => fill(&tide, count.parse()?)?,
            _ => return Err(format!("what is `{order}`?").into()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

fn count_peers(tide: &Tidegate) -> Outcome<usize> {
    let status = tide.cluster().ok_or("no cluster")?.status()?;
    let live = status.peers.iter().filter(|peer| peer.is_reachable).count();
    Ok(live.min(status.members.len().saturating_sub(1)))
}

/// Makes this number of changes; when each was asked for and how long its receipt took.
fn write(tide: &Tidegate, level: Level, count: u64, pause_us: u64) -> Outcome<String> {
    let mut times = String::new();
    for number in 1..=count {
        let began = now();
        let percentage = format!("{}.{:06}", number / 1_000_000, number % 1_000_000);
        tide.activate_percentage("bench", percentage.as_str()).ack(level).timeout(Duration::from_secs(5)).send()?;
        let took = now().saturating_sub(began);
        write!(times, "{number}:{}:{} ", began.as_nanos(), took.as_nanos())?;
        thread::sleep(Duration::from_micros(pause_us));
    }
    Ok(times)
}

/// Makes this number of flags, many at once.
fn fill(tide: &Tidegate, count: usize) -> Outcome<String> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..FILLERS)
            .map(|first| {
                scope.spawn(move || -> Outcome {
                    for number in (first..count).step_by(FILLERS) {
                        tide.activate(&format!("fill/f{number}"))
                            .ack(Level::Local)
                            .timeout(Duration::from_secs(30))
                            .send()?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    Ok("filled".to_owned())
}

const FILLERS: usize = 128;
