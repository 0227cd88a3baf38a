//! The handle, and the thread behind it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use tidegate_replica::NodeId;
use tidegate_replica::limits::NODES_MAX;

use crate::dial::Dial;
use crate::ear::{self, Ear};
use crate::expiry;
use crate::identity::Identity;
use crate::keys::Keys;
use crate::line::Line;
use crate::options::{Options, RUNTIME};
use crate::patience::Patience;
use crate::queue::{Command, Queue};
use crate::seal::{self, Destination};
use crate::session::Session;
use crate::settings;

/// Takes what comes from other nodes. It is called on threads of zenoh's and must return at once.
pub trait Receiver: fmt::Debug + Send + Sync {
    /// A message of a node of this cluster, to this one or to all.
    fn message(&self, from: NodeId, bytes: Vec<u8>);

    /// A process of a node has come into reach or gone out of it. With the id of this node and another instance it is a
    /// clone.
    fn peer(&self, node: NodeId, instance: u64, is_up: bool);
}

/// The way to the other nodes of a cluster. It closes when it is dropped.
#[derive(Debug)]
pub struct Mesh {
    queue: Arc<Queue>,
    line: Arc<Mutex<Line>>,
    ear: Arc<Ear>,
    address: Option<SocketAddr>,
    expires: Option<u64>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread has done its last work.
    done: Mutex<mpsc::Receiver<()>>,
}

/// What there is to tell about the links.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MeshStatus {
    /// Messages that were not sent: there was no room, or no link. Those that zenoh drops for one slow node are not counted.
    pub dropped: u64,
    /// Messages that were not taken, by what was wrong with them.
    pub refused: BTreeMap<&'static str, u64>,
    /// When this node's certificate ends, in seconds since 1970; none without certificates.
    pub certificate_expires: Option<u64>,
}

/// The links could not be opened. Nothing was left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The address is taken, or not this host's; or zenoh does not take what it is told.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// zenoh cannot be opened.
    #[error("the links to other nodes cannot be opened: {0}")]
    Open(#[source] zenoh::Error),
    /// With certificates the process has to be started with [`RUNTIME`](crate::RUNTIME) in its environment. The fault of
    /// whoever starts it.
    #[error("start this process with `{}={}` in its environment: without it, links with certificates may crash it", RUNTIME.0, RUNTIME.1)]
    Runtime,
    /// The system gives no random bytes, of which a key was to be made. Retrying may help.
    #[error("the system gives no random bytes for a key")]
    Random,
    /// A thread could not be started. The system is short of something; retrying may help.
    #[error("the thread of the links could not be started: {0}")]
    Thread(#[source] io::Error),
}

impl Mesh {
    /// Opens the links. Returns when this node can be reached; which others are there is told to the receiver.
    ///
    /// # Errors
    /// [`MeshError`]; trying again helps once the address is free.
    pub fn open(options: Options, receiver: Arc<dyn Receiver>) -> Result<Self, MeshError> {
        let identity = options.security.identity();
        if identity.is_some() && std::env::var(RUNTIME.0).ok().as_deref() != Some(RUNTIME.1) {
            return Err(MeshError::Runtime);
        }
        let address = options.listen.map(free_address).transpose()?;
        let dial = Dial::new(&options.peers, address);
        let keys = Keys::new(&options.cluster);
        let (sealer, opener) = seal::of(&options.cluster, options.node, options.instance, &options.security)
            .map_err(|ring::error::Unspecified| MeshError::Random)?;
        let expires = identity.map(Identity::expires);
        let queue = Arc::<Queue>::default();
        let ear = Arc::new(Ear::new(options.node, options.instance, opener, Arc::clone(&queue), receiver));
        let line = Arc::new(Mutex::new(Line::new(sealer, Arc::clone(&ear), Arc::clone(&queue))));
        let (finished, done) = mpsc::channel();
        let (outcome, first) = mpsc::channel();
        let worker = {
            let (queue, line, ear) = (Arc::clone(&queue), Arc::clone(&line), Arc::clone(&ear));
            move || {
                let _finished: mpsc::Sender<()> = finished;
                let open = |dial: &Dial, listens: bool| {
                    let listen = address.filter(|_| listens);
                    let config = settings::of(options.node, listen, dial.addresses(listens), &options.security)?;
                    Session::open(config, &keys, &ear)
                };
                match open(&dial, true) {
                    Err(error) => _ = outcome.send(Err(error)),
                    Ok(session) => {
                        lock(&line).replace(Some(session));
                        _ = outcome.send(Ok(()));
                        let (queue, line, ear) = (&*queue, &*line, &*ear);
                        let (asked, patience) = (BTreeMap::new(), Patience::default());
                        let is_deaf = false;
                        Worker { open, address, is_deaf, dial, patience, line, queue, ear, asked, expires }.run();
                    }
                }
                queue.go();
            }
        };
        let thread =
            thread::Builder::new().name("tidegate-mesh".to_owned()).spawn(worker).map_err(MeshError::Thread)?;
        let mesh = Self { queue, line, ear, address, expires, thread: Some(thread), done: Mutex::new(done) };
        match first.recv() {
            Ok(Ok(())) => Ok(mesh),
            Ok(Err(error)) => Err(MeshError::Open(error)),
            Err(mpsc::RecvError) => Err(MeshError::Open("the thread of the links panicked".into())),
        }
    }

    /// Sends to one node. Returns at once, or after a millisecond where a link is just becoming too slow; what finds no room is
    /// dropped.
    pub fn send(&self, to: NodeId, bytes: Vec<u8>) {
        self.put(Destination::Node(to), bytes);
    }

    /// Sends to all other nodes. Returns as [`Self::send`] does; what finds no room is dropped.
    pub fn broadcast(&self, bytes: Vec<u8>) {
        self.put(Destination::All, bytes);
    }

    /// On this thread, if the message is short, nothing was said before it, and nobody else is sending; otherwise by way of the
    /// queue.
    fn put(&self, to: Destination, bytes: Vec<u8>) {
        match self.line.try_lock() {
            Ok(mut line) if line.is_quick(bytes.len()) && self.queue.is_idle() => line.send(to, &bytes),
            _ => self.queue.push(Command::Send(to, bytes)),
        }
    }

    /// Lets all links go and makes them anew, for when a node is said to be there and does not answer. Returns at once.
    pub fn reopen(&self) {
        self.queue.push(Command::Reopen);
    }

    /// Where other nodes reach this one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What there is to tell.
    pub fn status(&self) -> MeshStatus {
        MeshStatus {
            dropped: self.queue.dropped(),
            refused: self.ear.opener().refused(),
            certificate_expires: self.expires,
        }
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.queue.push(Command::Close);
        let Some(thread) = self.thread.take() else { return };
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        if done.recv_timeout(GOODBYE_MAX) == Err(mpsc::RecvTimeoutError::Disconnected) {
            let _ = thread.join();
        }
    }
}

/// The thread that makes the links, and works off the queue.
struct Worker<'a, Open> {
    open: Open,
    address: Option<SocketAddr>,
    /// Whether it could not listen there when the links were last opened.
    is_deaf: bool,
    dial: Dial,
    patience: Patience,
    line: &'a Mutex<Line>,
    queue: &'a Queue,
    ear: &'a Ear,
    /// Who was asked for a certificate, and when.
    asked: BTreeMap<NodeId, Instant>,
    expires: Option<u64>,
}

impl<Open: Fn(&Dial, bool) -> Result<Session, zenoh::Error>> Worker<'_, Open> {
    fn run(mut self) {
        let mut watch = expiry::Watch::default();
        let mut looked = Instant::now();
        loop {
            let mut has_met = false;
            for command in self.queue.take(LOOK_PERIOD) {
                match command {
                    Command::Close => return self.close(),
                    Command::Reopen => self.reopen(),
                    Command::Send(to, payload) => lock(self.line).send(to, &payload),
                    Command::Introduce(to) => {
                        lock(self.line).introduce(to);
                        has_met = true;
                    }
                    Command::Ask(to) if self.has_asked(to) => {}
                    Command::Ask(to) => lock(self.line).ask(to),
                }
            }
            let is_time = looked.elapsed() >= LOOK_PERIOD;
            if !is_time && !has_met {
                continue;
            }
            let links = lock(self.line).links(self.address);
            self.patience.look(&links);
            if !is_time {
                continue;
            }
            looked = Instant::now();
            if self.dial.look(&links, &self.ear.alive(), looked) {
                tracing::info!("opening the connections anew: a node does not come, or its link is hollow");
                self.reopen();
            }
            if self.is_deaf && self.address.is_some_and(|address| free_address(address).is_ok()) {
                tracing::info!("opening the connections anew: the address is free again");
                self.reopen();
            }
            if let Some(warning) = self.expires.and_then(|expires| watch.look(expires, ear::now())) {
                tracing::warn!("{warning}");
            }
        }
    }

    /// Whether the node was asked a moment ago. Whoever sends much before it is known is asked once, and so is a stranger
    /// who claims to be one node after the other: beyond the nodes that a cluster can have, all wait for the next moment.
    fn has_asked(&mut self, node: NodeId) -> bool {
        let now = Instant::now();
        self.asked.retain(|_, at| now.duration_since(*at) < ASK_PERIOD);
        if self.asked.contains_key(&node) || self.asked.len() >= NODES_MAX {
            return true;
        }
        self.asked.insert(node, now);
        false
    }

    fn close(&self) {
        let session = lock(self.line).replace(None);
        if let Some(session) = session {
            session.close(self.ear.runtime().as_ref());
        }
    }

    /// Without links this node is alone and goes on; so it is tried until it works. When the address stays taken, by the
    /// links before that do not end or by somebody else, it does without.
    fn reopen(&mut self) {
        self.close();
        self.ear.hear_nothing();
        let began = Instant::now();
        loop {
            self.queue.clear();
            self.is_deaf = began.elapsed() >= DEAF_AFTER;
            match (self.open)(&self.dial, !self.is_deaf) {
                Ok(session) => {
                    if self.is_deaf {
                        tracing::warn!("no node can reach this one where it should listen; it dials all that it knows");
                    }
                    lock(self.line).replace(Some(session));
                    return;
                }
                Err(error) => {
                    tracing::warn!("the links to other nodes cannot be opened anew, next try in a second: {error}");
                }
            }
            if self.is_closed_within(REOPEN_PERIOD) {
                return self.queue.push(Command::Close);
            }
        }
    }

    /// Lets go what comes, until it is over.
    fn is_closed_within(&self, period: Duration) -> bool {
        let until = Instant::now() + period;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.queue.take(left).contains(&Command::Close) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address with a port that is free, if none was named. Another process could take it before it is used; then opening
/// fails, and can be tried again.
fn free_address(address: SocketAddr) -> Result<SocketAddr, MeshError> {
    // Also where the port is named: what the system says of it is clearer than what comes back through all layers.
    TcpListener::bind(address)
        .and_then(|listener| listener.local_addr())
        .map_err(|source| MeshError::Listen { address, source })
}

/// Between two looks at the links and at the clock.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Between two questions to one node: an answer takes a millisecond, and may be lost.
const ASK_PERIOD: Duration = Duration::from_millis(100);

/// Between two attempts to open the links anew.
const REOPEN_PERIOD: Duration = Duration::from_secs(1);

/// How long the address is waited for when links are opened anew.
const DEAF_AFTER: Duration = Duration::from_secs(5);

/// How long the last handle waits for the links to close.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
