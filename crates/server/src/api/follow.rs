//! What followers ask for: a snapshot of all that this process has, and the stream of what changes.
//!
//! Nothing is made for one follower alone: all read the same bytes. The number of streams is limited, and so is the number of
//! snapshots that are being sent; who is refused is told when to come again, so that followers which come back together spread.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use hyper::body::Frame;
use serde::Serialize;
use tidegate::{Feed, FeedReader, FeedRefusal, FeedSnapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;
use utoipa::IntoParams;

use super::ask::{self, Query};
use super::problem::Problem;
use super::{Answer, Api, EVENTS, Shared, answer};
use crate::limits;
use crate::stop::stopped;

/// The followers of this server.
#[derive(Debug)]
pub(super) struct Followers {
    limit: usize,
    streams: Arc<Semaphore>,
    /// Snapshots that are being sent.
    snapshots: Arc<Semaphore>,
    traffic: Arc<Traffic>,
    places: Arc<Mutex<Streams>>,
}

/// The streams of followers that have an id. The sender of a stream that is to end is dropped.
type Streams = HashMap<Box<str>, (u64, oneshot::Sender<()>)>;

/// What a stream holds until it ends.
#[derive(Debug)]
struct Place {
    /// Resolves when another connection of the same follower takes this place.
    taken: Option<oneshot::Receiver<()>>,
    id: Box<str>,
    number: u64,
    places: Arc<Mutex<Streams>>,
    _permit: OwnedSemaphorePermit,
}

/// What followers were sent and refused since the start.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    streams: AtomicU64,
    stream_bytes: AtomicU64,
    snapshots: AtomicU64,
    snapshot_bytes: AtomicU64,
    refused: [AtomicU64; REASONS.len()],
}

/// The same at one moment.
#[derive(Debug, Serialize)]
pub(super) struct TrafficCounts {
    pub(super) stream_bytes: u64,
    pub(super) snapshots: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) refused: BTreeMap<&'static str, u64>,
}

/// Why requests of followers are refused.
#[derive(Clone, Copy, Debug)]
enum Reason {
    Loop,
    TooDeep,
    SnapshotNeeded,
    NotReady,
    /// There are as many followers as there may be.
    Full,
    /// As many snapshots as may be are being sent.
    Busy,
}

/// Their names, in this order.
const REASONS: [&str; 6] = ["loop", "too-deep", "snapshot-needed", "not-ready", "full", "busy"];

impl Followers {
    pub(super) fn new(limit: usize) -> Self {
        let snapshots = Arc::new(Semaphore::new(limits::SNAPSHOTS_AT_ONCE));
        Self {
            limit,
            streams: Arc::new(Semaphore::new(limit)),
            snapshots,
            traffic: Arc::default(),
            places: Arc::default(),
        }
    }

    /// A place for one more stream; none if there is none within that time. Where all are taken, a follower that comes back ends its
    /// former stream: the server may not know yet that its connection is dead.
    async fn place(&self, follower: &str, wait: Duration) -> Option<Place> {
        if self.streams.available_permits() == 0 {
            drop(lock(&self.places).remove(follower));
        }
        let permit = timeout(wait, Arc::clone(&self.streams).acquire_owned()).await.ok()?.ok()?;
        let (keep, taken) = oneshot::channel();
        let number = self.traffic.streams.fetch_add(1, Ordering::Relaxed);
        let mut places = lock(&self.places);
        let taken = match places.entry(follower.into()) {
            Entry::Vacant(entry) if follower.len() == ID_DIGITS => {
                entry.insert((number, keep));
                Some(taken)
            }
            // Without an id, or with that of another process, which a copy of a virtual machine may have.
            _ => None,
        };
        drop(places);
        Some(Place { taken, id: follower.into(), number, places: Arc::clone(&self.places), _permit: permit })
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// How many are connected.
    pub(super) fn count(&self) -> usize {
        self.limit - self.streams.available_permits()
    }
}

fn lock(places: &Mutex<Streams>) -> MutexGuard<'_, Streams> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        if places.get(&self.id).is_some_and(|(number, _)| *number == self.number) {
            places.remove(&self.id);
        }
    }
}

impl Traffic {
    pub(super) fn counts(&self) -> TrafficCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TrafficCounts {
            stream_bytes: count(&self.stream_bytes),
            snapshots: count(&self.snapshots),
            snapshot_bytes: count(&self.snapshot_bytes),
            refused: REASONS.into_iter().zip(self.refused.iter().map(count)).collect(),
        }
    }

    fn refuse(&self, reason: Reason, problem: Problem) -> Problem {
        if let Some(counter) = self.refused.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        problem
    }

    fn refused(&self, refusal: FeedRefusal) -> Problem {
        let (reason, problem) = match refusal {
            FeedRefusal::Loop => (Reason::Loop, Problem::follow_loop()),
            FeedRefusal::TooDeep => (Reason::TooDeep, Problem::follow_depth()),
            FeedRefusal::SnapshotNeeded => (Reason::SnapshotNeeded, Problem::snapshot_needed()),
            _ => (Reason::NotReady, Problem::not_ready("this server has nothing to hand on yet".to_owned())),
        };
        self.refuse(reason, problem)
    }
}

/// Digits of the id of a follower.
const ID_DIGITS: usize = 16;

/// Take a snapshot
///
/// All documents, definitions and activations, compressed with gzip where the client accepts it.
#[utoipa::path(
    get, path = "/api/v1/follow/snapshot", tag = "followers", operation_id = "takeSnapshot", params(Known),
    responses(
        (status = 200, description = "the snapshot", body = Object, content_type = "application/json", headers(("ETag" = String, description = "names the content"))),
        (status = 304, description = "the client has it", headers(("ETag" = String, description = "names the content"))),
    ),
    extensions(("x-problems" = json!("no-followers busy not-ready"))),
)]
pub(super) async fn snapshot(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let feed = feed(&api)?;
    let turn = timeout(api.options.turn_timeout, Arc::clone(&api.followers.snapshots).acquire_owned()).await;
    // The semaphore is never closed.
    let turn = turn.ok().and_then(Result::ok);
    let traffic = &api.followers.traffic;
    let turn = turn.ok_or_else(|| traffic.refuse(Reason::Busy, Problem::too_many_snapshots()))?;
    let snapshot = match feed.made_snapshot() {
        Some(snapshot) => snapshot,
        None => api
            .tasks
            .spawn_blocking(move || feed.snapshot())
            .await
            .map_err(|error| Problem::internal(&error))?
            .map_err(|refusal| traffic.refused(refusal))?,
    };
    if names_tag(request.headers(), &snapshot.digest) {
        return Ok(answer::with_tag(StatusCode::NOT_MODIFIED.into_response(), &snapshot.digest));
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(ask::JSON));
    let vary = (header::VARY, HeaderValue::from_static("accept-encoding"));
    let response = if accepts_gzip(request.headers()) {
        let coding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        ([kind, vary, coding], whole(&snapshot, turn, traffic)).into_response()
    } else {
        let reserved = api.budget.reserve(limits::SNAPSHOT_BYTES)?;
        let text = api.tasks.spawn_blocking(move || snapshot_text(&snapshot, reserved));
        let (text, bytes, digest) = text.await.map_err(|error| Problem::internal(&error))?;
        traffic.snapshots.fetch_add(1, Ordering::Relaxed);
        traffic.snapshot_bytes.fetch_add(bytes, Ordering::Relaxed);
        return Ok(answer::with_tag(([kind, vary], text).into_response(), &digest));
    };
    Ok(answer::with_tag(response, &snapshot.digest))
}

/// Get changes as they are made
///
/// A stream of server-sent events, which begins after what the follower has.
#[utoipa::path(
    get, path = "/api/v1/follow/changes", tag = "followers", operation_id = "followChanges", params(Follow),
    responses((status = 200, description = "the events", body = String, content_type = "text/event-stream")),
    extensions(("x-problems" = json!("snapshot-needed follow-loop no-followers too-many-streams not-ready"))),
)]
pub(super) async fn changes(State(api): Shared, request: Request) -> Answer {
    let query = Query::read(request.uri(), &["follower", "digest", "position"])?;
    let feed = feed(&api)?;
    let follower = query.get("follower").unwrap_or_default();
    let traffic = &api.followers.traffic;
    let place = api.followers.place(follower, api.options.turn_timeout).await;
    let full = || traffic.refuse(Reason::Full, Problem::too_many_followers(api.options.followers_max));
    let place = place.ok_or_else(full)?;
    let reader = feed.open(follower, query.get("position"), query.get("digest"));
    let reader = reader.map_err(|refusal| traffic.refused(refusal))?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    // Proxies that follow nginx pass each event on as it comes, instead of collecting some of them.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([kind, unbuffered], Body::new(Stream::new(reader, api.stopping(), place, Arc::clone(traffic)))).into_response())
}

/// What the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its schema is used")]
struct Known {
    /// The `ETag` of a snapshot that the client has.
    #[param(rename = "If-None-Match")]
    known: Option<String>,
}

/// What a follower has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Follow {
    /// The id of the process that follows, if others follow it: 16 hexadecimal digits.
    #[param(example = "00000000000000aa")]
    follower: Option<String>,
    /// The digest of what it has.
    #[param(example = "99aa06d3014798d86001c324468d497f")]
    digest: Option<String>,
    /// The `position` of the last line, or of the snapshot.
    #[param(example = "00000000000000ab-17")]
    position: Option<String>,
}

fn feed(api: &Api) -> Result<Feed, Problem> {
    api.tide.feed().ok_or_else(Problem::no_followers)
}

/// Whether the client has what this tag names.
fn names_tag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|found| found == "*" || found.trim_start_matches("W/").trim_matches('"') == tag)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        matches!(name.trim(), "gzip" | "*") && weight.replace(' ', "") != "q=0"
    })
}

/// The compressed bytes, which all answers share; the turn ends with the answer. It has no size, because nothing of it is to be
/// taken from the budget.
fn whole(snapshot: &FeedSnapshot, turn: OwnedSemaphorePermit, traffic: &Arc<Traffic>) -> Body {
    let rest = Some(Bytes::from_owner(Arc::clone(&snapshot.body)));
    Body::new(Whole { rest, traffic: Arc::clone(traffic), _turn: turn })
}

/// The text without compression, its length, and its tag.
fn snapshot_text(snapshot: &FeedSnapshot, reserved: super::budget::Reserved) -> (Body, u64, String) {
    let text = snapshot.plain();
    let bytes = text.len() as u64;
    (Body::from(Bytes::from_owner(super::budget::Held::new(text, reserved))), bytes, snapshot.digest.clone())
}

struct Whole {
    rest: Option<Bytes>,
    traffic: Arc<Traffic>,
    _turn: OwnedSemaphorePermit,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // In pieces, so that the turn lasts until the client has nearly all of it.
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let piece = rest.split_to(rest.len().min(limits::PART_BYTES));
        let is_last = rest.is_empty();
        self.traffic.snapshot_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        if is_last {
            self.rest = None;
            self.traffic.snapshots.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// What is awaited of a stream: its next line, and what it is made of back.
type Step = Pin<Box<dyn Future<Output = (Source, Option<Bytes>)> + Send>>;

/// Where the lines of a stream come from, and what ends it.
#[derive(Debug)]
struct Source {
    reader: FeedReader,
    stopping: watch::Receiver<bool>,
    place: Place,
}

/// The lines of one follower, as the body of an answer.
struct Stream {
    /// None after the last line.
    step: Option<Step>,
    traffic: Arc<Traffic>,
}

impl Stream {
    fn new(reader: FeedReader, stopping: watch::Receiver<bool>, place: Place, traffic: Arc<Traffic>) -> Self {
        Self { step: Some(step(Source { reader, stopping, place })), traffic }
    }
}

fn step(mut source: Source) -> Step {
    Box::pin(async move {
        let Source { reader, stopping, place } = &mut source;
        let taken = async {
            match &mut place.taken {
                Some(taken) => drop(taken.await),
                None => std::future::pending().await,
            }
        };
        let line = tokio::select! {
            line = reader.next() => line,
            () = stopped(stopping) => None,
            () = taken => None,
        };
        (source, line.map(Bytes::from_owner))
    })
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(awaited) = &mut self.step else { return Poll::Ready(None) };
        let (source, line) = ready!(awaited.as_mut().poll(context));
        if let Some(line) = &line {
            self.traffic.stream_bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
        }
        self.step = line.is_some().then(|| step(source));
        Poll::Ready(line.map(|line| Ok(Frame::data(line))))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").finish_non_exhaustive()
    }
}
