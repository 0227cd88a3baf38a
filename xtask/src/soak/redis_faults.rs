//! What is done to the Redis of a fleet whose nodes have no links.

use std::fs;
use std::thread;
use std::time::Duration;

use super::faults::{Fault, fault, pause};
use super::fleet::{Fleet, LONG, Start, deafen};
use super::load;
use super::random::Random;
use super::redis::{LOG, REGISTERS, Redis};

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault("redis-kill", 3, "SIGKILL of Redis in the middle of writes, three times, and a start after each", kill),
    fault("redis-empty", 3, "Redis is killed and starts empty, or is emptied while it runs", empty),
    fault("redis-old", 3, "Redis is killed and starts with a copy of its data from before", old),
    fault("redis-stall", 2, "Redis is stopped (SIGSTOP) for up to ten seconds", stall),
    fault("redis-cut", 3, "some or all nodes get no packet of Redis for up to five seconds", cut),
    fault("redis-evicts", 2, "Redis begins to evict all keys while it runs, and stops", evicts),
    fault("redis-type", 2, "a key of the fleet is of another type for a while", wrong_type),
    Fault {
        is_strict: true,
        ..fault("node-kill", 3, "SIGKILL of one node, some or all, three times, and a start after each", node_kill)
    },
];

fn redis(fleet: &mut Fleet) -> Result<&mut Redis, String> {
    fleet.redis.as_mut().ok_or_else(|| "the fleet has no Redis".to_owned())
}

fn kill(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    for _ in 0..3 {
        pause(random, 100, 800);
        redis(fleet)?.kill();
        pause(random, 0, 800);
        redis(fleet)?.restart()?;
    }
    Ok(3)
}

fn empty(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    pause(random, 100, 1_000);
    let redis = redis(fleet)?;
    match random.index(4) {
        0 => drop(redis.ask(&["FLUSHALL"])?),
        1 => drop(redis.ask(&["DEL", REGISTERS])?),
        2 => drop(redis.ask(&["DEL", LOG])?),
        _ => {
            redis.kill();
            redis.empty()?;
            pause(random, 0, 500);
            redis.restart()?;
        }
    }
    pause(random, 200, 1_500);
    Ok(1)
}

fn old(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let saved = fleet.path("redis-old");
    let redis = redis(fleet)?;
    redis.kill();
    redis.save(&saved)?;
    redis.restart()?;
    pause(random, 500, 2_500);
    redis.kill();
    redis.put_back(&saved)?;
    fs::remove_dir_all(&saved).map_err(|error| error.to_string())?;
    redis.restart()?;
    pause(random, 0, 1_000);
    Ok(1)
}

fn stall(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    pause(random, 0, 500);
    redis(fleet)?.signal("STOP")?;
    pause(random, 500, 10_000);
    redis(fleet)?.signal("CONT")?;
    pause(random, 0, 500);
    Ok(1)
}

fn cut(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let (count, space) = (fleet.nodes.len(), fleet.spare());
    let chosen = random.some(1 + random.clone().index(count), count);
    pause(random, 0, 500);
    for index in &chosen {
        deafen(*index, &[space])?;
    }
    pause(random, 200, 5_000);
    for index in &chosen {
        deafen(*index, &[])?;
    }
    pause(random, 0, 500);
    Ok(chosen.len() as u64)
}

/// Less memory than Redis needs for itself, so that it drops every key, again and again.
fn evicts(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let policy = ["allkeys-lru", "allkeys-lfu", "allkeys-random"][random.index(3)];
    let to = fleet.nodes[random.index(fleet.nodes.len())].http();
    pause(random, 100, 800);
    let redis = redis(fleet)?;
    redis.ask(&["CONFIG", "SET", "maxmemory-policy", policy])?;
    let mut unclaimed = load::change_until(to, 202, LONG);
    if unclaimed.is_ok() {
        redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"])?;
        pause(random, 300, 2_000);
        unclaimed = load::change_until(to, 202, LONG);
    }
    redis.ask(&["CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction"])?;
    unclaimed?;
    load::change_until(to, 200, LONG)?;
    Ok(1)
}

fn wrong_type(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let key = [REGISTERS, LOG][random.index(2)];
    let to = fleet.nodes[random.index(fleet.nodes.len())].http();
    pause(random, 100, 800);
    let redis = redis(fleet)?;
    // In one step: between two, a process would write the key again.
    let script = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 'mine')";
    redis.ask(&["EVAL", script, "1", key])?;
    let refused = load::change_until(to, 202, LONG);
    pause(random, 0, 1_500);
    let kept = redis.ask(&["GET", key])?;
    redis.ask(&["DEL", key])?;
    refused?;
    if kept != "mine" {
        return Err(format!("a key of another type was replaced by {kept:?}"));
    }
    load::change_until(to, 200, LONG)?;
    Ok(1)
}

fn node_kill(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let count = fleet.nodes.len();
    let mut kills = 0;
    for _ in 0..3 {
        let several = [1, 1, 1 + random.index(count), count][random.index(4)];
        let chosen = random.some(several, count);
        pause(random, 50, 500);
        for index in &chosen {
            fleet.kill(*index);
        }
        kills += chosen.len() as u64;
        thread::sleep(Duration::from_millis(random.within(0, 300)));
        for index in &chosen {
            fleet.launch(*index, &Start::default())?;
        }
        for index in chosen {
            fleet.wait_until_up(index)?;
        }
    }
    Ok(kills)
}
