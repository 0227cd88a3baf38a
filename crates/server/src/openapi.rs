//! The contract of the HTTP API, `openapi.json`, made from the annotations of the handlers.
//!
//! ```text
//! #[utoipa::path] on a handler ─┐
//! routes!(handler) in api.rs ───┴─► router and contract ─► docs/reference/openapi.json ─► GET /openapi.json, GET /docs
//!                                   one call makes both    written by a test           └► docs/reference/http-api.md
//! ```
//!
//! How to add an operation:
//!
//! 1. Annotate the handler with `#[utoipa::path(...)]`. The first line of its doc comment is the summary, the rest the
//!    description; texts are written for users. Give it `operation_id`, `tag`, its parameters with examples ([`parameters`]), the
//!    answer of a success with its schema, and in `x-problems` the problems that are its own. The problems that any request may
//!    have (`invalid`, `unknown-host`, ...) are added by `crates/server/src/generated.rs`.
//! 2. Name it in `api::routes`: `.routes(routes!(module::handler))`. There is no other way to add a route.
//! 3. `UPDATE=1 cargo xtask generate` writes the contract and the reference.
//!
//! A test sends the example of each operation (`tests/it/contract.rs`), and each answer in the integration tests is held against the
//! contract. `cargo xtask schemathesis` sends many more.

pub(crate) mod parameters;
pub(crate) mod schemas;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::info::{Info, License};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{ComponentsBuilder, OpenApi, OpenApiBuilder};

/// The contract without its operations.
pub(crate) fn base() -> OpenApi {
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".to_owned());
    let mut info = Info::new("Tidegate", env!("CARGO_PKG_VERSION"));
    info.description = Some(include_str!("openapi/introduction.md").trim_end().to_owned());
    info.license = Some(license);
    let tags = TAGS.iter().map(|(name, description)| {
        let mut tag = Tag::new(*name);
        tag.description = Some(description.trim_end().to_owned());
        tag
    });
    // Failures and parameters refer to these, and no body does.
    let components = ComponentsBuilder::new().schema_from::<schemas::Problem>().schema_from::<schemas::Diagnostic>();
    let components = components.schema_from::<schemas::Name>();
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(components.build())).build()
}

/// The contract of this API
///
/// The same as `docs/reference/openapi.json` of this version.
#[utoipa::path(
    get, path = "/openapi.json", tag = "contract", operation_id = "getContract",
    responses((status = 200, description = "the contract", body = Object, content_type = "application/json")),
)]
pub(crate) async fn contract() -> Response {
    file("application/json", CONTRACT)
}

/// This contract as a page
///
/// It is shown by the server alone: nothing is loaded from elsewhere.
#[utoipa::path(
    get, path = "/docs", tag = "contract", operation_id = "showContract",
    responses((status = 200, description = "the page", body = String, content_type = "text/html; charset=utf-8")),
)]
pub(crate) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("openapi/docs.html"))
}

/// The script of the page
#[utoipa::path(
    get, path = "/docs/script.js", tag = "contract", operation_id = "getPageScript",
    responses((status = 200, description = "the script", body = String, content_type = "text/javascript; charset=utf-8")),
)]
pub(crate) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("openapi/docs.js"))
}

/// The style of the page
#[utoipa::path(
    get, path = "/docs/style.css", tag = "contract", operation_id = "getPageStyle",
    responses((status = 200, description = "the style", body = String, content_type = "text/css; charset=utf-8")),
)]
pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("openapi/docs.css"))
}

/// A file that is part of the program. Whatever else a page of this origin held, its browser would load nothing from elsewhere, run
/// no other script, and show it in no frame.
fn file(kind: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, body).into_response()
}

/// Script, style and contract come from this server; there is nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The problems that every change may have, in `x-problems`.
pub(crate) const CHANGE_PROBLEMS: &str =
    "not-live follower busy clock duplicate-node ended not-ready changes-refused disk changed conflict";

/// The groups of operations, with what is true of each.
const TAGS: &[(&str, &str)] = &[
    ("flags", include_str!("openapi/flags.md")),
    ("changes", include_str!("openapi/changes.md")),
    ("decisions", include_str!("openapi/decisions.md")),
    ("cluster", include_str!("openapi/cluster.md")),
    ("backup", include_str!("openapi/backup.md")),
    ("followers", include_str!("openapi/followers.md")),
    ("health", include_str!("openapi/health.md")),
    ("ofrep", include_str!("openapi/ofrep.md")),
    ("contract", include_str!("openapi/contract.md")),
];

/// The contract as it is committed.
pub(crate) const CONTRACT: &str = include_str!("../../../docs/reference/openapi.json");
