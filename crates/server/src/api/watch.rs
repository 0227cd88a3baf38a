//! Changes as server-sent events.
//!
//! With a flag the stream sends the decision for a key: first the present one, then each new one, whether a live change or
//! the ramp caused it. Without a flag it sends what has changed. Nothing is queued: intermediate states are coalesced for slow
//! readers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use serde_json::json;
use tidegate::{Changes, Explanation, FlagKey, Subscription};
use tidegate_engine::JsonAttributes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use utoipa::IntoParams;

use super::ask::{self, Query};
use super::problem::Problem;
use super::{Answer, Api, Shared, decision};
use crate::limits;
use crate::openapi::parameters::SubjectOf;
use crate::stop::stopped;

/// Watch a decision, or all changes
///
/// A stream of server-sent events. With `flag` it sends `event: decision` at once, and again whenever value, variant, reason or rule
/// change: by a live change, or by the ramp at the instant of the flip. Its data is that of `decision`; an unknown flag has the rule
/// `unknown_flag`. Without `flag` it sends `event: change`, which says what has changed.
#[utoipa::path(
    get, path = "/api/v1/watch", tag = "decisions", operation_id = "watch", params(Watched, SubjectOf),
    responses((status = 200, description = "the events", body = String, content_type = "text/event-stream")),
    extensions(("x-problems" = json!("too-many-streams"))),
)]
pub(super) async fn watch(State(api): Shared, request: Request) -> Answer {
    let query = Query::read(request.uri(), &["flag", "key", "attributes"])?;
    let flag = query.get("flag").map(|flag| ask::checked(FlagKey::parse(flag))).transpose()?;
    let key = query.get("key").map(str::to_owned);
    let attributes = query.attributes()?;
    if flag.is_none() && (key.is_some() || query.get("attributes").is_some()) {
        return Err(Problem::invalid("flag", "`flag` is missing", "say whose decision for this key is meant"));
    }
    let (permit, events, response) = open_stream(&api)?;
    // Subscribed before the first look, so that no change is missed between the two.
    let subscription = api.tide.subscribe();
    let watcher = Watcher { api: Arc::clone(&api), flag, key, attributes, subscription, events, last: None };
    tokio::spawn(watcher.run(permit));
    Ok(response)
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
}

/// One stream of events.
struct Watcher {
    api: Arc<Api>,
    flag: Option<FlagKey>,
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
        let mut text = self.decision_event().or_else(|| Some(": watching\n\n".to_owned()));
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
                    Ok(changes) => text = self.note_changes(&changes),
                    Err(_) => return,
                },
                () = tokio::time::sleep(pause) => text = self.decision_event(),
                _ = keep_alives.tick() => text = Some(": alive\n\n".to_owned()),
            }
        }
    }

    fn note_changes(&mut self, changes: &Changes) -> Option<String> {
        if self.flag.is_some() {
            return self.decision_event();
        }
        let listed = changes.flags.listed().filter(|flags| flags.len() <= limits::EVENT_FLAGS_MAX);
        let flags: Vec<String> = listed.into_iter().flatten().map(ToString::to_string).collect();
        let data = json!({
            "document": changes.document, "definitions": changes.definitions, "activations": changes.activations,
            "locks": changes.locks, "health": changes.health, "flags": flags, "more": listed.is_none(),
        });
        Some(event("change", &data.to_string()))
    }

    /// The decision as an event, if it differs from the last one that was sent.
    fn decision_event(&mut self) -> Option<String> {
        let flag = self.flag.as_ref()?;
        let subject = decision::subject(self.key.as_deref(), &self.attributes);
        let now = decision::explain(&self.api.tide, flag, &subject, None);
        let is_same = self.last.as_ref().is_some_and(|last| last.is_same_decision(&now));
        let text = (!is_same).then(|| serde_json::to_string(&now).ok()).flatten();
        self.last = Some(now);
        text.map(|text| event("decision", &text))
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

/// Data is JSON on one line, so it is one line of the event.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
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
