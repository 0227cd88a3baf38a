//! The OpenFeature Remote Evaluation Protocol (OFREP 0.3): what every client of OpenFeature asks.
//!
//! ```text
//! request -> path (which flag, which section) -> context (who asks) -> evaluation (the engine decides) -> answer
//!                                                                         |-> catalog: names and metadata of one version
//!                                                                         |-> pages: items of one version as they go out
//!                                                                         |-> tags: which answers are still the same
//! change, ramp -> steps (whose answers may be others) -> events (streams that say: ask again)
//! ```
//!
//! The paths are those of the protocol, below the root or below `/sections/{section}`. They are parsed here and not by the
//! router, because clients send flag keys raw or percent-encoded and may put a second slash before the path, and because the
//! router costs more than an evaluation. Everything else is as for other requests: the `Host`, the limits, the deadlines, and
//! [`Problem`], which chooses each status.

mod buffers;
mod catalog;
mod context;
#[cfg(test)]
mod contract;
mod cors;
mod evaluation;
mod events;
mod pages;
mod path;
mod steps;
mod tags;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use tidegate::View;
use tidegate_engine::Digest;

use crate::api::{Api, Held, Incoming, JSON, Kind, Problem, Wanted, collect_body};
use crate::content::Content;
use crate::limits;
use buffers::{Buffer, Buffers};
use catalog::Catalogs;
use context::{AttributeNames, Context, Names};
use cors::{Caller, Cors};
use events::Events;
use pages::Pages;
use path::Endpoint;
use tags::Tags;

#[cfg(test)]
pub(crate) use contract::contract;
pub(crate) use cors::check_origin;
pub(crate) use path::Target;

/// What the paths of OFREP share.
#[derive(Debug)]
pub(crate) struct Ofrep {
    api: Arc<Api>,
    catalogs: Catalogs,
    names: AttributeNames,
    pages: Pages,
    buffers: Buffers,
    tags: Tags,
    cors: Cors,
    events: Arc<Events>,
}

impl Ofrep {
    pub(crate) fn new(api: Arc<Api>) -> Arc<Self> {
        let (tags, cors) = (Tags::new(limits::OFREP_TAGS_MAX), Cors::new(&api.options().cors_origins));
        let events = Events::new(Arc::clone(&api), RandomState::new().hash_one(()));
        let (catalogs, names, pages) = Default::default();
        Arc::new(Self { api, catalogs, names, pages, buffers: Buffers::default(), tags, cors, events })
    }

    /// Answers a request for this target.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        target: &Target<'_>,
        head: &Parts,
        body: impl Incoming,
    ) -> Response<Content> {
        let caller = self.cors.caller(&head.headers);
        let mut response = self.answer_for(&caller, target, head, body).await;
        self.cors.mark(&caller, response.headers_mut());
        response
    }

    async fn answer_for(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target<'_>,
        head: &Parts,
        body: impl Incoming,
    ) -> Response<Content> {
        let method = if target.endpoint == Endpoint::Events { Method::GET } else { Method::POST };
        if cors::is_preflight(head) {
            return Cors::preflight(if method == Method::GET { "GET" } else { "POST" }).map(Content::from);
        }
        if head.method != method {
            let mut response = Problem::wrong_method(&head.method).into_ofrep_response(None);
            if let Ok(allowed) = HeaderValue::from_str(method.as_str()) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            return response.map(Content::from);
        }
        let answer = match &target.endpoint {
            Endpoint::Flag(name) => return self.single(caller, target, name, head, body).await,
            Endpoint::Flags => self.bulk(target, head, body).await,
            Endpoint::Events => {
                self.events.open(target.section.as_deref(), &head.headers).map(|response| response.map(Content::from))
            }
        };
        answer.unwrap_or_else(|problem| problem.into_ofrep_response(None).map(Content::from))
    }

    async fn single(
        &self,
        caller: &Caller,
        target: &Target<'_>,
        name: &path::Name<'_>,
        head: &Parts,
        body: impl Incoming,
    ) -> Response<Content> {
        let body = self.body(head, body).await;
        let view = self.api.tide().view();
        let found = name.find(view.snapshot(), target.section.as_deref());
        let targeting = found.index.and_then(|index| view.snapshot().flag(index).targeting());
        let names = if targeting.is_some() { Names::All } else { Names::none() };
        let answer = body.and_then(|body| {
            let context = if body.is_empty() { Context::default() } else { Context::parse(&body, &names)? };
            evaluation::single(&view, &found, &context, caller.is_page())
        });
        match answer {
            Ok(json) => success(json.into()),
            Err(problem) => problem.into_ofrep_response(Some(&found.name)).map(Content::from),
        }
    }

    async fn bulk(
        self: &Arc<Self>,
        target: &Target<'_>,
        head: &Parts,
        body: impl Incoming,
    ) -> Result<Response<Content>, Problem> {
        let body = self.body(head, body).await?;
        self.events.begin();
        let (view, section) = (self.api.tide().view(), target.section.as_deref());
        let names = self.names.current(&view);
        let context = if body.is_empty() { Context::default() } else { Context::parse(&body, &names)? };
        let slot = self.tags.slot(section, &context);
        if let Some(tag) = self.tags.find(slot, view.version(), view.now())
            && tags::has(&head.headers, &tag)
        {
            return Ok(not_modified(tag));
        }
        let (bytes, until, view) = if view.snapshot().len() <= limits::BULK_FLAGS_INLINE {
            let (bytes, until) = self.evaluate(&view, section, &context)?;
            (bytes, until, view)
        } else {
            let (ofrep, section) = (Arc::clone(self), section.map(str::to_owned));
            let work = move || {
                let evaluated = ofrep.evaluate(&view, section.as_deref(), &context);
                evaluated.map(|(bytes, until)| (bytes, until, view))
            };
            self.api.blocking(Kind::Bulk, work).await??
        };
        let tag = tags::quoted(Digest::from_bytes(&bytes.bytes));
        self.tags.keep(slot, view.version(), view.now(), until, tag.clone());
        if tags::has(&head.headers, &tag) {
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
    ) -> Result<(Buffer, Option<tidegate::Micros>), Problem> {
        let catalog = self.catalogs.current(view)?;
        let page = self.pages.current(view, section, &catalog);
        let flags = || catalog.section(view.snapshot(), section);
        let bytes_max = match (&page, context.key()) {
            (Some(page), Some(_)) => page.bytes_max,
            (Some(page), None) => page.keyless_bytes_max,
            (None, key) => evaluation::bulk_bytes_max(flags(), section, key.is_none()),
        };
        // What is small belongs to its connection.
        let reserved = self.api.budget().reserve(if bytes_max > limits::SMALL_BYTES { bytes_max } else { 0 })?;
        let mut buffer = self.buffers.take(reserved);
        buffer.bytes.reserve(bytes_max);
        let until = match (&page, context.key()) {
            (Some(page), Some(key)) => page.put(view, context, key, &mut buffer.bytes),
            _ => evaluation::bulk(view, flags(), section, context, &mut buffer.bytes),
        };
        Ok((buffer, until))
    }

    /// The body of a request: JSON, or nothing.
    async fn body(&self, head: &Parts, body: impl Incoming) -> Result<Held, Problem> {
        let body = collect_body(&self.api, body, &Wanted::json(&self.api)).await?;
        if body.is_empty() {
            return Ok(body);
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
            return Err(Problem::wrong_media(JSON));
        }
        Ok(body)
    }
}

fn success(body: Bytes) -> Response<Content> {
    let mut response = Response::new(Content::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

fn not_modified(tag: HeaderValue) -> Response<Content> {
    let mut response = Response::new(Content::EMPTY);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    with_tag(response, tag)
}

fn with_tag(mut response: Response<Content>, tag: HeaderValue) -> Response<Content> {
    response.headers_mut().insert(header::ETAG, tag);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use tidegate::{Clock, Live, Tidegate, parse_time};
    use tokio::sync::watch;

    use super::*;
    use crate::options::Options;
    use crate::tasks::Tasks;

    const BODY: &str = r#"{"context": {"targetingKey": "ann"}}"#;

    async fn bulk(ofrep: &Arc<Ofrep>, tag: &str) -> StatusCode {
        let request = Request::post("/ofrep/v1/evaluate/flags").header(header::CONTENT_TYPE, JSON);
        let request = request.header(header::IF_NONE_MATCH, tag).body(Body::from(BODY)).unwrap();
        let (head, body) = request.into_parts();
        ofrep.answer(&Target::parse(head.uri.path()).unwrap(), &head, body).await.status()
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
        let ofrep = Ofrep::new(Api::new(tide.clone(), Options::default(), stopping, Tasks::default()));
        let made_up = Digest::from_bytes(b"no answer is so");
        let remember = || {
            let (view, context) = (tide.view(), Context::parse(BODY.as_bytes(), &Names::All).unwrap());
            let until = parse_time("2040-01-01 00:00Z").ok();
            ofrep.tags.keep(ofrep.tags.slot(None, &context), view.version(), view.now(), until, tags::quoted(made_up));
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
