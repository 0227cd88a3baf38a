//! Accepts connections, and makes links of those whose other end is a member.
//!
//! Every connection has a task of its own and a deadline, so that no handshake holds up another one.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::admission::{self, Admission};
use crate::cause::Cause;
use crate::exchange;
use crate::handshake::{self, Local};
use crate::link::Link;
use crate::registry::Registry;
use crate::socket_options;
use crate::wire::{Reason, goodbye, running_elsewhere};

/// What the listener shares with its handshakes, and with the status.
#[derive(Debug)]
pub(crate) struct Inbound {
    local: Arc<Local>,
    registry: Arc<Registry>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    admission: Admission,
    /// The handshakes, by the numbers of their connections.
    handshakes: BTreeMap<u64, AbortHandle>,
    /// Connections that did not become links, by why.
    refused: BTreeMap<&'static str, u64>,
    /// When each cause was last logged, and how often it came since.
    logged: BTreeMap<&'static str, (Option<Instant>, u64)>,
    /// Why nothing can be accepted at the moment.
    problem: Option<String>,
}

/// What there is to tell about connections that others make.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct InboundStatus {
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) pending: usize,
    pub(crate) problem: Option<String>,
}

impl Inbound {
    pub(crate) fn new(local: Arc<Local>, registry: Arc<Registry>) -> Self {
        let state = State {
            admission: Admission::new(admission::room(getrlimit(Resource::Nofile).current)),
            handshakes: BTreeMap::new(),
            refused: BTreeMap::new(),
            logged: BTreeMap::new(),
            problem: None,
        };
        Self { local, registry, state: Mutex::new(state) }
    }

    pub(crate) fn status(&self) -> InboundStatus {
        let state = self.lock();
        InboundStatus {
            refused: state.refused.clone(),
            pending: state.admission.count(),
            problem: state.problem.clone(),
        }
    }

    /// A connection has come.
    fn enter(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr) {
        if let Err(error) = socket_options::set(&stream) {
            // It has gone already.
            tracing::debug!("a connection from {remote} was lost: {error}");
            return;
        }
        let mut state = self.lock();
        let (number, displaced) = state.admission.enter(remote.ip());
        if let Some(displaced) = displaced {
            state.displaced(displaced);
        }
        let pending = Pending { inbound: Arc::clone(self), number, remote };
        let task = tokio::spawn(pending.finish(stream));
        // It does not run before this thread waits for something.
        state.handshakes.insert(number, task.abort_handle());
    }

    /// Counts a connection that did not become a link. Each cause that a person should know of is logged once a minute.
    fn refuse(&self, remote: SocketAddr, cause: &Cause) {
        let code = cause.code();
        let mut state = self.lock();
        *state.refused.entry(code).or_default() += 1;
        if !cause.is_suspicious() {
            return tracing::debug!("a connection from {remote} was refused: {cause}");
        }
        let now = Instant::now();
        let (logged, count) = state.logged.entry(code).or_default();
        *count += 1;
        if logged.is_none_or(|logged| now.duration_since(logged) >= LOG_PERIOD) {
            let more = *count - 1;
            (*logged, *count) = (Some(now), 0);
            drop(state);
            let more = if more == 0 { String::new() } else { format!(" ({more} more since it was last logged)") };
            tracing::warn!("a connection from {} was refused: {cause}{more}", remote.ip());
        }
    }

    /// Nothing can be accepted: connections of strangers go first. Returns whether that is new.
    fn note_problem(&self, error: &io::Error) -> bool {
        let mut state = self.lock();
        for _ in 0..state.admission.count().div_ceil(2) {
            if let Some(displaced) = state.admission.displace() {
                state.displaced(displaced);
            }
        }
        state.problem.replace(error.to_string()).is_none()
    }

    fn note_recovered(&self) -> bool {
        self.lock().problem.take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose other end has not shown yet who it is. Its place is free again when this is dropped.
struct Pending {
    inbound: Arc<Inbound>,
    number: u64,
    remote: SocketAddr,
}

impl Pending {
    async fn finish(self, stream: TcpStream) {
        match handshake::inbound(&self.inbound.local, stream, self.remote).await {
            Ok(link) => {
                if let Err(cause @ Cause::SecondProcess(_)) = establish(link, &self.inbound.registry).await {
                    self.inbound.refuse(self.remote, &cause);
                }
            }
            Err(cause) => {
                self.inbound.registry.note_refusal(&cause);
                self.inbound.refuse(self.remote, &cause);
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = self.inbound.lock();
        state.admission.leave(self.remote.ip(), self.number);
        state.handshakes.remove(&self.number);
    }
}

impl State {
    fn displaced(&mut self, number: u64) {
        if let Some(task) = self.handshakes.remove(&number) {
            task.abort();
            *self.refused.entry(DISPLACED).or_default() += 1;
        }
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn listen(listener: TcpListener, inbound: Arc<Inbound>) {
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                pause = PAUSE_MIN;
                if inbound.note_recovered() {
                    tracing::info!("connections of other nodes are accepted again");
                }
                inbound.enter(stream, remote);
            }
            // The other end has gone before it was accepted: nothing is wrong here.
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if inbound.note_problem(&error) {
                    tracing::warn!("connections of other nodes cannot be accepted: {error}; trying again");
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Registers a link and starts its task. A link that is not accepted ends with the reason, which the peer is told.
pub(crate) async fn establish(link: Link, registry: &Arc<Registry>) -> Result<Arc<Link>, Cause> {
    let link = Arc::new(link);
    if let Some(address) = registry.running_elsewhere(&link).await {
        link.send_last(running_elsewhere(&address));
        tokio::spawn(exchange::refuse(link));
        return Err(Cause::SecondProcess(address));
    }
    match registry.add(&link) {
        Ok(()) => {
            tokio::spawn(exchange::run(Arc::clone(&link), Arc::clone(registry), registry.count_task()));
            Ok(link)
        }
        Err(reason) => {
            link.send_last(goodbye(reason));
            tokio::spawn(exchange::refuse(link));
            Err(if reason == Reason::Own { Cause::Own } else { Cause::TooMany })
        }
    }
}

/// What is counted for a connection that had to make room for another one.
const DISPLACED: &str = "displaced";

/// First and last pause after an error that concerns all connections, such as too many open files.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Between two lines in the log about one cause.
const LOG_PERIOD: Duration = Duration::from_mins(1);
