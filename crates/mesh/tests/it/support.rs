//! Nodes, and what they have heard.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_mesh::authority::Authority;
use tidegate_mesh::{Identity, Mesh, MeshError, Options, PeerEvent, Receiver, Security};
use tidegate_replica::NodeId;

/// What a node has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    messages: Mutex<Vec<(NodeId, Vec<u8>)>>,
    alive: Mutex<BTreeSet<(NodeId, u64)>>,
    running_elsewhere: Mutex<Option<String>>,
}

impl Heard {
    pub(crate) fn is_alive(&self, node: u64, instance: u64) -> bool {
        self.alive.lock().unwrap().contains(&(NodeId::new(node), instance))
    }
}

impl Receiver for Heard {
    fn message(&self, from: NodeId, bytes: Vec<u8>) {
        self.messages.lock().unwrap().push((from, bytes));
    }

    fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        let mut alive = self.alive.lock().unwrap();
        match event {
            PeerEvent::Connected { .. } => alive.insert((node, instance)),
            PeerEvent::Lost { .. } => alive.remove(&(node, instance)),
        };
    }

    fn running_elsewhere(&self, address: &str) {
        *self.running_elsewhere.lock().unwrap() = Some(address.to_owned());
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mesh: Mesh,
    pub(crate) heard: Arc<Heard>,
    pub(crate) id: NodeId,
    pub(crate) instance: u64,
}

impl Node {
    pub(crate) fn start(id: u64, instance: u64, peers: &[&Node], security: Security) -> Self {
        Self::try_start("shop", id, instance, "127.0.0.1:0".parse().unwrap(), peers, security).unwrap()
    }

    pub(crate) fn try_start(
        cluster: &str,
        id: u64,
        instance: u64,
        listen: SocketAddr,
        peers: &[&Node],
        security: Security,
    ) -> Result<Self, MeshError> {
        Self::open(Options {
            listen: Some(listen),
            peers: peers.iter().map(|node| node.address().to_string()).collect(),
            security,
            ..Options::new(cluster, NodeId::new(id), instance)
        })
    }

    pub(crate) fn open(options: Options) -> Result<Self, MeshError> {
        let heard = Arc::<Heard>::default();
        let (id, instance) = (options.node, options.instance);
        let mesh = Mesh::open(options, heard.clone())?;
        Ok(Self { mesh, heard, id, instance })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.mesh.address().unwrap()
    }

    pub(crate) fn sees(&self, other: &Self) -> bool {
        self.heard.alive.lock().unwrap().contains(&(other.id, other.instance))
    }

    /// Whether it sees any process of this node.
    pub(crate) fn heard_of(&self, id: u64) -> bool {
        self.heard.alive.lock().unwrap().iter().any(|(node, _)| node.get() == id)
    }

    /// Where an older process of its node is running, if it was refused for that.
    pub(crate) fn running_elsewhere(&self) -> Option<String> {
        self.heard.running_elsewhere.lock().unwrap().clone()
    }

    /// Whether it has heard this, once.
    pub(crate) fn has_heard(&self, from: &Self, text: &str) -> bool {
        let messages = self.heard.messages.lock().unwrap();
        let count = messages.iter().filter(|(node, bytes)| *node == from.id && bytes == text.as_bytes()).count();
        assert!(count < 2, "heard `{text}` {count} times");
        count == 1
    }

    /// How many messages it has heard.
    pub(crate) fn count(&self) -> usize {
        self.heard.messages.lock().unwrap().len()
    }

    /// Why there is no link to this address, as a word.
    pub(crate) fn cause(&self, address: &str) -> Option<&'static str> {
        let status = self.mesh.status();
        let found = status.addresses.iter().find(|found| found.address == address)?;
        found.cause.as_ref().map(tidegate_mesh::Cause::code)
    }

    /// Waits until there is no link to this address for this cause.
    pub(crate) fn fails(&self, address: &str, cause: &str) {
        soon(&format!("{cause} at {address}"), || self.cause(address) == Some(cause));
    }

    pub(crate) fn refused(&self, cause: &str) -> u64 {
        self.mesh.status().refused.get(cause).copied().unwrap_or(0)
    }

    pub(crate) fn heard_nothing(&self) -> bool {
        self.heard.messages.lock().unwrap().is_empty()
    }

    /// Says something until the other has heard it: a message may be lost, and the one who needs it says it again.
    pub(crate) fn tells(&self, other: &Self, text: &str) {
        let mut count = 0;
        soon(&format!("{text}, sent by {} to {}", self.id, other.id), || {
            count += 1;
            let text = format!("{text} {count}");
            self.mesh.send(other.id, text.as_bytes());
            let until = Instant::now() + Duration::from_millis(200);
            while Instant::now() < until {
                if other.has_heard(self, &text) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            false
        });
    }
}

pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn meet(nodes: &[&Node]) {
    for one in nodes {
        for other in nodes.iter().filter(|other| other.id != one.id) {
            soon(&format!("{} sees {}", one.id, other.id), || one.sees(other));
        }
    }
}

/// An authority with these nodes, each at 127.0.0.1.
pub(crate) fn certify(folder: &Path, nodes: &[u64]) {
    certify_at(folder, nodes, "127.0.0.1", now());
}

/// The same at another host, made at another time.
pub(crate) fn certify_at(folder: &Path, nodes: &[u64], host: &str, now: u64) {
    let authority = if Authority::is_in(folder) {
        Authority::open(folder, "shop").unwrap()
    } else {
        Authority::create(folder, "shop", now).unwrap()
    };
    for node in nodes {
        authority.issue_as(NodeId::new(*node), &node.to_string(), &[host.to_owned()], now).unwrap();
    }
}

pub(crate) fn certificates(folder: &Path, node: u64) -> Security {
    Security::Certificates(Box::new(Identity::read(&folder.join(node.to_string()), "shop", now()).unwrap()))
}

pub(crate) fn listen() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
