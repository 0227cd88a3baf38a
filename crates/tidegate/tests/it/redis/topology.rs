//! Redis that is more than one server: a Redis Cluster whose slots move, and failovers.

use std::sync::Mutex;

use tidegate_origin::{RedisCluster, RedisSentinel};

use super::*;

/// Changes one flag after the other, and remembers what was acknowledged.
struct Writer {
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(tide: &Tidegate) -> Self {
        let (is_over, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default());
        let thread = {
            let (tide, is_over, acknowledged) = (tide.clone(), is_over.clone(), acknowledged.clone());
            thread::spawn(move || {
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let flag = format!("flag-{number}");
                    number += 1;
                    if tide.activate(&flag).timeout(Duration::from_millis(500)).send().unwrap().is_reached {
                        acknowledged.lock().unwrap().push(flag);
                    }
                    thread::sleep(Duration::from_millis(2));
                }
            })
        };
        Self { is_over, acknowledged, thread: Some(thread) }
    }

    /// Waits until ten more changes are acknowledged.
    #[track_caller]
    fn goes_on(&self) {
        let before = self.acknowledged.lock().unwrap().len();
        until("changes are acknowledged", || self.acknowledged.lock().unwrap().len() >= before + 10);
    }

    fn end(mut self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.acknowledged.lock().unwrap())
    }
}

/// All processes have what was acknowledged, and so has one that starts when they have ended.
#[track_caller]
fn nothing_is_lost(acknowledged: &[String], processes: [Tidegate; 2], url: &str) {
    until("both processes have the same", || digest(&processes[0]) == digest(&processes[1]));
    let lost = |tide: &Tidegate| acknowledged.iter().filter(|flag| !tide.is_active(flag)).count();
    assert_eq!(processes.each_ref().map(lost), [0, 0], "of {}", acknowledged.len());
    until("Redis has all of it", || {
        let status = status(&processes[0]);
        status.redis.is_some_and(|redis| redis.registers == status.node.registers as u64 && redis.waiting == 0)
    });
    drop(processes);
    let later = process_at(url, "later", Duration::from_secs(10));
    assert_eq!(lost(&later), 0, "of {}", acknowledged.len());
}

#[test]
fn a_slot_of_a_redis_cluster_moves_and_its_master_fails_over_and_nothing_acknowledged_is_lost() {
    let mut cluster = RedisCluster::start(3);
    let slot = cluster.slot("{tidegate:tests}:reg");
    let owner = cluster.owner(&slot);
    let (target, third) = ((owner + 1) % 3, (owner + 2) % 3);
    let port = |index: usize| cluster.nodes()[index].port();
    // The first server of the URL does not have the slot yet, and is the one that is killed.
    let url = format!("redis://127.0.0.1:{},127.0.0.1:{}", port(target), port(third));
    let processes = ["one", "other"].map(|name| process_at(&url, name, Duration::from_secs(5)));
    let one = &processes[0];
    assert!(activate(one, "checkout").is_reached, "{:?}", redis(one));
    until("the other process has it", || processes[1].is_active("checkout"));
    let reader = Reader::start(&processes[1], "checkout", true);
    let writer = Writer::start(one);
    writer.goes_on();
    cluster.begin_move(&slot, owner, target);
    writer.goes_on();
    cluster.move_key("{tidegate:tests}:reg", owner, target);
    cluster.move_key("{tidegate:tests}:log", owner, target);
    writer.goes_on();
    assert_eq!(cluster.owner(&slot), owner, "changes were acknowledged at the new node before the slot was its own");
    cluster.end_move(&slot, owner, target);
    writer.goes_on();
    assert_eq!(cluster.owner(&slot), target);
    let replica = cluster.add_replica(target);
    writer.goes_on();
    cluster.node(target).kill();
    until("the replica is the master", || cluster.nodes()[replica].ask(&["ROLE"]).starts_with("master"));
    cluster.wait_until_ok();
    writer.goes_on();
    let acknowledged = writer.end();
    reader.end();
    nothing_is_lost(&acknowledged, processes, &url);
}

#[test]
fn a_failover_by_sentinel_is_followed_and_nothing_acknowledged_is_lost() {
    let mut master = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let options = ["--replicaof", "127.0.0.1", &master.port().to_string()];
    let replica = RedisServer::start_with(&options);
    until("the replica is in step", || master.ask(&["INFO", "replication"]).contains("state=online"));
    let sentinel = RedisSentinel::start(&master);
    // One of two Sentinels that the URL names does not run.
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/mymaster/0", sentinel.port());
    let processes = ["one", "other"].map(|name| process_at(&url, name, Duration::from_secs(5)));
    let one = &processes[0];
    // A replica that has just connected acknowledges within a second, and a change waits 200 ms for it.
    until("the replica acknowledges changes", || activate(one, "checkout").is_reached);
    until("the other process has it", || processes[1].is_active("checkout"));
    let reader = Reader::start(&processes[1], "checkout", true);
    let writer = Writer::start(one);
    writer.goes_on();
    master.kill();
    until("the replica is the master", || replica.ask(&["ROLE"]).starts_with("master"));
    writer.goes_on();
    // The old master comes back, as a master until a Sentinel makes it a replica: the Sentinel does not name it.
    master.restart();
    writer.goes_on();
    let acknowledged = writer.end();
    reader.end();
    let wrong = process_at(&url.replace("mymaster", "yours"), "wrong", Duration::ZERO);
    until("the status says so", || {
        redis(&wrong).problem.is_some_and(|problem| problem.contains("no Sentinel knows a master `yours`"))
    });
    nothing_is_lost(&acknowledged, processes, &url);
}
