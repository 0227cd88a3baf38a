//! The servers: Tidegate, and hyper and axum with a fixed answer.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::BufRead as _;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tidegate::{Live, Tidegate};
use tidegate_server::{Listeners, Options, Server, listen};
use tokio::net::TcpListener;

use crate::{Outcome, followers};

/// Serves until its input ends: `tidegate FLAGS`, or `hyper STATUS BYTES`, or `axum STATUS BYTES`. It says where it listens,
/// and for each line of its input what processor time it has taken, in nanoseconds.
pub(crate) fn run(words: &[&str]) -> Outcome {
    match words {
        ["load"] => return run_all(),
        ["followed", flags] => return followers::serve(flags),
        ["bare"] => return followers::serve_bare(),
        _ => {}
    }
    pin(0)?;
    // One worker, as the server of the program has on one core.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    match words {
        ["tidegate", flags] => {
            let server =
                runtime.block_on(tidegate(Listeners::new(listener), Options::default(), document(flags.parse()?)))?;
            runtime.spawn(server.run_until(std::future::pending()));
        }
        ["hyper", status, bytes] => {
            let answer = Answer::new(status, bytes)?;
            runtime.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (_, answer) = (stream.set_nodelay(true), answer.clone());
                    tokio::spawn(async move {
                        let service = service_fn(move |_: Request<Incoming>| {
                            let response = answer.response();
                            async move { Ok::<_, Infallible>(response) }
                        });
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                    });
                }
            });
        }
        ["axum", status, bytes] => {
            let answer = Answer::new(status, bytes)?;
            let bulk = answer.clone();
            let router = Router::new()
                .route(
                    "/ofrep/v1/evaluate/flags/{key}",
                    post(async move || answer.response().map(axum::body::Body::new)),
                )
                .route("/ofrep/v1/evaluate/flags", post(async move || bulk.response().map(axum::body::Body::new)));
            runtime.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (_, service) = (stream.set_nodelay(true), router.clone());
                    tokio::spawn(async move {
                        let service = hyper_util::service::TowerToHyperService::new(service);
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                    });
                }
            });
        }
        _ => return Err("usage: http serve (tidegate FLAGS | hyper STATUS BYTES | axum STATUS BYTES)".into()),
    }
    speak(address);
    Ok(())
}

/// Serves as the program does, on all cores, with a listener for health of its own, whose address is said in a second line.
fn run_all() -> Outcome {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (server, address, health_address) = runtime.block_on(async {
        let (listener, health) = (listen("127.0.0.1:0".parse()?)?, listen("127.0.0.1:0".parse()?)?);
        let (address, health_address) = (listener.local_addr()?, health.local_addr()?);
        let server =
            tidegate(Listeners::new(listener).health(health), Options::for_files(files), document(1_000)).await?;
        Outcome::Ok((server, address, health_address))
    })?;
    runtime.spawn(server.run_until(std::future::pending()));
    println!("{address}\n{health_address}");
    for _ in std::io::stdin().lock().lines() {}
    Ok(())
}

/// Binds this process and its threads to a core.
pub(crate) fn pin(core: usize) -> Outcome {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

fn speak(address: SocketAddr) {
    println!("{address}");
    for line in std::io::stdin().lock().lines() {
        if line.is_err() {
            return;
        }
        let time = clock_gettime(ClockId::ProcessCPUTime);
        println!("{}", time.tv_sec * 1_000_000_000 + time.tv_nsec);
    }
}

async fn tidegate(listeners: Listeners, options: Options, document: String) -> Outcome<Server> {
    let server = Server::start(listeners, options)?;
    let live = Live::in_memory().name("one");
    let builder = Tidegate::builder().text(document).without_locks().without_cache().live(live);
    server.open(builder.connect_async().await?);
    Ok(server)
}

/// A document with this number of flags: on/off, rollouts by key, and ramps, in turn; one in ten reads an attribute.
pub(crate) fn document(flags: usize) -> String {
    let mut text = String::from("{\"flags\": {");
    for number in 0..flags {
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}\"flag-{number:05}\": {{\"stable\": false, \"new\": true");
        let _ = match number % 4 {
            0 => write!(text, "}}"),
            1 => write!(text, ", \"lock\": \"new\"}}"),
            2 => write!(
                text,
                ", \"salt\": \"{number}\", \"start_time\": \"2020-01-01 00:00Z\", \"duration\": \"1d\", \"end_pct\": 50}}"
            ),
            _ if number % 40 == 3 => write!(
                text,
                ", \"rules\": [{{\"name\": \"r\", \"when\": {{\"attribute\": \"plan\", \"is\": \"premium\"}}, \"serve\": \"new\"}}]}}"
            ),
            _ => write!(
                text,
                ", \"salt\": \"{number}\", \"start_time\": \"1976-01-01 00:00Z\", \"end_time\": \"2076-01-01 00:00Z\"}}"
            ),
        };
    }
    text.push_str("}}");
    text
}

/// A fixed answer.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    fn new(status: &str, bytes: &str) -> Outcome<Self> {
        Ok(Self { status: status.parse()?, body: vec![b'x'; bytes.parse()?].into() })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        if self.status == StatusCode::NOT_MODIFIED {
            response.headers_mut().insert(ETAG, HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\""));
        } else {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}
