//! All dials and definitions as one text, and back.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use super::ask::{self, Query};
use super::{Answer, Shared, answer, blocking};
use crate::limits;

/// `GET`: a line of JSON for each register, and one before them.
pub(super) async fn write(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let backup = blocking(move || {
        let mut backup = Vec::new();
        cluster.backup(&mut backup).map(|_| backup)
    });
    let kind = HeaderValue::from_static(LINES);
    Ok(([(header::CONTENT_TYPE, kind)], backup.await??).into_response())
}

/// `POST`: `?overwrite=true&reason=...`, and a backup.
pub(super) async fn restore(State(api): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri, &["overwrite", "reason"])?;
    let overwrites = query.parse("overwrite", |text| text.parse::<bool>().ok(), "say `true` or `false`")?;
    let reason = query.get("reason").unwrap_or_default().to_owned();
    ask::check_text("reason", &reason)?;
    let actor = ask::actor(&parts.headers)?;
    let timeout = limits::RESTORE_TIMEOUT;
    let backup = ask::body(&parts.headers, body, &[LINES], limits::RESTORE_BYTES_MAX, timeout).await?;
    let cluster = api.cluster()?;
    let restored = blocking(move || cluster.restore_because(&*backup, overwrites.unwrap_or(false), &actor, &reason));
    let restored = restored.await??;
    let registers = restored.written + restored.left + restored.unknown;
    let left = restored.left;
    answer::json(
        StatusCode::OK,
        &json!({"registers": registers, "restored": restored.written, "left": left, "unknown": restored.unknown}),
    )
}

/// The media type of a backup: a line of JSON each.
const LINES: &str = "application/x-ndjson";
