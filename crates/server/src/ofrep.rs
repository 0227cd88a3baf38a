//! The OpenFeature Remote Evaluation Protocol (OFREP 0.3): what every client of OpenFeature asks.
//!
//! ```text
//! request -> path (which flag, which section) -> context (who asks) -> evaluation (the engine decides) -> answer
//!                                                                         |-> catalog: names and metadata of one version
//!                                                                         |-> tags: which answers are still the same
//! change, ramp -> steps (whose answers may be others) -> events (streams that say: ask again)
//! ```
//!
//! The paths are those of the protocol, below the root or below `/sections/{section}`. They are parsed here and not by the
//! router, because clients send flag keys raw or percent-encoded and may put a second slash before the path. Everything else
//! is as for other requests: the `Host`, the limits, the deadlines, and [`Problem`], which chooses each status.

mod catalog;
mod context;
#[cfg(test)]
mod contract;
mod cors;
mod evaluation;
mod events;
mod path;
mod steps;
mod tags;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tidegate::View;
use tidegate_engine::Digest;

use crate::api::{Api, Held, JSON, Kind, Problem, Wanted, collect_body};
use crate::limits;
use catalog::Catalogs;
use context::Context;
use cors::{Caller, Cors};
use events::Events;
use path::{Endpoint, Target};
use tags::{Requested, Tags};

#[cfg(test)]
pub(crate) use contract::contract;
pub(crate) use cors::check_origin;

/// What the routes of OFREP share.
#[derive(Debug)]
pub(crate) struct Ofrep {
    api: Arc<Api>,
    catalogs: Catalogs,
    tags: Tags,
    cors: Cors,
    events: Arc<Events>,
}

impl Ofrep {
    pub(crate) fn new(api: Arc<Api>) -> Arc<Self> {
        let (tags, cors) = (Tags::new(limits::OFREP_TAGS_MAX), Cors::new(&api.options().cors_origins));
        let events = Events::new(Arc::clone(&api), RandomState::new().hash_one(()));
        Arc::new(Self { api, catalogs: Catalogs::default(), tags, cors, events })
    }

    /// Answers a request, also one for a path that is not of OFREP.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some(target) = Target::parse(head.uri.path()) else {
            return Problem::unknown_path(head.uri.path()).into_response();
        };
        let caller = self.cors.caller(&head.headers);
        let mut response = Arc::clone(&self).answer_for(&caller, &target, &head, body).await;
        self.cors.mark(&caller, &mut response);
        response
    }

    async fn answer_for(self: Arc<Self>, caller: &Caller, target: &Target, head: &Parts, body: Body) -> Response {
        let method = if target.endpoint == Endpoint::Events { Method::GET } else { Method::POST };
        if cors::is_preflight(head) {
            return Cors::preflight(if method == Method::GET { "GET" } else { "POST" });
        }
        if head.method != method {
            let mut response = Problem::wrong_method(&head.method).into_ofrep_response(None);
            if let Ok(allowed) = HeaderValue::from_str(method.as_str()) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            return response;
        }
        let answer = match &target.endpoint {
            Endpoint::Flag(name) => return self.single(caller, target, name, head, body).await,
            Endpoint::Flags => self.bulk(target, head, body).await,
            Endpoint::Events => self.events.open(target.section.as_deref(), &head.headers),
        };
        answer.unwrap_or_else(|problem| problem.into_ofrep_response(None))
    }

    async fn single(&self, caller: &Caller, target: &Target, name: &path::Name, head: &Parts, body: Body) -> Response {
        let context = self.context(head, body).await;
        let view = self.api.tide().view();
        let found = name.find(view.snapshot(), target.section.as_deref());
        let answer = context.and_then(|context| evaluation::single(&view, &found, &context, caller.is_page()));
        match answer {
            Ok(json) => success(json.into()),
            Err(problem) => problem.into_ofrep_response(Some(&found.name)),
        }
    }

    async fn bulk(self: Arc<Self>, target: &Target, head: &Parts, body: Body) -> Result<Response, Problem> {
        let context = self.context(head, body).await?;
        self.events.begin();
        let requested = Requested::read(&head.headers);
        let (view, slot) = (self.api.tide().view(), self.tags.slot(target.section.as_deref(), &context));
        if let Some(tag) = self.tags.find(slot, view.version(), view.now())
            && requested.contains(tag)
        {
            return Ok(not_modified(tag));
        }
        let section = target.section.clone();
        let (bytes, until, view) = if view.snapshot().len() <= limits::BULK_FLAGS_INLINE {
            let (bytes, until) = self.evaluate(&view, section.as_deref(), &context)?;
            (bytes, until, view)
        } else {
            let ofrep = Arc::clone(&self);
            let work = move || {
                let evaluated = ofrep.evaluate(&view, section.as_deref(), &context);
                evaluated.map(|(bytes, until)| (bytes, until, view))
            };
            self.api.blocking(Kind::Bulk, work).await??
        };
        let tag = Digest::from_bytes(&bytes);
        self.tags.keep(slot, view.version(), view.now(), until, tag);
        if requested.contains(tag) {
            return Ok(not_modified(tag));
        }
        Ok(with_tag(success(Bytes::from_owner(bytes)), tag))
    }

    /// All flags for one context, and until when none of them changes by itself.
    fn evaluate(
        &self,
        view: &View,
        section: Option<&str>,
        context: &Context,
    ) -> Result<(Held, Option<tidegate::Micros>), Problem> {
        let catalog = self.catalogs.current(view)?;
        let flags = catalog.section(view.snapshot(), section);
        let bytes_max = evaluation::bulk_bytes_max(flags, section, context);
        // What is small belongs to its connection.
        let reserved = self.api.budget().reserve(if bytes_max > limits::SMALL_BYTES { bytes_max } else { 0 })?;
        let (bytes, until) = evaluation::bulk(view, flags, section, context, bytes_max);
        Ok((Held::new(bytes, reserved), until))
    }

    /// The context of a request; an empty body is an empty context.
    async fn context(&self, head: &Parts, body: Body) -> Result<Context, Problem> {
        let body = collect_body(&self.api, body, &Wanted::json(&self.api)).await?;
        if body.is_empty() {
            return Ok(Context::default());
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
            return Err(Problem::wrong_media(JSON));
        }
        Context::parse(&body)
    }
}

fn success(body: Bytes) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body).into_response()
}

fn not_modified(tag: Digest) -> Response {
    with_tag(StatusCode::NOT_MODIFIED.into_response(), tag)
}

fn with_tag(mut response: Response, tag: Digest) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use tidegate::{Clock, Live, Tidegate, parse_time};
    use tokio::sync::watch;

    use super::*;
    use crate::options::Options;

    const BODY: &str = r#"{"context": {"targetingKey": "ann"}}"#;

    async fn bulk(ofrep: &Arc<Ofrep>, tag: &str) -> StatusCode {
        let request = Request::post("/ofrep/v1/evaluate/flags").header(header::CONTENT_TYPE, JSON);
        let request = request.header(header::IF_NONE_MATCH, tag).body(Body::from(BODY)).unwrap();
        Arc::clone(ofrep).answer(request).await.status()
    }

    /// The server is made to remember a tag that no answer has: only one that it has not evaluated can match it.
    #[tokio::test]
    async fn a_304_is_answered_without_evaluating_while_version_and_validity_hold() {
        let document =
            r#"{"flags": {"x": {"stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "0s"}}}"#;
        let clock = Clock::manual(parse_time("2039-12-31 00:00Z").unwrap());
        let builder = Tidegate::builder().text(document).clock(clock.clone()).live(Live::in_memory().name("one"));
        let tide = builder.without_locks().without_cache().connect_async().await.unwrap();
        let (_stop, stopping) = watch::channel(false);
        let ofrep = Ofrep::new(Api::new(tide.clone(), Options::default(), stopping));
        let made_up = Digest::from_bytes(b"no answer is so");
        let remember = || {
            let (view, context) = (tide.view(), Context::parse(BODY.as_bytes()).unwrap());
            let until = parse_time("2040-01-01 00:00Z").ok();
            ofrep.tags.keep(ofrep.tags.slot(None, &context), view.version(), view.now(), until, made_up);
        };
        let tag = format!("\"{made_up}\"");
        assert_eq!(bulk(&ofrep, &tag).await, StatusCode::OK);
        remember();
        assert_eq!(bulk(&ofrep, &tag).await, StatusCode::NOT_MODIFIED);
        tide.activate_percentage("x", 0).send_async().await.unwrap();
        assert_eq!(bulk(&ofrep, &tag).await, StatusCode::OK, "another version");
        remember();
        assert_eq!(bulk(&ofrep, &tag).await, StatusCode::NOT_MODIFIED);
        clock.set(parse_time("2040-01-01 00:00Z").unwrap());
        assert_eq!(bulk(&ofrep, &tag).await, StatusCode::OK, "the ramp has moved");
    }
}
