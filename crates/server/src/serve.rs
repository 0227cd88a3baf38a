//! Accepts connections, limits them, and ends them.
//!
//! A slow client delays no other one. There are time limits for a head, for a body, and for the client to read an answer. There is a
//! limit on connections; beyond it the server closes one that waits for its client ([`admission`]).

mod admission;
mod exchange;
mod head_timer;
mod listen;
mod write_timeout;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tidegate::Tidegate;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::api::{self, Api, Hosts, LocalAddress};
use crate::content::Content;
use crate::limits;
use crate::ofrep::{Ofrep, Target};
use crate::options::Options;
use crate::stop::stopped;
use crate::tasks::Tasks;
use admission::{Admission, Place};
use exchange::{Received, Sent};
use head_timer::HeadTimer;
pub use listen::listen;
use write_timeout::WriteTimeout;

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    api: TcpListener,
    health: Option<TcpListener>,
}

impl Listeners {
    /// Everything is answered on this one, the probes of health as well.
    pub fn new(api: TcpListener) -> Self {
        Self { api, health: None }
    }

    /// Where everything is answered.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// On this one `/healthz`, `/readyz` and `/readyz/changes` are answered, and nothing else: it has room of its own, which other requests
    /// cannot take.
    #[must_use]
    pub fn health(mut self, health: TcpListener) -> Self {
        self.health = Some(health);
        self
    }
}

impl From<TcpListener> for Listeners {
    fn from(api: TcpListener) -> Self {
        Self::new(api)
    }
}

/// Serves `tide` on these listeners until `shutdown` is ready; see [`Server::run_until`].
///
/// # Errors
/// As [`Server::start`].
pub async fn serve(
    listeners: impl Into<Listeners>,
    tide: Tidegate,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Server::start(listeners, options)?;
    server.open(tide);
    server.run_until(shutdown).await;
    Ok(())
}

/// A server that answers from its first moment on, also while its node still waits for documents and for the cluster.
///
/// Until [`open`](Self::open) it answers `/healthz` with 200 and everything else with 503, `not-ready`. When it is dropped, it
/// closes all connections.
#[derive(Debug)]
pub struct Server {
    routes: Arc<Routes>,
    health_routes: Option<Arc<Routes>>,
    options: Options,
    stop: watch::Sender<bool>,
    doors: JoinSet<()>,
    tasks: Tasks,
}

impl Server {
    /// Accepts connections from now on. It needs a tokio runtime with time and network.
    ///
    /// That a connection fails later is no error, and neither is that the system has no more files for a while: the server
    /// logs it and tries again.
    ///
    /// # Errors
    /// The address of a listener is unknown to the system.
    pub fn start(listeners: impl Into<Listeners>, options: Options) -> io::Result<Self> {
        let Listeners { api: listener, health } = listeners.into();
        tracing::info!("listening on http://{}", listener.local_addr()?);
        let (stop, stopping) = watch::channel(false);
        let since = Instant::now();
        let admission = Admission::new(options.connections_max);
        let mut doors = JoinSet::new();
        let health_routes = health.map(|listener| {
            let routes = Arc::new(Routes::new(api::starting_health_router(since)));
            let door = Door {
                listener,
                routes: Arc::clone(&routes),
                admission: Admission::new(limits::HEALTH_CONNECTIONS_MAX),
                other: Some(Arc::clone(&admission)),
                logged: Mutex::default(),
                options: options.clone(),
                stopping: stopping.clone(),
            };
            doors.spawn(door.open());
            routes
        });
        let routes = Arc::new(Routes::new(api::starting_router(since, &options)));
        let (door_routes, logged, door_options) = (Arc::clone(&routes), Mutex::default(), options.clone());
        let door =
            Door { listener, routes: door_routes, admission, other: None, logged, options: door_options, stopping };
        doors.spawn(door.open());
        Ok(Self { routes, health_routes, options, stop, doors, tasks: Tasks::default() })
    }

    /// Answers everything from `tide` from now on. Only the first call counts.
    pub fn open(&self, tide: Tidegate) {
        let api = Api::new(tide, self.options.clone(), self.stop.subscribe(), self.tasks.clone());
        if let Some(routes) = &self.health_routes {
            routes.open(api::health_router(Arc::clone(&api)), None);
        }
        let front = Front { hosts: Hosts::new(&self.options.hosts), ofrep: Ofrep::new(Arc::clone(&api)) };
        self.routes.open(api::router(api), Some(front));
    }

    /// Serves until `shutdown` is ready. Then the server accepts no more connections and ends event streams; requests under
    /// way have [`Options::stop_timeout`] to end, and connections that remain are closed. When this returns, the server holds no
    /// handle of the instance any more, except for work that has not ended in that time, which it logs.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        // Without a listener there is no receiver.
        let _ = self.stop.send(true);
        let until = Instant::now() + self.options.stop_timeout;
        while let Some(ended) = self.doors.join_next().await {
            note_end(ended);
        }
        // Connections that were closed at the end of that time end their tasks a moment later.
        if !self.tasks.ended(until.max(Instant::now() + TASKS_GRACE)).await {
            tracing::warn!("{} tasks have not ended in time", self.tasks.count());
        }
    }
}

/// The routes of a listener: those of a start, then all.
#[derive(Debug)]
struct Routes {
    starting: Router,
    ready: OnceLock<Ready>,
}

/// The routes of a listener when the start is over.
#[derive(Debug)]
struct Ready {
    front: Option<Front>,
    router: Router,
}

/// OFREP, which is answered before the router: it is asked far more often than everything else, and the router costs more than
/// an evaluation.
#[derive(Debug)]
struct Front {
    hosts: Hosts,
    ofrep: Arc<Ofrep>,
}

impl Routes {
    fn new(starting: Router) -> Self {
        Self { starting, ready: OnceLock::new() }
    }

    fn open(&self, router: Router, front: Option<Front>) {
        // A second instance would split the server in two.
        let _ = self.ready.set(Ready { front, router });
    }

    /// Answers a request that came to this address of the server. The routes are looked up for each request: a connection may be older than the
    /// end of the start.
    async fn answer(&self, own: IpAddr, head: Parts, body: Received) -> Response<Content> {
        let ready = self.ready.get();
        if let Some(front) = ready.and_then(|ready| ready.front.as_ref())
            && let Some(target) = Target::parse(head.uri.path())
        {
            return front.answer(own, &target, &head, body).await;
        }
        let router = ready.map_or(&self.starting, |ready| &ready.router).clone();
        let mut request = Request::from_parts(head, Body::new(body));
        request.extensions_mut().insert(LocalAddress(own));
        let Ok(response) = TowerToHyperService::new(router).call(request).await;
        response.map(Content::from)
    }
}

impl Front {
    /// What holds for every request holds here as well: see the guard of the router.
    async fn answer(&self, own: IpAddr, target: &Target<'_>, head: &Parts, body: Received) -> Response<Content> {
        let mut response = match self.hosts.check(&head.headers, &head.uri, head.version, Some(own)) {
            Ok(()) => self.ofrep.answer(target, head, body).await,
            Err(problem) => problem.into_response().map(Content::from),
        };
        api::keep_from_caches(response.headers_mut());
        response
    }
}

/// A listener, and what is answered on it.
struct Door {
    listener: TcpListener,
    routes: Arc<Routes>,
    admission: Arc<Admission>,
    /// The room of the other listener, which may have the files that this one needs.
    other: Option<Arc<Admission>>,
    /// When it was last logged that no connection can be accepted.
    logged: Mutex<Option<Instant>>,
    options: Options,
    stopping: watch::Receiver<bool>,
}

impl Door {
    /// Takes connections until the server stops, and waits for them to end.
    async fn open(self) {
        let mut connections = JoinSet::new();
        self.take(&mut connections).await;
        let Self { listener, options, .. } = self;
        drop(listener);
        tracing::info!("stopping; open connections: {}", connections.len());
        let ends = async {
            while let Some(ended) = connections.join_next().await {
                note_end(ended);
            }
        };
        if tokio::time::timeout(options.stop_timeout, ends).await.is_err() {
            tracing::warn!("closing {} connections that did not end in time", connections.len());
            connections.shutdown().await;
        }
    }

    async fn take(&self, connections: &mut JoinSet<()>) {
        let mut stopping = self.stopping.clone();
        // Kept while connections end: it may hold one that waits for its place.
        let mut next = pin!(self.next());
        loop {
            tokio::select! {
                () = stopped(&mut stopping) => return,
                (stream, place, go) = next.as_mut() => {
                    let (routes, options) = (Arc::clone(&self.routes), self.options.clone());
                    connections.spawn(talk(stream, Arc::new(place), go, routes, options, self.stopping.clone()));
                    next.set(self.next());
                }
                Some(ended) = connections.join_next(), if !connections.is_empty() => note_end(ended),
            }
        }
    }

    /// The next connection, and its place.
    async fn next(&self) -> (TcpStream, Place, oneshot::Receiver<()>) {
        let (stream, from) = self.accept().await;
        let (place, go) = self.admission.enter(from.ip()).await;
        (stream, place, go)
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        let mut pause = ACCEPT_PAUSE_MIN;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    return accepted;
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    self.note_problem(&error);
                    self.admission.make_room();
                    if let Some(other) = &self.other {
                        other.make_room();
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
    }
}

impl Door {
    /// Logs that no connection can be accepted, once in a while.
    fn note_problem(&self, error: &io::Error) {
        let (now, mut logged) = (Instant::now(), self.logged.lock().unwrap_or_else(PoisonError::into_inner));
        if logged.is_none_or(|logged| now.duration_since(logged) >= LOG_PERIOD) {
            *logged = Some(now);
            tracing::error!("cannot accept connections: {error}; closing idle ones and trying again");
        }
    }
}

/// Whether only this connection failed, before it was accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One connection, until it ends or has to go.
async fn talk(
    stream: TcpStream,
    place: Arc<Place>,
    mut go: oneshot::Receiver<()>,
    routes: Arc<Routes>,
    options: Options,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are small and written at once; a failure costs milliseconds.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let own_place = Arc::clone(&place);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (routes, place) = (Arc::clone(&routes), Arc::clone(&place));
        async move {
            place.begin();
            let (head, body) = request.into_parts();
            let body = Received::new(body, Arc::clone(&place))?;
            let response = routes.answer(local.ip(), head, body).await;
            Ok::<_, exchange::Displaced>(Sent::answer(response, place))
        }
    });
    let stream = TokioIo::new(WriteTimeout::new(stream, options.write_timeout));
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(options.head_timeout)
        // `HEADERS_MAX` is hyper's own limit. To say so would cost: then it fills a table for each head.
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = &mut go => return,
        () = stopped(&mut stopping) => {
            // One that has never asked anything would be waited for until its head is late.
            if !own_place.has_asked() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request panicked; please report it: {error}");
    }
}

/// What tasks get after the last connection, also when the connections took all the time of a stop.
const TASKS_GRACE: Duration = Duration::from_millis(200);

/// First and last pause after an error that concerns all connections, such as too many open files.
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Between two lines in the log about connections that cannot be accepted.
const LOG_PERIOD: Duration = Duration::from_mins(1);
