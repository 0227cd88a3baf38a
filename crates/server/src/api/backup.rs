//! All activations and definitions as one text, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::ask::{self, Query, Wanted};
use super::parts::parts;
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};
use crate::limits;

/// `GET`: a line of JSON for each register, and one before them. It is sent as it is written.
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
    drop(spawn_blocking(work));
    let body = ready.first().await.ok_or_else(|| Problem::internal(&"the backup could not be written"))?;
    let kind = HeaderValue::from_static(LINES);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// `POST`: `?overwrite=true&reason=...`, and a backup.
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

/// The media type of a backup: a line of JSON each.
const LINES: &str = "application/x-ndjson";
