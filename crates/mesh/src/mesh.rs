//! The handle, and the thread behind it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tidegate_replica::NodeId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::address::{Address, AddressError, Host, source_ip};
use crate::connect::RESOLVING_MAX;
use crate::dialer::{self, AddressStatus, Dialer, Members};
use crate::handshake::Local;
use crate::link::{End, Link};
use crate::listener::{self, Inbound};
use crate::options::{Options, Security};
use crate::pulse;
use crate::receiver::Receiver;
use crate::registry::Registry;
use crate::reload::Reload;
use crate::socket_options;
use crate::tls::Tls;
use crate::wire::{Reason, message};

/// The links to the other nodes of a cluster. They close when it is dropped.
#[derive(Debug)]
pub struct Mesh {
    registry: Arc<Registry>,
    inbound: Arc<Inbound>,
    dialer: Arc<Dialer>,
    reload: Option<Arc<Reload>>,
    members: watch::Sender<Members>,
    address: Option<SocketAddr>,
    advertised: Option<String>,
    failure: Arc<Mutex<Option<String>>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread has done its last work.
    done: Mutex<mpsc::Receiver<()>>,
}

/// How the links are doing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MeshStatus {
    /// Messages that were not sent since the start: the queue of their peer was full, or there was no link to it.
    pub dropped: u64,
    /// Connections of others that did not become links since the start, by [cause](crate::Cause::code); `displaced` counts
    /// those that made room for newer ones before they had shown who they are.
    pub refused: BTreeMap<&'static str, u64>,
    /// Connections of others that have not shown yet who they are.
    pub pending: usize,
    /// When this node's certificate expires, in seconds since 1970; none without certificates.
    pub certificate_expires: Option<u64>,
    /// What a person has to do something about.
    pub problems: Vec<String>,
    /// The addresses at which this node looks for others, configured ones first.
    pub addresses: Vec<AddressStatus>,
    /// The links that there are, one for each process.
    pub links: Vec<LinkStatus>,
}

/// A link to another process.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The node.
    pub node: NodeId,
    /// The number of its start.
    pub instance: u64,
    /// The address of the other end.
    pub remote: SocketAddr,
    /// Whether this node made the connection.
    pub is_outbound: bool,
    /// How long it has been there.
    pub age: Duration,
    /// Bytes of messages that wait to be sent.
    pub queued_bytes: usize,
    /// Messages that found no room among those.
    pub dropped: u64,
}

/// The links could not be opened. Nothing was left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The address is taken, or not one of this host. Trying again helps once it is free.
    #[error("cannot listen on {address} for other nodes: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The address of a peer can never work. The failure of the configuration.
    #[error("`{}` is not the address of a peer: {source}", .text.escape_debug())]
    Peer {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// The advertised address can never work. The configuration is wrong.
    #[error("`{}` cannot be advertised: {source}", .text.escape_debug())]
    Advertise {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// An address is advertised, and nothing listens. The failure of the configuration.
    #[error("`{}` is advertised, but this node does not listen for others; say where it listens", .text.escape_debug())]
    AdvertiseWithoutListen {
        /// As it was given.
        text: String,
    },
    /// TLS does not accept the certificate.
    #[error("TLS does not accept the certificate of this node: {0}")]
    Tls(#[source] rustls::Error),
    /// A thread could not be started. The system is short of something; trying again may help.
    #[error("the thread of the links could not be started: {0}")]
    Thread(#[source] io::Error),
}

impl Mesh {
    /// Opens the links. Returns when this node can be reached; the receiver learns which others are there.
    ///
    /// # Errors
    /// [`MeshError`] says what to do.
    pub fn open(options: Options, receiver: Arc<dyn Receiver>) -> Result<Self, MeshError> {
        let peer =
            |text: &String| Address::parse(text).map_err(|source| MeshError::Peer { text: text.clone(), source });
        let peers: Vec<Address> = options.peers.iter().map(peer).collect::<Result<_, _>>()?;
        let listener = options.listen.map(bind).transpose()?;
        let address = listener.as_ref().map(|(_, address)| *address);
        let advertised = advertised(&options, address, &peers)?;
        let identity = match options.security {
            Security::Open => None,
            Security::Certificates(identity) => Some(*identity),
        };
        let local = Arc::new(Local {
            process: (options.node, options.instance),
            cluster: options.cluster,
            address: advertised.clone(),
            startup: options.startup,
            tls: Mutex::new(identity.as_ref().map(Tls::new).transpose().map_err(MeshError::Tls)?),
        });
        let registry = Arc::new(Registry::new(local.process, receiver));
        let inbound = Arc::new(Inbound::new(Arc::clone(&local), Arc::clone(&registry)));
        let targets = dialer::targets(peers, address);
        let dialer = Arc::new(Dialer::new(Arc::clone(&local), Arc::clone(&registry), targets));
        let reload = identity.map(|identity| Arc::new(Reload::new(local, Arc::clone(&registry), identity)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(RESOLVING_MAX + 1)
            .thread_keep_alive(BLOCKING_KEEP_ALIVE)
            .thread_name(BLOCKING_THREAD)
            .build()
            .map_err(MeshError::Thread)?;
        let listener = {
            let _entered = runtime.enter();
            let to_tokio = |(listener, address): (TcpListener, _)| {
                tokio::net::TcpListener::from_std(listener).map_err(|source| MeshError::Listen { address, source })
            };
            listener.map(to_tokio).transpose()?
        };
        let (members, known) = watch::channel(Members::new());
        let (stop, stopped) = watch::channel(false);
        let (finished, done) = mpsc::channel();
        let failure = Arc::<Mutex<Option<String>>>::default();
        let mut work = Work { registry: Arc::clone(&registry), failure: Arc::clone(&failure), tasks: JoinSet::new() };
        let near_registry = Arc::clone(&registry);
        let (near_inbound, near_dialer, near_reload) = (Arc::clone(&inbound), Arc::clone(&dialer), reload.clone());
        let body = move || {
            let _finished: mpsc::Sender<()> = finished;
            runtime.block_on(async {
                if let Some(listener) = listener {
                    work.start("listener", listener::listen(listener, near_inbound));
                }
                work.start("pulse", pulse::run(near_registry));
                work.start("dialer", near_dialer.run(known));
                if let Some(reload) = near_reload {
                    work.start("reload", reload.run());
                }
                work.run(stopped).await;
            });
            // A resolver that hangs is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(body).map_err(MeshError::Thread)?;
        let (thread, done) = (Some(thread), Mutex::new(done));
        Ok(Self { registry, inbound, dialer, reload, members, address, advertised, failure, stop, thread, done })
    }

    /// Sends to every process of one node. Never waits; what finds no room is dropped, and counted.
    pub fn send(&self, to: NodeId, bytes: &[u8]) {
        self.registry.send(to, &message(bytes));
    }

    /// Sends to all other nodes. Never waits; what finds no room is dropped for that node alone, and counted.
    pub fn broadcast(&self, bytes: &[u8]) {
        self.registry.broadcast(&message(bytes));
    }

    /// The addresses of members, as the membership says: this node connects to them while there is no link. Replaces what
    /// was said before. Never waits. An address that cannot be read is left out.
    pub fn learn(&self, members: Vec<(NodeId, String)>) {
        self.members.send_if_modified(|known| {
            let is_new = *known != members;
            *known = members;
            is_new
        });
    }

    /// Where this node listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where other nodes reach this one, as it tells them.
    pub fn advertised(&self) -> Option<&str> {
        self.advertised.as_deref()
    }

    /// How the links are doing.
    pub fn status(&self) -> MeshStatus {
        let inbound = self.inbound.status();
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let certificates = self.reload.as_ref().map(|reload| reload.problems()).unwrap_or_default();
        let listening = inbound.problem.map(|problem| format!("connections cannot be accepted: {problem}"));
        let links = self.registry.newest();
        MeshStatus {
            dropped: self.registry.dropped(),
            refused: inbound.refused,
            pending: inbound.pending,
            certificate_expires: self.reload.as_ref().map(|reload| reload.expires()),
            problems: failure.into_iter().chain(listening).chain(certificates).collect(),
            addresses: self.dialer.status(),
            links: links.iter().map(|link| LinkStatus::from_link(link)).collect(),
        }
    }
}

impl LinkStatus {
    fn from_link(link: &Link) -> Self {
        let peer = link.peer();
        let (node, instance) = peer.process;
        let (queued_bytes, dropped) = link.counts();
        Self {
            node,
            instance,
            remote: peer.remote,
            is_outbound: peer.is_outbound,
            age: link.since().elapsed(),
            queued_bytes,
            dropped,
        }
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let Some(thread) = self.thread.take() else { return };
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        if done.recv_timeout(GOODBYE_MAX) == Err(mpsc::RecvTimeoutError::Disconnected) {
            let _ = thread.join();
        }
    }
}

/// What the thread does.
struct Work {
    registry: Arc<Registry>,
    failure: Arc<Mutex<Option<String>>>,
    /// None of them ends by itself.
    tasks: JoinSet<&'static str>,
}

impl Work {
    fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Runs until it is told to stop, and then ends all links with a goodbye.
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(ended) = self.tasks.join_next() => self.note_failure(&ended),
            }
        }
        self.tasks.abort_all();
        self.registry.all().iter().for_each(|link| link.end(End::Goodbye(Reason::Leaving)));
        let _ = timeout(LEAVE_MAX, self.registry.all_ended()).await;
    }

    fn note_failure(&self, ended: &Result<&'static str, tokio::task::JoinError>) {
        let what = match ended {
            Ok(name) => format!("the {name} of the links ended"),
            Err(error) => format!("a task of the links failed: {error}"),
        };
        tracing::error!("{what}; please report it. Links that stand go on; start this process again to make new ones");
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }
}

/// A listener, and where it listens.
fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), MeshError> {
    let bound = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        socket_options::set(&listener)?;
        // A longer queue than the default, so that a burst of strangers does not make the system drop members.
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound().map_err(|source| MeshError::Listen { address, source })
}

/// The address that this node advertises to others.
fn advertised(options: &Options, address: Option<SocketAddr>, peers: &[Address]) -> Result<Option<String>, MeshError> {
    if let Some(text) = &options.advertise {
        if address.is_none() {
            return Err(MeshError::AdvertiseWithoutListen { text: text.clone() });
        }
        let parsed = Address::parse(text).map_err(|source| MeshError::Advertise { text: text.clone(), source })?;
        return Ok(Some(parsed.to_string()));
    }
    let Some(address) = address else { return Ok(None) };
    if !address.ip().is_unspecified() {
        return Ok(Some(address.to_string()));
    }
    let by_certificate = options.security.identity().and_then(|identity| identity.hosts().first()).cloned();
    let ip_of = |peer: &Address| match peer.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, peer.port)),
        Host::Name(_) => None,
    };
    let by_peer = || peers.iter().filter_map(ip_of).find_map(source_ip).map(|ip| ip.to_string());
    let host = by_certificate.or_else(by_peer);
    Ok(host.map(|host| match host.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, address.port()).to_string(),
        Err(_) => format!("{host}:{}", address.port()),
    }))
}

/// The thread that does all work of links.
const THREAD: &str = "tidegate-mesh";

/// Threads that exist for a moment, when a name is resolved or certificates are read.
const BLOCKING_THREAD: &str = "tidegate-mesh-io";
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How long all links together may take to end in good order.
const LEAVE_MAX: Duration = Duration::from_millis(1_500);

/// How long the last handle waits for the links to close.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
