//! Whether the process works, and whether it can be asked.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::json;
use utoipa::ToSchema;

use super::ask::Query;
use super::problem::Problem;
use super::{Answer, Api, Kind, Shared, answer};
use crate::openapi::schemas;

/// Whether the process works
///
/// Also while the node starts, and whatever its sources and its cluster do.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "isAlive",
    responses((status = 200, description = "the process works", body = Alive)),
)]
pub(super) async fn alive() -> Answer {
    answer::json(StatusCode::OK, &json!({"status": "alive", "version": env!("CARGO_PKG_VERSION")}))
}

/// Everything else while the node starts.
pub(super) fn starting(since: Instant) -> Problem {
    Problem::starting(since.elapsed())
}

/// Whether there is something to answer from
///
/// 503: a source has given no document, now or before; or the node is starting. An unreachable source does not matter while its
/// document is cached.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "isReady",
    responses((status = 200, description = "the server answers", body = Ready)),
)]
pub(super) async fn ready(State(api): Shared) -> Answer {
    let status = api.tide.status();
    if let Some(source) =
        std::iter::once(&status).chain(&status.additional_sources).find(|status| !status.has_document())
    {
        let why = source.last_error.as_ref().map_or("it has not answered yet", |trouble| &trouble.message);
        let why = source.refused.as_ref().map_or(why, |refusal| &refusal.message);
        return Err(Problem::not_ready(format!("no document from `{}` yet: {why}", source.source.escape_debug())));
    }
    let ready = json!({"status": "ready", "flags": status.flags, "synced": is_synced(&api)});
    answer::json(StatusCode::OK, &ready)
}

/// Whether changes are accepted
///
/// 503 or 507: they are refused, and why. A node may answer reads while it refuses changes.
#[utoipa::path(
    get, path = "/readyz/changes", tag = "health", operation_id = "acceptsChanges",
    responses((status = 200, description = "changes are accepted", body = Ready)),
    extensions(("x-problems" = json!("not-live follower busy changes-refused disk"))),
)]
pub(super) async fn changes(State(api): Shared) -> Answer {
    let cluster = api.cluster()?;
    let disk = cluster.disk_trouble();
    let refusal = api.blocking(Kind::Change, move || cluster.refusal()).await??;
    match (disk, refusal) {
        (Some(trouble), _) => Err(Problem::disk(&trouble)),
        (None, Some(why)) => Err(Problem::changes_refused(why)),
        (None, None) => answer::json(StatusCode::OK, &json!({"status": "ready", "synced": is_synced(&api)})),
    }
}

/// A process that works.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Alive {
    /// `alive`.
    status: String,
    /// The version of the server.
    version: String,
}

/// A server that answers.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Ready {
    /// `ready`.
    status: String,
    /// How many flags are defined.
    #[schema(required = false)]
    flags: Option<u64>,
    /// Whether this node has compared itself with a member of the cluster since its start; null where there is no cluster.
    #[schema(required)]
    synced: Option<bool>,
}

/// Whether this node has compared itself with a member, or has what the server has that it follows; null where there is no
/// cluster.
fn is_synced(api: &Api) -> Option<bool> {
    let follower = || api.tide.follower().map(|follower| follower.is_synced());
    api.tide.cluster().map(|cluster| cluster.is_synced()).or_else(follower)
}

/// The documents of this server
///
/// Their sources, their ages and their problems.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "health", operation_id = "getStatus",
    responses((status = 200, description = "the status", body = schemas::Report)),
)]
pub(super) async fn status(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let status = api.tide.status();
    let is_ready = status.is_ready();
    let shown = serde_json::to_value(&status).map_err(|error| Problem::internal(&error))?;
    let version = env!("CARGO_PKG_VERSION");
    let synced = is_synced(&api);
    let follow = api.tide.follower().map(|follower| follower.status());
    let (followers, traffic) = (api.followers.count(), api.followers.traffic().counts());
    let shown = json!({
        "version": version, "ready": is_ready, "synced": synced, "followers": followers, "follower_traffic": traffic,
        "follow": follow, "status": shown,
    });
    answer::json(StatusCode::OK, &shown)
}
