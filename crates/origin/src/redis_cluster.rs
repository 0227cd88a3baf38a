//! A Redis Cluster of processes of a test.

use std::thread;
use std::time::Instant;

use crate::RedisServer;
use crate::process::{PATIENCE, PAUSE};

/// Masters that share all slots, and replicas of them, on the loopback interface.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts as many masters, each with its part of the slots.
    ///
    /// # Panics
    /// One does not start, or they do not find each other.
    pub fn start(masters: usize) -> Self {
        let mut cluster = Self { nodes: Vec::new() };
        for index in 0..masters {
            let server = node();
            let (first, end) = (SLOTS * index / masters, SLOTS * (index + 1) / masters);
            done(&server, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]);
            done(&server, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            cluster.add(server);
        }
        cluster.wait_until_ok();
        cluster
    }

    /// Its nodes: masters first, then replicas.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// A node that is to be killed or started.
    ///
    /// # Panics
    /// There is none with this number.
    pub fn node(&mut self, index: usize) -> &mut RedisServer {
        &mut self.nodes[index]
    }

    /// Starts a replica of this master, and waits until it has everything. Returns its number.
    ///
    /// # Panics
    /// It does not start.
    pub fn add_replica(&mut self, master: usize) -> usize {
        let index = self.nodes.len();
        self.add(node());
        let id = self.id(master);
        wait("the replica knows its master", || self.nodes[index].ask(&["CLUSTER", "REPLICATE", &id]) == "OK");
        wait("the replica is in step", || {
            self.nodes[index].ask(&["INFO", "replication"]).contains("master_link_status:up")
        });
        // Only one that its master knows takes its place.
        wait("all know it", || {
            let own = self.id(index);
            self.nodes.iter().all(|node| {
                let known = node.ask(&["CLUSTER", "NODES"]);
                known.lines().any(|line| line.starts_with(&own) && line.contains("slave"))
            })
        });
        index
    }

    /// The slot of a key.
    ///
    /// # Panics
    /// No node answers.
    pub fn slot(&self, key: &str) -> String {
        self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key])
    }

    /// Waits until every node that answers says that the cluster works.
    ///
    /// # Panics
    /// It does not.
    pub fn wait_until_ok(&self) {
        wait("the cluster works", || {
            self.nodes.iter().all(|node| {
                let state = node.ask(&["CLUSTER", "INFO"]);
                state.is_empty() || state.contains("cluster_state:ok")
            })
        });
    }

    /// Which node of those that run has this slot, by their own words.
    ///
    /// # Panics
    /// None has it.
    pub fn owner(&self, slot: &str) -> usize {
        let number: usize = slot.parse().expect("a slot is a number");
        let owns = |node: &RedisServer| {
            let known = node.ask(&["CLUSTER", "NODES"]);
            known.lines().filter(|line| line.contains("myself,master")).any(|line| {
                line.split(' ').skip(8).filter(|word| !word.starts_with('[')).any(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let bounds = (first.parse().unwrap_or(SLOTS), last.parse().unwrap_or(0));
                    (bounds.0..=bounds.1).contains(&number)
                })
            })
        };
        self.nodes.iter().position(owns).expect("a node has the slot")
    }

    /// Begins to move a slot: from now on its keys may be at either node.
    ///
    /// # Panics
    /// A node refuses.
    pub fn begin_move(&self, slot: &str, from: usize, to: usize) {
        done(&self.nodes[to], &["CLUSTER", "SETSLOT", slot, "IMPORTING", &self.id(from)]);
        done(&self.nodes[from], &["CLUSTER", "SETSLOT", slot, "MIGRATING", &self.id(to)]);
    }

    /// Moves a key of a slot that moves.
    ///
    /// # Panics
    /// A node refuses.
    pub fn move_key(&self, key: &str, from: usize, to: usize) {
        let port = self.nodes[to].port().to_string();
        done(&self.nodes[from], &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }

    /// Ends to move a slot: it is that of the other node now.
    ///
    /// # Panics
    /// A node refuses.
    pub fn end_move(&self, slot: &str, from: usize, to: usize) {
        let id = self.id(to);
        for node in [&self.nodes[to], &self.nodes[from]] {
            done(node, &["CLUSTER", "SETSLOT", slot, "NODE", &id]);
        }
    }

    fn id(&self, index: usize) -> String {
        self.nodes[index].ask(&["CLUSTER", "MYID"])
    }

    /// A node joins the others.
    fn add(&mut self, server: RedisServer) {
        if let Some(first) = self.nodes.first() {
            done(&server, &["CLUSTER", "MEET", "127.0.0.1", &first.port().to_string(), &first.bus_port().to_string()]);
        }
        self.nodes.push(server);
        let count = format!("cluster_known_nodes:{}", self.nodes.len());
        wait("the nodes know each other", || {
            self.nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains(&count))
        });
    }
}

fn node() -> RedisServer {
    RedisServer::start_in_a_cluster(&["--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"])
}

fn done(server: &RedisServer, words: &[&str]) {
    let answer = server.ask(words);
    assert_eq!(answer, "OK", "{words:?}");
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(PAUSE);
    }
}

/// Slots of a Redis Cluster.
const SLOTS: usize = 16_384;
