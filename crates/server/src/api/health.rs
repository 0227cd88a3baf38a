//! Whether the process works, and whether it can be asked.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::json;

use super::ask::Query;
use super::problem::Problem;
use super::{Answer, Api, Kind, Shared, answer};

/// `GET /healthz`: the process works, whatever its sources and its cluster do.
pub(super) async fn alive() -> Answer {
    answer::json(StatusCode::OK, &json!({"status": "alive", "version": env!("CARGO_PKG_VERSION")}))
}

/// Everything else while the node starts.
pub(super) fn starting(since: Instant) -> Problem {
    Problem::starting(since.elapsed())
}

/// `GET /readyz`: there is something to answer from. An unreachable source does not matter while its document is cached.
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

/// `GET /readyz/changes`: changes are accepted. A node may answer reads while it refuses changes.
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

/// Whether this node has compared itself with a member; null where there is no cluster.
fn is_synced(api: &Api) -> Option<bool> {
    api.tide.cluster().map(|cluster| cluster.is_synced())
}

/// `GET /api/v1/status`: the sources one by one, and what is wrong with them.
pub(super) async fn status(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let status = api.tide.status();
    let is_ready = status.is_ready();
    let shown = serde_json::to_value(&status).map_err(|error| Problem::internal(&error))?;
    let version = env!("CARGO_PKG_VERSION");
    let synced = is_synced(&api);
    answer::json(StatusCode::OK, &json!({"version": version, "ready": is_ready, "synced": synced, "status": shown}))
}
