//! The OpenFeature Remote Evaluation Protocol (OFREP 0.3): what every client of OpenFeature asks.
//!
//! ```text
//! request -> path (which flag, which section) -> context (who asks) -> evaluation (the engine decides) -> answer
//!                                                                         |-> catalog: names and metadata of one version
//!                                                                         |-> tags: which answers are still the same
//! ```
//!
//! The paths are those of the protocol, below the root or below `/sections/{section}`. They are parsed here and not by the
//! router, because clients send flag keys raw or percent-encoded and may put a second slash before the path. Everything else
//! is as for other requests: the `Host`, the limits, the deadlines, and [`Problem`], which chooses each status.

mod catalog;
mod context;
mod evaluation;
mod path;
mod tags;

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
use path::{Endpoint, Target};
use tags::{Requested, Tags};

/// See the module.
#[derive(Debug)]
pub(crate) struct Ofrep {
    api: Arc<Api>,
    catalogs: Catalogs,
    tags: Tags,
}

impl Ofrep {
    pub(crate) fn new(api: Arc<Api>) -> Arc<Self> {
        Arc::new(Self { api, catalogs: Catalogs::default(), tags: Tags::new(limits::OFREP_TAGS_MAX) })
    }

    /// Answers a request, also one for a path that is not of OFREP.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Some(target) = Target::parse(head.uri.path()) else {
            return Problem::unknown_path(head.uri.path()).into_response();
        };
        if head.method != Method::POST {
            let mut response = Problem::wrong_method(&head.method).into_ofrep_response(None);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        match &target.endpoint {
            Endpoint::Flag(name) => self.single(&target, name, &head, body).await,
            Endpoint::Flags => {
                let answer = Arc::clone(&self).bulk(&target, &head, body).await;
                answer.unwrap_or_else(|problem| problem.into_ofrep_response(None))
            }
        }
    }

    async fn single(&self, target: &Target, name: &path::Name, head: &Parts, body: Body) -> Response {
        let context = self.context(head, body).await;
        let view = self.api.tide().view();
        let found = name.find(view.snapshot(), target.section.as_deref());
        let answer = context.and_then(|context| evaluation::single(&view, &found, &context));
        match answer {
            Ok(json) => success(json.into()),
            Err(problem) => problem.into_ofrep_response(Some(&found.name)),
        }
    }

    async fn bulk(self: Arc<Self>, target: &Target, head: &Parts, body: Body) -> Result<Response, Problem> {
        let context = self.context(head, body).await?;
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
