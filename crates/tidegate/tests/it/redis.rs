//! Registers that processes share through a real Redis: a process here is an instance with threads and connections of its own.

mod access;
mod faults;
mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tidegate::{ClusterStatus, Level, Live, Receipt, RedisStatus, Tidegate};
use tidegate_origin::RedisServer;

use crate::support::until;

/// A process that shares its flags through this Redis.
fn process(server: &RedisServer, name: &str) -> Tidegate {
    process_at(&server.url(), name, Duration::from_secs(5))
}

fn process_at(url: &str, name: &str, wait: Duration) -> Tidegate {
    let live = Live::redis(url).name(name).cluster("tests");
    Tidegate::builder().live(live).without_locks().startup_wait(wait).connect().unwrap()
}

fn status(tide: &Tidegate) -> ClusterStatus {
    tide.cluster().unwrap().status().unwrap()
}

fn redis(tide: &Tidegate) -> RedisStatus {
    status(tide).redis.unwrap()
}

fn has_problem(tide: &Tidegate, code: &str) -> bool {
    status(tide).problems.iter().any(|problem| problem.code == code)
}

fn activate(tide: &Tidegate, flag: &str) -> Receipt {
    tide.activate(flag).actor("dana").timeout(Duration::from_secs(5)).send().unwrap()
}

/// All processes have the same, and Redis has as many registers.
#[track_caller]
fn agree(server: &RedisServer, processes: &[&Tidegate]) {
    until("all processes have the same, and Redis has it", || {
        let digests: Vec<u64> = processes.iter().map(|tide| digest(tide)).collect();
        let count = status(processes[0]).node.registers;
        digests.windows(2).all(|pair| pair[0] == pair[1])
            && server.ask(&["HLEN", "{tidegate:tests}:reg"]) == count.to_string()
    });
}

/// A number of the flags that a process has. Its own entry in the membership is not shared.
fn digest(tide: &Tidegate) -> u64 {
    let flags = tide.cluster().unwrap().flags().unwrap();
    let texts: Vec<String> = flags.iter().map(|record| format!("{}={};", record.flag, record.tag())).collect();
    texts
        .concat()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Reads flags all the time: each read must answer as long as no test changes them.
struct Reader {
    is_over: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    wrong: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(tide: &Tidegate, flag: &'static str, expected: bool) -> Self {
        let (is_over, reads, wrong) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let thread = {
            let (tide, is_over, reads, wrong) = (tide.clone(), is_over.clone(), reads.clone(), wrong.clone());
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    reads.fetch_add(1, Ordering::Relaxed);
                    if tide.is_active(flag) != expected {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::yield_now();
                }
            })
        };
        Self { is_over, reads, wrong, thread: Some(thread) }
    }

    #[track_caller]
    fn end(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        assert!(self.reads.load(Ordering::Relaxed) > 0);
        assert_eq!(self.wrong.load(Ordering::Relaxed), 0, "reads that had another answer");
    }
}

#[test]
fn a_change_set_is_acknowledged_once_redis_has_all_of_it() {
    let server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    let changes = (0..300).map(|number| one.activate(&format!("f/x{number}")));
    let receipt = one.apply(changes).ack(Level::Majority).timeout(Duration::from_secs(10)).send().unwrap();
    assert!(receipt.is_reached && receipt.redis.is_some_and(|redis| redis.is_acknowledged));
    assert_eq!(server.ask(&["HLEN", "{tidegate:tests}:reg"]), "300");
    until("the other process has all of it", || (0..300).all(|number| other.is_active(&format!("f/x{number}"))));
}

#[test]
fn a_change_in_one_process_is_active_in_another_and_the_receipt_says_what_redis_promises() {
    let server = RedisServer::start();
    let (one, other) = (process(&server, "one"), process(&server, "other"));
    let receipt = activate(&one, "checkout");
    assert!(receipt.is_reached, "{receipt:?}");
    let said = receipt.redis.unwrap();
    assert_eq!((said.is_acknowledged, said.appendfsync.as_deref(), said.replicas), (true, Some("everysec"), 0));
    until("the other process has it", || other.is_active("checkout"));
    // The other way, and a removal.
    assert!(other.clear("checkout").timeout(Duration::from_secs(5)).send().unwrap().is_reached);
    until("the first process has it", || !one.is_active("checkout"));
    agree(&server, &[&one, &other]);
    let status = status(&one);
    let redis = status.redis.as_ref().unwrap();
    assert!(redis.is_connected && redis.unreachable_since.is_none() && redis.clock_offset_ms.is_some(), "{redis:?}");
    assert_eq!(status.members.len(), 1, "processes that share through Redis are no members of each other");
    assert!(status.problems.is_empty(), "{:?}", status.problems);
}

#[test]
fn a_process_that_starts_later_has_everything_before_it_answers() {
    let server = RedisServer::start();
    let first = process(&server, "first");
    for number in 0..300 {
        first.activate(&format!("flag-{number}")).ack(Level::Local).send().unwrap();
    }
    until("Redis has them", || server.ask(&["HLEN", "{tidegate:tests}:reg"]) == "300");
    let second = process(&server, "second");
    assert!(second.cluster().unwrap().is_synced());
    assert!((0..300).all(|number| second.is_active(&format!("flag-{number}"))));
    // When no process lives, Redis has them.
    drop((first, second));
    let third = process(&server, "third");
    assert!(third.is_active("flag-299"));
}

#[test]
fn what_is_accepted_at_the_level_local_is_written_before_the_process_ends() {
    let server = RedisServer::start();
    let first = process(&server, "first");
    assert_eq!(first.activate("checkout").ack(Level::Local).send().unwrap().redis, None, "it does not wait for Redis");
    drop(first);
    assert!(process(&server, "second").is_active("checkout"));
}

#[test]
fn another_cluster_name_is_another_set_of_flags() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    activate(&one, "checkout");
    let live = Live::redis(server.url()).cluster("others");
    let other = Tidegate::builder().live(live).without_locks().connect().unwrap();
    assert!(!other.is_active("checkout"));
    // Both keys are in one slot of a Redis Cluster.
    let slot = |key: &str| server.ask(&["CLUSTER", "KEYSLOT", key]);
    assert_eq!(slot("{tidegate:tests}:reg"), slot("{tidegate:tests}:log"));
}

#[test]
fn levels_count_replicas_of_redis() {
    let server = RedisServer::start();
    let one = process(&server, "one");
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &server.port().to_string()]);
    until("the replica is in step", || server.ask(&["INFO", "replication"]).contains("state=online"));
    until("the process knows it", || redis(&one).replicas == 1);
    for level in [Level::One, Level::Majority, Level::All] {
        let receipt = one.activate("checkout").ack(level).timeout(Duration::from_secs(5)).send().unwrap();
        assert!(receipt.is_reached && receipt.level == level, "{receipt:?}");
        assert_eq!(receipt.redis.unwrap().replicas, 1);
    }
    replica.freeze();
    let receipt = one.deactivate("checkout").ack(Level::One).timeout(Duration::from_secs(5)).send().unwrap();
    replica.thaw();
    let said = receipt.redis.as_ref().unwrap();
    assert!(!receipt.is_reached && said.is_acknowledged && said.replicas == 0, "{receipt:?}");
    // A replica accepts no writes: it is no place for processes to share.
    let lost = process_at(&replica.url(), "lost", Duration::ZERO);
    until("the status says so", || redis(&lost).problem.is_some_and(|problem| problem.contains("replica")));
}

#[test]
fn passwords_are_not_shown_and_an_acl_user_needs_few_rights() {
    let server = RedisServer::start();
    let rights = "~{tidegate:*}:* -@all +ping +info +type +time +hlen +hget +hscan +xread +xrange +xrevrange +script|load \
                  +evalsha +xadd +hset +wait +config|get";
    let mut words = vec!["ACL", "SETUSER", "tidegate", "on", ">s3cret"];
    words.extend(rights.split_whitespace());
    assert_eq!(server.ask(&words), "OK");
    let url = format!("redis://tidegate:s3cret@127.0.0.1:{}/0", server.port());
    let one = process_at(&url, "one", Duration::from_secs(5));
    assert!(activate(&one, "checkout").is_reached, "{:?}", redis(&one));
    assert_eq!(redis(&one).url, format!("redis://127.0.0.1:{}/0", server.port()));
    // A wrong password, and a right that is missing.
    let wrong = process_at(&url.replace("s3cret", "s3cret-wrong"), "wrong", Duration::ZERO);
    until("the status names the problem", || has_problem(&wrong, "redis-authentication"));
    server.ask(&["ACL", "SETUSER", "tidegate", "-evalsha"]);
    let receipt = one.deactivate("checkout").timeout(Duration::from_millis(300)).send().unwrap();
    assert!(!receipt.is_reached);
    until("the status names the right", || has_problem(&one, "redis-permission"));
    for tide in [&one, &wrong] {
        let shown = format!("{:?} {}", status(tide), serde_json::to_string(&status(tide)).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    server.ask(&["ACL", "SETUSER", "tidegate", "+evalsha"]);
    until("the change is written", || !process(&server, "later").is_active("checkout"));
    let refused = Live::redis("redis://dana:s3cret@host:port");
    let error = Tidegate::builder().live(refused.clone()).without_locks().connect().unwrap_err();
    assert!(!format!("{error} {error:?} {refused:?}").contains("s3cret"));
}

#[test]
fn concurrent_changes_of_one_flag_have_one_winner_everywhere() {
    let server = RedisServer::start();
    let processes: Vec<Tidegate> = (0..3).map(|number| process(&server, &format!("p{number}"))).collect();
    thread::scope(|scope| {
        for tide in &processes {
            scope.spawn(|| {
                for percentage in 1..=60_u32 {
                    tide.activate_percentage("checkout", percentage).timeout(Duration::from_secs(5)).send().unwrap();
                }
            });
        }
    });
    let all: Vec<&Tidegate> = processes.iter().collect();
    agree(&server, &all);
    let late = process(&server, "late");
    assert_eq!(digest(&late), digest(&processes[0]));
}

#[test]
fn two_clusters_are_joined_by_one_redis() {
    let server = RedisServer::start();
    let started = Instant::now();
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let member = |folder: usize, name: &str, peer: Option<String>| {
        let mut live = Live::at(folders[folder].path().join(name)).name(name).cluster("tests");
        live = live.listen("127.0.0.1:0".parse().unwrap());
        live = peer.into_iter().fold(live, Live::peer);
        let live = if name.ends_with("mirror") { live.with_redis(server.url()) } else { live };
        Tidegate::builder().live(live).without_locks().startup_wait(Duration::from_secs(5)).connect().unwrap()
    };
    let address = |tide: &Tidegate| status(tide).node.address.unwrap().to_string();
    let a1 = member(0, "a1-mirror", None);
    let a2 = member(0, "a2", Some(address(&a1)));
    let b1 = member(1, "b1-mirror", None);
    let b2 = member(1, "b2", Some(address(&b1)));
    for tide in [&a1, &a2, &b1, &b2] {
        until("each cluster has two members", || status(tide).members.len() == 2);
    }
    let receipt = activate(&a2, "checkout");
    assert!(receipt.is_reached && receipt.redis.is_none() && receipt.durable_on.len() == 2, "levels count members");
    until("the other cluster has it", || b2.is_active("checkout"));
    b2.clear("checkout").timeout(Duration::from_secs(5)).send().unwrap();
    until("the removal comes back", || !a2.is_active("checkout"));
    assert_eq!(status(&a1).members.len(), 2, "members of the other cluster are none of this one");
    assert!(started.elapsed() < Duration::from_mins(1));
}
