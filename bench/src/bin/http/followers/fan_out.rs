//! One change after the other, and when it was active in each follower.

use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::process::Follower;
use super::simulated::Fleet;
use super::{CHANGE_PERIOD, CHANGES, FOLLOWERS};
use crate::Outcome;
use crate::process::Server;

/// From the call that changes a flag until the flag is changed in a follower.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) simulated: Vec<Duration>,
    pub(super) real: Vec<Duration>,
}

pub(super) fn changes(server: &mut Server, fleet: &Fleet, processes: &mut [Follower]) -> Outcome<Times> {
    let mut times = Times::default();
    for _ in 0..CHANGES {
        fleet.forget();
        let (began, real) = changed(server, processes)?;
        times.real.extend(real);
        times.simulated.extend(since(began, fleet.applied(FOLLOWERS - processes.len())?));
        thread::sleep(CHANGE_PERIOD);
    }
    Ok(times)
}

/// One change; when it was active in the processes.
pub(super) fn change(server: &mut Server, processes: &mut [Follower]) -> Outcome<Vec<Duration>> {
    Ok(changed(server, processes)?.1)
}

fn changed(server: &mut Server, processes: &mut [Follower]) -> Outcome<(u64, Vec<Duration>)> {
    let began = server.ask("change")?.parse()?;
    let ends: Vec<u64> = processes.iter_mut().map(Follower::next_change).collect::<Outcome<_>>()?;
    Ok((began, since(began, ends)))
}

fn since(began: u64, ends: Vec<u64>) -> Vec<Duration> {
    ends.into_iter().map(|end| Duration::from_nanos(end.saturating_sub(began))).collect()
}

/// The floor: lines of the same size, written to as many connections by a server that does nothing else.
pub(super) fn bare(runtime: &Runtime) -> Outcome<Vec<Duration>> {
    let mut server = Server::start(&["bare"])?;
    let fleet = runtime.block_on(Fleet::connect_bare(server.address, FOLLOWERS))?;
    while server.ask("count")?.parse::<usize>()? < FOLLOWERS {
        thread::sleep(Duration::from_millis(10));
    }
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        fleet.forget();
        let began = server.ask("change")?.parse()?;
        times.extend(since(began, fleet.applied(FOLLOWERS)?));
        thread::sleep(CHANGE_PERIOD);
    }
    Ok(times)
}
