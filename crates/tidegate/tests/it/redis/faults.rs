//! Everything that can happen to Redis. After each: what was acknowledged is there while one process lives, all processes agree, and
//! reads have never failed.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn redis_that_is_unreachable_at_the_start_gets_everything_once_it_is_there() {
    let mut server = RedisServer::stopped();
    let (one, other) =
        (process_at(&server.url(), "one", Duration::ZERO), process_at(&server.url(), "other", Duration::ZERO));
    let receipt = one.activate("checkout").timeout(Duration::from_millis(200)).send().unwrap();
    assert!(!receipt.is_reached && one.is_active("checkout"), "active here: {receipt:?}");
    let why = receipt.redis.unwrap();
    assert!(!why.is_acknowledged && why.problem.is_some(), "{why:?}");
    until("the status says why", || redis(&one).problem.is_some_and(|problem| problem.contains("connection refused")));
    let unreachable = redis(&one);
    assert!(!unreachable.is_connected && unreachable.unreachable_since.is_some(), "{unreachable:?}");
    assert!(has_problem(&one, "redis-unreachable") && !one.cluster().unwrap().is_synced());
    let reader = Reader::start(&one, "checkout", true);
    server.restart();
    until("the other process has it", || other.is_active("checkout"));
    assert!(activate(&other, "search").is_reached);
    agree(&server, &[&one, &other]);
    assert!(one.cluster().unwrap().is_synced() && !has_problem(&one, "redis-unreachable"));
    reader.end();
}

#[test]
fn what_redis_acknowledged_survives_that_it_is_killed_in_the_middle_of_writes() {
    let mut server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    activate(&one, "checkout");
    until("the other process has it", || other.is_active("checkout"));
    let reader = Reader::start(&other, "checkout", true);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let writer = {
            let one = one.clone();
            thread::spawn(move || {
                let send = |flag: &String| one.activate(flag).timeout(Duration::from_millis(100)).send().unwrap();
                let flags: Vec<String> = (0..200).map(|number| format!("flag-{round}-{number}")).collect();
                flags.into_iter().take_while(|flag| send(flag).is_reached).collect::<Vec<_>>()
            })
        };
        until("some writes are acknowledged", || status(&other).node.registers > acknowledged.len() + 20);
        server.kill();
        acknowledged.extend(writer.join().unwrap());
        until("both have noticed", || !redis(&one).is_connected && !redis(&other).is_connected);
        server.restart();
        until("both are connected again", || redis(&one).is_connected && redis(&other).is_connected);
    }
    assert!(acknowledged.len() >= 20, "{}", acknowledged.len());
    agree(&server, &[&one, &other]);
    assert!(acknowledged.iter().all(|flag| one.is_active(flag) && other.is_active(flag)));
    reader.end();
    // Without the processes: what it said that it has, it has.
    drop((one, other));
    let later = process(&server, "later");
    assert!(acknowledged.iter().all(|flag| later.is_active(flag)));
}

#[test]
fn redis_that_comes_back_empty_is_filled_from_the_processes_and_no_flag_changes() {
    let mut server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    activate(&one, "checkout");
    activate(&other, "search");
    activate(&one, "removed");
    one.clear("removed").timeout(Duration::from_secs(5)).send().unwrap();
    agree(&server, &[&one, &other]);
    let (before, reader) = (digest(&one), Reader::start(&other, "checkout", true));
    server.kill();
    fs::remove_dir_all(server.data()).unwrap();
    server.restart();
    agree(&server, &[&one, &other]);
    assert!(server.ask(&["HLEN", "{tidegate:tests}:reg"]) == "3", "the tombstone is among them");
    // The same, while it runs.
    server.ask(&["FLUSHALL"]);
    until("it is filled again", || server.ask(&["HLEN", "{tidegate:tests}:reg"]) == "3");
    until("both are connected", || redis(&one).is_connected && redis(&other).is_connected);
    // Only the hash, so that the stream tells nothing.
    until("both know what it has", || redis(&one).registers == 3 && redis(&other).registers == 3);
    server.ask(&["DEL", "{tidegate:tests}:reg"]);
    until("it is filled again", || server.ask(&["HLEN", "{tidegate:tests}:reg"]) == "3");
    assert_eq!((digest(&one), digest(&other)), (before, before));
    assert!(redis(&one).refilled + redis(&other).refilled >= 3);
    assert!(activate(&other, "later").is_reached);
    until("changes go on", || one.is_active("later"));
    reader.end();
}

#[test]
fn an_older_copy_of_redis_brings_nothing_back() {
    let mut server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    for flag in ["checkout", "removed", "changed"] {
        activate(&one, flag);
    }
    let saved = tempfile::tempdir().unwrap();
    server.kill();
    copy_folder(&server.data(), saved.path());
    server.restart();
    one.clear("removed").timeout(Duration::from_secs(5)).send().unwrap();
    one.deactivate("changed").timeout(Duration::from_secs(5)).send().unwrap();
    activate(&one, "new");
    agree(&server, &[&one, &other]);
    let (before, readers) = (
        digest(&one),
        [
            Reader::start(&other, "changed", false),
            Reader::start(&one, "removed", false),
            Reader::start(&other, "new", true),
        ],
    );
    server.kill();
    fs::remove_dir_all(server.data()).unwrap();
    copy_folder(saved.path(), &server.data());
    until("both have noticed", || !redis(&one).is_connected && !redis(&other).is_connected);
    server.restart();
    until("both are connected again", || redis(&one).is_connected && redis(&other).is_connected);
    agree(&server, &[&one, &other]);
    assert_eq!((digest(&one), digest(&other)), (before, before));
    readers.into_iter().for_each(Reader::end);
    drop((one, other));
    let later = process(&server, "later");
    assert!(!later.is_active("changed") && !later.is_active("removed") && later.is_active("new"));
}

#[test]
fn a_key_of_another_type_is_left_alone_and_reported_with_the_remedy() {
    let server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    activate(&one, "checkout");
    until("the other process has it", || other.is_active("checkout"));
    for key in ["{tidegate:tests}:reg", "{tidegate:tests}:log"] {
        server.ask(&["DEL", key]);
        server.ask(&["SET", key, "mine"]);
        until("the status names the key", || {
            status(&one).problems.iter().any(|problem| {
                problem.code == "redis-wrong-type"
                    && problem.message.contains(key)
                    && problem.message.contains("rename")
            })
        });
        let receipt = one.activate("search").timeout(Duration::from_millis(300)).send().unwrap();
        assert!(!receipt.is_reached && receipt.redis.unwrap().problem.is_some());
        assert_eq!(server.ask(&["GET", key]), "mine");
        assert!(one.is_active("checkout") && other.is_active("checkout"));
        server.ask(&["DEL", key]);
        agree(&server, &[&one, &other]);
    }
    assert!(other.is_active("search"));
}

#[test]
fn a_stall_of_ten_seconds_delays_changes_and_no_reads() {
    let server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    activate(&one, "checkout");
    until("the other process has it", || other.is_active("checkout"));
    let reader = Reader::start(&one, "checkout", true);
    server.freeze();
    let began = Instant::now();
    let receipt = one.activate("search").timeout(Duration::from_millis(500)).send().unwrap();
    assert!(!receipt.is_reached && one.is_active("search"));
    assert!(began.elapsed() < Duration::from_secs(2), "the caller waits as long as it said");
    until("the status says that it does not answer", || has_problem(&one, "redis-unreachable"));
    until("the stall is over", || began.elapsed() > STALL);
    server.thaw();
    until("the other process has it", || other.is_active("search"));
    until("it is connected", || redis(&one).is_connected);
    assert!(activate(&one, "later").is_reached);
    agree(&server, &[&one, &other]);
    reader.end();
}

#[test]
fn a_process_that_missed_ten_thousand_changes_catches_up() {
    let server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    activate(&one, "checkout");
    agree(&server, &[&one, &other]);
    // Its connections are gone and cannot be made again until the changes are made.
    server.ask(&["CONFIG", "SET", "maxclients", "4"]);
    drop(other);
    for number in 0..10_000_u32 {
        let flag = format!("flag-{}", number % 2_000);
        one.activate_percentage(&flag, number % 100 + 1).ack(Level::Local).send().unwrap();
        if number % 50 == 0 {
            assert!(
                one.activate_percentage(&flag, number % 100 + 1)
                    .timeout(Duration::from_secs(5))
                    .send()
                    .unwrap()
                    .is_reached
            );
        }
    }
    server.ask(&["CONFIG", "SET", "maxclients", "100"]);
    let other = process(&server, "other");
    agree(&server, &[&one, &other]);
    assert_eq!(status(&other).node.registers, 2_001);
}

#[test]
fn a_process_that_the_stream_has_overtaken_loads_everything() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    activate(&one, "checkout");
    // A register that is in the hash, and whose entry has left the stream before this process could read it.
    let elsewhere = Live::redis(server.url()).cluster("elsewhere");
    let elsewhere = Tidegate::builder().live(elsewhere).without_locks().connect().unwrap();
    activate(&elsewhere, "overtaken");
    let script = "local all = redis.call('HGETALL', '{tidegate:elsewhere}:reg') \
                  redis.call('HSET', '{tidegate:tests}:reg', all[1], all[2]) \
                  redis.call('XADD', '{tidegate:tests}:log', '*', 'r', 'lost') \
                  return redis.call('XADD', '{tidegate:tests}:log', 'MAXLEN', '1', '*', 'r', 'last')";
    server.ask(&["EVAL", script, "0"]);
    until("it is loaded", || one.is_active("overtaken"));
}

#[test]
fn an_eviction_policy_that_could_drop_flags_is_reported_at_once_and_nothing_is_claimed() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    let refused = |receipt: &Receipt| {
        let said = receipt.redis.as_ref().unwrap();
        assert!(!receipt.is_reached && !said.is_acknowledged, "{receipt:?}");
        let problem = said.problem.as_deref().unwrap();
        assert!(problem.contains("allkeys-lru") && problem.contains("noeviction"), "{problem}");
    };
    refused(&activate(&one, "checkout"));
    assert!(has_problem(&one, "redis-eviction"));
    until("a kill switch spreads all the same", || other.is_active("checkout"));
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    until("the problem has gone", || !has_problem(&one, "redis-eviction"));
    assert!(activate(&one, "search").is_reached);
    // Switched on while it runs: the very next change is not claimed.
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    refused(&activate(&one, "later"));
    assert!(has_problem(&one, "redis-eviction"));
    until("the other process notices without a change", || has_problem(&other, "redis-eviction"));
}

#[test]
fn a_redis_that_is_full_says_so_and_takes_changes_once_it_has_room() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    activate(&one, "checkout");
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let receipt = one.activate("search").timeout(Duration::from_millis(300)).send().unwrap();
    assert!(!receipt.is_reached);
    until("the status says so", || has_problem(&one, "redis-full"));
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    until("it is written", || server.ask(&["HLEN", "{tidegate:tests}:reg"]) == "2");
}

#[test]
fn damaged_entries_are_replaced_by_what_memory_has_and_foreign_ones_are_left() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    activate(&one, "checkout");
    let damage = "local all = redis.call('HGETALL', KEYS[1]) \
                  redis.call('HSET', KEYS[1], all[1], string.rep('z', 200)) \
                  return redis.call('HSET', KEYS[1], 'foreign', 'mine')";
    server.ask(&["EVAL", damage, "1", "{tidegate:tests}:reg"]);
    // The next write of the flag finds the damage.
    let receipt = one.deactivate("checkout").timeout(Duration::from_secs(5)).send().unwrap();
    assert!(receipt.is_reached, "{receipt:?}");
    until("the status counts the foreign one", || redis(&one).unreadable == 1);
    assert!(has_problem(&one, "redis-unreadable"));
    assert_eq!(server.ask(&["HGET", "{tidegate:tests}:reg", "foreign"]), "mine");
    drop(one);
    let later = process(&server, "later");
    assert!(!later.is_active("checkout") && later.cluster().unwrap().flags().unwrap().len() == 1);
}

#[test]
fn a_register_from_the_future_is_quarantined_like_one_of_a_peer() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    let hour = Duration::from_hours(1);
    let clock = tidegate::Clock::manual(tidegate::Micros::new(now_us() + i64::try_from(hour.as_micros()).unwrap()));
    let live = Live::redis(server.url()).cluster("tests");
    let ahead = Tidegate::builder().live(live).clock(clock).without_locks().connect().unwrap();
    until("its own status says that a clock is wrong", || has_problem(&ahead, "redis-clock"));
    activate(&ahead, "checkout");
    until("it is quarantined", || status(&one).quarantined_count == 1);
    assert!(!one.is_active("checkout"));
    // A write that knows it supersedes it, everywhere.
    activate(&one, "checkout");
    let receipt = one.deactivate("checkout").timeout(Duration::from_secs(5)).send().unwrap();
    assert!(receipt.is_reached, "{receipt:?}");
    until("the process ahead has it", || !ahead.is_active("checkout"));
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Longer than a session takes to notice that Redis does not answer, and to connect again.
const STALL: Duration = Duration::from_secs(10);
