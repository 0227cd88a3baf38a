//! The listening origin: its script, its log, its threads.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::certificate::{Handshake, Security};
use crate::state::{Answer, Script, Shared, lock};
use crate::wire::{self, Stream, Then};
use crate::{Authority, Reply, Request};

/// A server on a free loopback port, until it is dropped.
pub struct Origin {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// Starts an origin over plain HTTP that answers 404 until it has a script.
    ///
    /// # Panics
    /// The loopback interface has no free port.
    pub fn start() -> Self {
        Self::with(Security::None)
    }

    /// Starts an origin over TLS, with a certificate of `authority` for these host names.
    ///
    /// # Panics
    /// The certificate cannot be made, or the loopback interface has no free port.
    pub fn start_tls(authority: &Authority, hosts: &[&str]) -> Self {
        Self::with(Security::Tls(authority.server(hosts)))
    }

    /// Starts an origin that fails before there is any HTTP.
    ///
    /// # Panics
    /// The loopback interface has no free port.
    pub fn start_broken_tls(handshake: Handshake) -> Self {
        Self::with(Security::Broken(handshake))
    }

    fn with(security: Security) -> Self {
        let scheme = if matches!(security, Security::None) { "http" } else { "https" };
        let shared = Arc::new(Shared {
            security,
            scripts: Mutex::default(),
            requests: Mutex::default(),
            has_requests: Condvar::new(),
            connections: Mutex::default(),
            connection_count: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            is_down: Mutex::new(false),
            goes_down: Condvar::new(),
        });
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(any_port).expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let mut origin = Self { address, scheme, shared, accepting: None };
        origin.accept(listener);
        origin
    }

    /// The URL of a path, by the number of the loopback interface.
    pub fn url(&self, path: &str) -> String {
        self.url_at(&self.address.ip().to_string(), path)
    }

    /// The URL of a path, by a host name that the client must find here.
    pub fn url_at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with these in turn, from now on; the last one stays.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.set("*", replies);
    }

    /// Answers every request with this, from now on.
    pub fn always(&self, reply: Reply) {
        self.script([reply]);
    }

    /// Like [`Origin::script`], for one path (with its query) only.
    pub fn script_at(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        self.set(target, replies);
    }

    /// Answers every request with what `answer` makes of it, from now on.
    pub fn answer_with(&self, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        let script = Script { coming: VecDeque::new(), last: Some(Arc::new(answer)) };
        lock(&self.shared.scripts).insert("*".to_owned(), script);
    }

    /// What was asked so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        lock(&self.shared.requests).clear();
    }

    /// Waits until `count` requests have come since the log was last cleared.
    ///
    /// # Panics
    /// They have not come within ten seconds.
    pub fn wait_for_requests(&self, count: usize) -> Vec<Request> {
        let requests = lock(&self.shared.requests);
        let (requests, timeout) = self
            .shared
            .has_requests
            .wait_timeout_while(requests, PATIENCE, |requests| requests.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} requests have come, not {count}", requests.len());
        requests.clone()
    }

    /// Bytes sent so far over all connections, before encryption.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Connections opened so far.
    pub fn connections(&self) -> usize {
        self.shared.connection_count.load(Ordering::Relaxed)
    }

    /// Closes every connection that is open now; new ones are accepted.
    pub fn close_connections(&self) {
        for (_, connection) in lock(&self.shared.connections).drain() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Stops listening, and closes every connection: connecting is refused from now on.
    pub fn go_down(&mut self) {
        *lock(&self.shared.is_down) = true;
        self.shared.goes_down.notify_all();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.close_connections();
    }

    /// Listens again, on the same port, after [`Origin::go_down`].
    ///
    /// # Panics
    /// Somebody else has taken the port meanwhile.
    pub fn come_up(&mut self) {
        if self.accepting.is_none() {
            *lock(&self.shared.is_down) = false;
            self.accept(TcpListener::bind(self.address).expect("the port is still free"));
        }
    }

    fn set(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        let answer = |reply: Reply| -> Answer { Arc::new(move |request| reply.to(request)) };
        let script = Script { coming: replies.into_iter().map(answer).collect(), last: None };
        lock(&self.shared.scripts).insert(target.to_owned(), script);
    }

    fn accept(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || {
            for stream in listener.incoming() {
                if *lock(&shared.is_down) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&shared);
                // A connection that breaks is an ordinary event here.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        }));
    }
}

impl Shared {
    fn serve(&self, socket: TcpStream) -> io::Result<()> {
        let number = self.connection_count.fetch_add(1, Ordering::Relaxed);
        socket.set_nodelay(true)?;
        lock(&self.connections).insert(number, socket.try_clone()?);
        let outcome = self.serve_registered(socket, number);
        // Only now is the socket closed: a copy of it stood in the list.
        lock(&self.connections).remove(&number);
        outcome
    }

    fn serve_registered(&self, socket: TcpStream, number: usize) -> io::Result<()> {
        match &self.security {
            Security::None => self.converse(&mut { socket }, number),
            Security::Tls(config) => {
                let connection = rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.converse(&mut rustls::StreamOwned::new(connection, socket), number)
            }
            Security::Broken(handshake) => handshake.fail(socket),
        }
    }

    fn converse(&self, stream: &mut dyn Stream, number: usize) -> io::Result<()> {
        while let Some(request) = Request::read(stream, number)? {
            let reply = self.reply_to(&request);
            lock(&self.requests).push(request);
            self.has_requests.notify_all();
            if wire::send(&reply, stream, self)? == Then::Close {
                break;
            }
        }
        stream.flush()
    }

    fn reply_to(&self, request: &Request) -> Reply {
        let mut scripts = lock(&self.scripts);
        let key = if scripts.contains_key(&request.target) { request.target.as_str() } else { "*" };
        let Some(script) = scripts.get_mut(key) else { return Reply::status(404) };
        if let Some(next) = script.coming.pop_front() {
            script.last = Some(next);
        }
        let answer = script.last.clone();
        drop(scripts);
        answer.map_or_else(|| Reply::status(404), |answer| answer(request))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.go_down();
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Longest wait for anything that is certain to happen.
const PATIENCE: Duration = Duration::from_secs(10);
