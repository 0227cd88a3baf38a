//! Changes as server-sent events.
//!
//! With a flag the stream sends the decision for a key: first the present one, then each new one, whether a live change or
//! the ramp caused it. Nothing is queued: intermediate states are coalesced for slow readers. Without a flag it sends each change
//! of every flag ([`all`]).

mod all;
mod event;
mod feed;
mod position;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tidegate::{Explanation, FlagKey, Subscription};
use tidegate_engine::JsonAttributes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use utoipa::IntoParams;

use super::ask::{self, Query};
use super::problem::Problem;
use super::{Answer, Api, Shared, decision};
use crate::openapi::parameters::SubjectOf;
use crate::stop::stopped;
use position::Position;

pub(super) use feed::Feed;

/// Watch a decision, or all changes
///
/// A stream of server-sent events. With `flag` it sends `event: decision` at once, and again whenever value, variant, reason or rule
/// change: by a live change, or by the ramp at the instant of the flip. Its data is that of `decision`; an unknown flag has the rule
/// `unknown_flag`. Without `flag` it sends each change of every flag as `event: change` with an `id`; `Last-Event-ID`, or `after`, resumes
/// the stream after that event, after a restart and on another node too.
#[utoipa::path(
    get, path = "/api/v1/watch", tag = "decisions", operation_id = "watch", params(Watched, Resumed, SubjectOf),
    responses((status = 200, description = "the events", body = String, content_type = "text/event-stream")),
    extensions(("x-problems" = json!("too-many-streams"))),
)]
pub(super) async fn watch(State(api): Shared, request: Request) -> Answer {
    let query = Query::read(request.uri(), &["flag", "key", "attributes", "after"])?;
    let flag = query.get("flag").map(|flag| ask::checked(FlagKey::parse(flag))).transpose()?;
    let key = query.get("key").map(str::to_owned);
    let attributes = query.attributes()?;
    if flag.is_none() && (key.is_some() || query.get("attributes").is_some()) {
        return Err(Problem::invalid("flag", "`flag` is missing", "say whose decision for this key is meant"));
    }
    let Some(flag) = flag else {
        let after = last_event(&query, request.headers())?;
        let (cluster, feed) = (api.cluster()?, api.feed.begin(&api).await?);
        let (permit, events, response) = open_stream(&api)?;
        let start = feed.start();
        let follow = all::Follow { api: Arc::clone(&api), cluster, feed, events, start, after };
        let tasks = api.tasks.clone();
        tasks.spawn(async move {
            let mut stopping = api.stopping.clone();
            tokio::select! {
                () = stopped(&mut stopping) => {}
                () = follow.send_events() => {}
            }
            drop(permit);
        });
        return Ok(response);
    };
    if query.get("after").is_some() {
        return Err(Problem::invalid(
            "after",
            "`after` is for the stream of all changes",
            "leave `flag` or `after` out",
        ));
    }
    let (permit, events, response) = open_stream(&api)?;
    // Subscribed before the first look, so that no change is missed between the two.
    let subscription = api.tide.subscribe();
    let watcher = Watcher { api: Arc::clone(&api), flag, key, attributes, subscription, events, last: None };
    api.tasks.spawn(watcher.run(permit));
    Ok(response)
}

/// Up to where the client knows all changes, if it says so.
fn last_event(query: &Query, headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let help = "send the `id` of the last event as it came, or leave it out to get only what is new";
    if let Some(after) = query.parse("after", |text| text.parse().ok(), help)? {
        return Ok(Some(after));
    }
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || Problem::invalid("Last-Event-ID", "the header is not the id of an event", help);
    position.map(Some).ok_or_else(wrong)
}

/// A stream of events, if there is room for another one: its permit, the end that takes events, and the answer that sends them.
pub(crate) fn open_stream(api: &Api) -> Result<(OwnedSemaphorePermit, mpsc::Sender<Bytes>, Response), Problem> {
    let permit = Arc::clone(&api.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::too_many_streams(api.options.watchers_max))?;
    let (events, stream) = mpsc::channel(1);
    // Proxies that follow nginx pass each event on as it comes, instead of collecting some of them.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    let response = (StatusCode::OK, [kind, unbuffered], Body::new(Stream(stream))).into_response();
    Ok((permit, events, response))
}

/// What is watched.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Watched {
    /// The flag key, `section/flag`; all changes without it.
    #[param(example = "shop/banner")]
    flag: Option<String>,
    /// Without `flag`: the `id` of an event, to get what came after it. For clients that cannot send `Last-Event-ID`.
    #[param(pattern = "^[0-9a-f]{16}-[0-9a-f]{1,16}-[0-9a-f]{36}-[0-9a-f]{32}(-[0-9a-f]{36}){0,64}$")]
    after: Option<String>,
}

/// Where a stream goes on.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its schema is used")]
struct Resumed {
    /// Without `flag`: the `id` of the last event that the client has got. Browsers send it by themselves.
    #[param(
        rename = "Last-Event-ID",
        pattern = "^[0-9a-f]{16}-[0-9a-f]{1,16}-[0-9a-f]{36}-[0-9a-f]{32}(-[0-9a-f]{36}){0,64}$"
    )]
    last_event_id: Option<String>,
}

/// One stream of events.
struct Watcher {
    api: Arc<Api>,
    flag: FlagKey,
    key: Option<String>,
    attributes: JsonAttributes,
    subscription: Subscription,
    events: mpsc::Sender<Bytes>,
    last: Option<Explanation>,
}

impl Watcher {
    /// Sends events until the client disconnects or the server stops.
    async fn run(mut self, permit: OwnedSemaphorePermit) {
        let mut stopping = self.api.stopping.clone();
        tokio::select! {
            () = stopped(&mut stopping) => {}
            () = self.send_events() => {}
        }
        drop(permit);
    }

    async fn send_events(&mut self) {
        let period = self.api.options.keep_alive_period;
        let mut keep_alives = tokio::time::interval_at(Instant::now() + period, period);
        keep_alives.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = self.events.clone();
        let mut text = self.decision_event();
        loop {
            if let Some(text) = text.take() {
                // Without memory for the event the stream ends: the client connects again, and gets the present state.
                let Ok(event) = self.api.budget.hold(text) else { return };
                if events.send(event).await.is_err() {
                    return;
                }
            }
            let pause = self.pause();
            tokio::select! {
                () = events.closed() => return,
                changes = self.subscription.changed() => match changes {
                    Ok(_) => text = self.decision_event(),
                    Err(_) => return,
                },
                () = tokio::time::sleep(pause) => text = self.decision_event(),
                _ = keep_alives.tick() => text = Some(": alive\n\n".to_owned()),
            }
        }
    }

    /// The decision as an event, if it differs from the last one that was sent.
    fn decision_event(&mut self) -> Option<String> {
        let subject = decision::subject(self.key.as_deref(), &self.attributes);
        let now = decision::explain(&self.api.tide, &self.flag, &subject, None);
        let is_same = self.last.as_ref().is_some_and(|last| last.is_same_decision(&now));
        let text = (!is_same).then(|| serde_json::to_string(&now).ok()).flatten();
        self.last = Some(now);
        // Data is JSON on one line, so it is one line of the event.
        text.map(|text| format!("event: decision\ndata: {text}\n\n"))
    }

    /// How long nothing changes by the ramp alone; never long, because clocks may be set.
    fn pause(&self) -> Duration {
        let until = self.last.as_ref().and_then(|last| last.valid_until);
        let now = self.api.tide.view().now();
        until
            .map_or(DECISION_PERIOD_MAX, |until| Duration::from_micros(until.since(now).get()).min(DECISION_PERIOD_MAX))
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watcher").field("flag", &self.flag).finish_non_exhaustive()
    }
}

/// The events, as the body of an answer.
struct Stream(mpsc::Receiver<Bytes>);

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Between two looks at the clock.
const DECISION_PERIOD_MAX: Duration = Duration::from_secs(1);

/// The media type of streams of events.
pub(crate) const EVENTS: &str = "text/event-stream";

/// By which a client that connects again says which event it got last.
const LAST_EVENT_ID: &str = "last-event-id";
