//! One opening of zenoh: the links to the others, and the keys under which this node speaks and listens.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tidegate_replica::NodeId;
use tokio::runtime::Handle;
use zenoh::Wait;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;
use zenoh::sample::{Locality, Sample, SampleKind};

use crate::dial::Link;
use crate::ear::Ear;
use crate::keys::Keys;
use crate::seal::Destination;
use crate::settings;

/// See the module.
pub(crate) struct Session {
    zenoh: zenoh::Session,
    keys: Keys,
    all: Publisher<'static>,
    inboxes: BTreeMap<NodeId, Publisher<'static>>,
    /// Taken back when this is dropped.
    _alive: zenoh::liveliness::LivelinessToken,
}

impl Session {
    /// Opens the links, and hears with this ear. The addresses are this host's when this returns; others are met later.
    pub(crate) fn open(config: zenoh::Config, keys: &Keys, ear: &Arc<Ear>) -> Result<Self, zenoh::Error> {
        let zenoh = zenoh::open(config).wait()?;
        let node = ear.node();
        let listen = |key: String, to: Destination| {
            let ear = Arc::clone(ear);
            let hear = move |sample: Sample| {
                if sample.kind() == SampleKind::Put {
                    ear.hear(to, &sample.payload().to_bytes());
                }
            };
            zenoh.declare_subscriber(key).allowed_origin(Locality::Remote).callback(hear).background().wait()
        };
        listen(keys.all(), Destination::All)?;
        listen(keys.inbox(node), Destination::Node(node))?;
        let hear_life = {
            let (ear, keys) = (Arc::clone(ear), keys.clone());
            move |sample: Sample| {
                if let Some((node, instance)) = keys.read_alive(sample.key_expr().as_str()) {
                    ear.peer(node, instance, sample.kind() == SampleKind::Put);
                }
            }
        };
        zenoh
            .liveliness()
            .declare_subscriber(keys.everyone_alive())
            .history(true)
            .callback(hear_life)
            .background()
            .wait()?;
        let all = publisher(&zenoh, keys.all())?;
        // Last, so that whoever sees this node alive knows where it listens.
        let alive = zenoh.liveliness().declare_token(keys.alive(node, ear.instance())).wait()?;
        Ok(Self { zenoh, keys: keys.clone(), all, inboxes: BTreeMap::new(), _alive: alive })
    }

    /// Sends to all others.
    pub(crate) fn broadcast(&self, bytes: Vec<u8>) -> Result<(), zenoh::Error> {
        self.all.put(bytes).wait()
    }

    /// Sends to one.
    pub(crate) fn send(&mut self, to: NodeId, bytes: Vec<u8>) -> Result<(), zenoh::Error> {
        if !self.inboxes.contains_key(&to) {
            // Nodes come and go, and each costs a declaration: beyond what a cluster can have, they are made anew.
            if self.inboxes.len() >= tidegate_replica::limits::NODES_MAX {
                self.inboxes.clear();
            }
            let publisher = publisher(&self.zenoh, self.keys.inbox(to))?;
            self.inboxes.insert(to, publisher);
        }
        match self.inboxes.get(&to) {
            Some(publisher) => publisher.put(bytes).wait(),
            None => Ok(()),
        }
    }

    /// The links that there are.
    pub(crate) fn links(&self, listen: Option<SocketAddr>) -> Vec<Link> {
        let place = |locator: &zenoh::config::Locator| locator.address().as_str().parse::<SocketAddr>().ok();
        let own = listen.map(|listen| listen.port());
        let links = self.zenoh.info().links().wait();
        let read = |link: zenoh::session::Link| {
            let node = settings::node_of(&link.zid().to_string())?;
            // Whoever was dialled answers from the port where it listens.
            let (local, remote) = (place(link.src()), place(link.dst()));
            let is_outbound = own.is_none() || local.map(|local| local.port()) != own;
            Some(Link { node, local, remote, is_outbound })
        };
        links.filter_map(read).collect()
    }

    /// Closes the links. Others see it at once. Links are worked on by one thread, so it is done there.
    pub(crate) fn close(self, runtime: Option<&Handle>) {
        let Self { zenoh, all, inboxes, _alive: alive, .. } = self;
        drop((alive, all, inboxes));
        let closed = match runtime {
            None => zenoh.close().wait(),
            Some(runtime) => {
                let (done, outcome) = mpsc::channel();
                runtime.spawn(async move { _ = done.send(zenoh.close().await) });
                outcome.recv_timeout(CLOSE_MAX).unwrap_or_else(|error| Err(error.into()))
            }
        };
        if let Err(error) = closed {
            tracing::debug!("the links did not close in good order: {error}");
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("inboxes", &self.inboxes.len()).finish_non_exhaustive()
    }
}

/// Never waits for a slow node: what does not fit in its buffer is dropped for it alone. Nor for more to send along: a change
/// is on its way when it is put.
fn publisher(zenoh: &zenoh::Session, key: String) -> Result<Publisher<'static>, zenoh::Error> {
    zenoh
        .declare_publisher(key)
        .congestion_control(CongestionControl::Drop)
        .express(true)
        .allowed_destination(Locality::Remote)
        .wait()
}

/// How long links may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(2);
