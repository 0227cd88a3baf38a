//! All activations and definitions as one text, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::ask::{self, Query, Wanted};
use super::parts::parts;
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};
use crate::limits;
use crate::openapi::CHANGE_PROBLEMS;
use crate::openapi::parameters::{Actor, Reason};

/// Make a backup
///
/// All activations and definitions: a line of JSON for each, and one before them.
#[utoipa::path(
    get, path = "/api/v1/backup", tag = "backup", operation_id = "makeBackup",
    responses((status = 200, description = "the backup", body = String, content_type = "application/x-ndjson")),
    extensions(("x-problems" = json!("not-live follower busy"))),
)]
pub(super) async fn write(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let turn = api.turn(Kind::Backup).await?;
    let (parts, ready) = parts(api.budget.reserve(limits::BACKUP_BYTES)?, limits::ANSWER_TIMEOUT);
    let mut writer = parts.writer();
    let work = move || {
        let written = cluster.backup(&mut writer);
        if let Err(error) = written {
            tracing::debug!("a backup was not sent to its end: {error}");
            writer.fail(error.to_string().into());
        }
        drop(turn);
    };
    // It ends with its client, and at the end of its time.
    drop(api.tasks.spawn_blocking(work));
    let body = ready.first().await.ok_or_else(|| Problem::internal(&"the backup could not be written"))?;
    let kind = HeaderValue::from_static(LINES);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// Restore a backup
///
/// The body is what a backup has written. A restore ends when its client disconnects: the changes that it has made by then are
/// kept, and sending it again restores the rest.
#[utoipa::path(
    post, path = "/api/v1/restore", tag = "backup", operation_id = "restoreBackup", params(Overwrite, Reason, Actor),
    request_body(content = String, content_type = "application/x-ndjson", example = json!(BACKUP_EXAMPLE)),
    responses((status = 200, description = "it was restored", body = RestoreResult)),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS]))),
)]
pub(super) async fn restore(State(api): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri, &["overwrite", "reason"])?;
    let overwrites = query.parse("overwrite", |text| text.parse::<bool>().ok(), "say `true` or `false`")?;
    let reason = query.get("reason").unwrap_or_default().to_owned();
    ask::check_text("reason", &reason)?;
    let actor = ask::actor(&parts.headers)?;
    let (bytes_max, timeout) = (limits::RESTORE_BYTES_MAX, limits::RESTORE_TIMEOUT);
    // What is read from it is about as large again.
    let wanted = Wanted { media_type: LINES, bytes_max, timeout, cost: 2 };
    let backup = ask::body(&api, &parts.headers, body, &wanted).await?;
    let cluster = api.cluster()?;
    let (client, ends, stopping) =
        (Client::default(), Instant::now() + limits::RESTORE_WORK_TIMEOUT, api.stopping.clone());
    let is_there = client.is_there();
    let is_wanted = move || is_there.load(Ordering::Relaxed) && !*stopping.borrow() && Instant::now() < ends;
    let overwrites = overwrites.unwrap_or(false);
    let work = move || cluster.restore_while(&*backup, overwrites, &actor, &reason, is_wanted);
    let restored = api.blocking(Kind::Restore, work).await??;
    let registers = restored.written + restored.left + restored.unknown;
    let left = restored.left;
    answer::json(
        StatusCode::OK,
        &json!({"registers": registers, "restored": restored.written, "left": left, "unknown": restored.unknown}),
    )
}

/// Whether present values are replaced.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Overwrite {
    /// `true` replaces activations and definitions that the cluster has by now; otherwise they are left as they are.
    overwrite: Option<bool>,
}

/// What a restore did.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct RestoreResult {
    /// How many activations and definitions the backup has.
    registers: u64,
    /// How many were restored.
    restored: u64,
    /// How many were left as they are.
    left: u64,
    /// How many are of a kind that this version does not know.
    unknown: u64,
}

/// Tells work on a thread whether its client still waits: no longer when this is dropped.
#[derive(Debug)]
struct Client(Arc<AtomicBool>);

impl Client {
    fn is_there(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The backup of a node with one activation.
const BACKUP_EXAMPLE: &str = concat!(
    r#"{"format":"tidegate-backup","version":1,"cluster":"tidegate","node":"d05380a83d20b2a9","#,
    r#""created_at":"2026-11-29T02:05:01.606406Z","created_at_us":1795917901606406,"sum":"864f3d71e4b9e0aa"}"#,
    "\n",
    r#"{"key":"ashop/banner","stamp":"000001a2250c6f0f01e6d05380a83d20b2a9","written_at":"2026-11-29T02:05:01.583000Z","#,
    r#""value":{"defined":false,"percentage":"20"},"actor":"","reason":"","#,
    r#""register":"01010c6173686f702f62616e6e65720212000001a2250c6f0f01e6d05380a83d20b2a903237b2270657263656e74616765223a"#,
    r#"223230222c22646566696e6564223a66616c73657dad203187a4f66afd","sum":"9082cfa224602a35"}"#,
    "\n",
    r#"{"end":true,"registers":1,"sum":"0b3a5aee50173028"}"#,
    "\n",
);

/// The media type of a backup: a line of JSON each.
const LINES: &str = "application/x-ndjson";
