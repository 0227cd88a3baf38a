//! The connections: taken, limited, and brought to an end.
//!
//! Whoever is slow holds up nobody else. A head, a body and the taking of an answer have their time; there is a limit on
//! connections, and above it they wait where the system keeps them.

mod patient;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tidegate::Tidegate;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::api::{self, Api, LocalAddress};
use crate::limits;
use patient::Patient;

/// How much, and how long. The defaults are those of [`limits`]; tests use less.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once that watch.
    pub watchers_max: usize,
    /// For the head of a request, and between two requests.
    pub head_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a client to take some bytes of an answer.
    pub write_timeout: Duration,
    /// Between two signs of life to one who watches.
    pub life_sign_period: Duration,
    /// For requests under way when the server stops.
    pub stop_timeout: Duration,
    /// Names, besides those of the loopback interface and the address of the connection, that a request may give in `Host`.
    pub hosts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            watchers_max: limits::WATCHERS_MAX,
            head_timeout: limits::HEAD_TIMEOUT,
            body_timeout: limits::BODY_TIMEOUT,
            write_timeout: limits::WRITE_TIMEOUT,
            life_sign_period: limits::LIFE_SIGN_PERIOD,
            stop_timeout: limits::STOP_TIMEOUT,
            hosts: Vec::new(),
        }
    }
}

/// Serves `tide` on this listener until `shutdown` is ready. Then nobody is let in any more, streams end, and requests
/// under way have [`Options::stop_timeout`] to end; what is left then is cut off. It needs a runtime with time and network.
///
/// # Errors
/// The listener's address cannot be told. That a connection fails is no error, and neither is that none can be taken for a
/// while because the system has no more files: it is logged and tried again.
pub async fn serve(
    listener: TcpListener,
    tide: Tidegate,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}");
    let (stop, stopping) = watch::channel(false);
    let router = api::router(Api::new(tide, options.clone(), stopping.clone()));
    let permits = Arc::new(Semaphore::new(options.connections_max));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, permit) = accept(&listener, &permits) => {
                let connection = talk(stream, router.clone(), options.clone(), stopping.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Some(ended) = connections.join_next(), if !connections.is_empty() => tell(ended),
        }
    }
    drop(listener);
    tracing::info!("stopping: {} connections end", connections.len());
    // Nobody listens where there is no connection.
    let _ = stop.send(true);
    let ends = async {
        while let Some(ended) = connections.join_next().await {
            tell(ended);
        }
    };
    if tokio::time::timeout(options.stop_timeout, ends).await.is_err() {
        tracing::warn!("{} connections did not end in time and are cut off", connections.len());
        connections.shutdown().await;
    }
    Ok(())
}

/// The next connection, when there is room for one.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!("no connection can be taken: {error}; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only this connection failed, before it was taken.
fn is_of_connection(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused];
    kinds.contains(&error.kind())
}

/// One connection, until it ends.
async fn talk(stream: TcpStream, router: Router, options: Options, mut stopping: watch::Receiver<bool>) {
    // Answers are small and written at once; a failure costs milliseconds.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(LocalAddress(local.ip()));
        routes.call(request)
    });
    let stream = TokioIo::new(Patient::new(stream, options.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that `serve` itself is gone.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request made the server panic; please report it: {error}");
    }
}

/// When the system has no more files: some connection ends meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
