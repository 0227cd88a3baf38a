//! Which pages of other origins may evaluate flags (CORS).
//!
//! An evaluation changes nothing, and what a bulk answer has is meant for browsers. So every origin may evaluate unless the
//! configuration names some. What a page of another origin must not see are flags for servers: a single evaluation by such a
//! page finds none of them.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::foreign_origin;

/// The origins that may evaluate.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

/// What the page behind a request may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// It is no page, or one of this server.
    Own,
    /// A page of an origin that may evaluate; the value of `Access-Control-Allow-Origin`.
    Allowed(HeaderValue),
    /// A page of another origin. Its browser does not show it the answer.
    Other,
}

impl Cors {
    pub(super) fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().map(|origin| origin.to_ascii_lowercase()).collect() }
    }

    fn allows_any(&self) -> bool {
        self.origins.iter().any(|origin| origin == ANY)
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(origin) = foreign_origin(headers) else { return Caller::Own };
        if self.allows_any() {
            return Caller::Allowed(HeaderValue::from_static(ANY));
        }
        match HeaderValue::from_str(origin) {
            Ok(value) if self.origins.contains(&origin.to_ascii_lowercase()) => Caller::Allowed(value),
            _ => Caller::Other,
        }
    }

    /// Answers the question of a browser whether a page may send a request.
    pub(super) fn preflight(methods: &'static str) -> Response {
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
            (header::ALLOW, methods),
        ];
        (StatusCode::NO_CONTENT, headers).into_response()
    }

    /// Says in an answer which origin may read it.
    pub(super) fn mark(&self, caller: &Caller, headers: &mut HeaderMap) {
        if !self.allows_any() {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Caller::Allowed(origin) = caller {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

impl Caller {
    /// Whether flags for servers are hidden from it.
    pub(super) fn is_page(&self) -> bool {
        *self != Self::Own
    }
}

/// Whether a request asks what a page may send.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == axum::http::Method::OPTIONS
}

/// Whether it can stand in the configuration: `*`, `none`, or a scheme and a host with or without a port.
pub(crate) fn check_origin(text: &str) -> bool {
    let is_authority = |authority: &str| {
        !authority.is_empty() && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    };
    text == ANY
        || text == NONE
        || text.split_once("://").is_some_and(|(scheme, authority)| {
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && is_authority(authority)
        })
}

/// Every origin.
const ANY: &str = "*";

/// No origin: nothing is called so.
const NONE: &str = "none";

/// What clients send. `*` stands for headers that a program adds, and never for `authorization`.
const HEADERS: &str = "authorization, content-type, if-none-match, x-api-key, last-event-id, *";

/// What the web client reads besides the body.
const EXPOSED: &str = "ETag, Retry-After";

/// How long a browser need not ask again: 2 h, which is the most that Chromium keeps.
const MAX_AGE_SECONDS: &str = "7200";

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(origins: &[&str], origin: &str) -> Caller {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("flags.example:8080"));
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        Cors::new(&origins).caller(&headers)
    }

    #[test]
    fn the_configured_origins_may_evaluate() {
        let shop = "https://shop.example";
        let allowed = |value: &str| Caller::Allowed(value.parse().unwrap());
        assert_eq!(caller(&["*"], shop), allowed("*"));
        assert_eq!(caller(&["*"], "null"), allowed("*"));
        assert_eq!(caller(&[shop], shop), allowed(shop));
        assert_eq!(caller(&["https://Shop.example"], shop), allowed(shop));
        for origin in ["http://shop.example", "https://shop.example:8443", "https://evil.example", "null"] {
            assert_eq!(caller(&[shop], origin), Caller::Other, "{origin}");
        }
        assert_eq!(caller(&["none"], shop), Caller::Other);
        assert_eq!(caller(&[], shop), Caller::Other);
        assert_eq!(caller(&["none"], "http://flags.example:8080"), Caller::Own);
        assert_eq!(Cors::new(&[]).caller(&HeaderMap::new()), Caller::Own);
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for good in ["*", "none", "https://shop.example", "http://localhost:3000", "http://[::1]:80"] {
            assert!(check_origin(good), "{good}");
        }
        for bad in ["", "shop.example", "https://", "https://shop.example/", "https://a b", "https://*.shop.example"] {
            assert!(!check_origin(bad), "{bad}");
        }
    }
}
