//! What happened to a flag on this node, newest first.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::{ChangeKind, HistoryEntry, Micros, Stamp};

use super::ask::{self, FlagPath, Query};
use super::{Answer, Shared, answer, blocking};

/// A page as it is written.
#[derive(Debug, Serialize)]
struct Page {
    changes: Vec<Entry>,
    next: Option<String>,
}

/// A change as it is written.
#[derive(Debug, Serialize)]
struct Entry {
    stamp: String,
    at: Micros,
    kind: ChangeKind,
    value: Option<Box<RawValue>>,
    actor: String,
    reason: String,
    node: String,
    replaced: Option<String>,
    lost_to: Option<String>,
}

/// `GET`: `?before=STAMP&limit=N`.
pub(super) async fn page(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let flag = ask::flag_of(path)?;
    let query = Query::read(request.uri(), &["before", "limit"])?;
    let before = query.parse("before", |text| text.parse::<Stamp>().ok(), "say what the page before had as `next`")?;
    let limit = |text: &str| text.parse::<usize>().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let limit = query.parse("limit", limit, "say a number from 1 to 100")?.unwrap_or(LIMIT_DEFAULT);
    let cluster = api.cluster()?;
    let page = blocking(move || cluster.history(&flag.to_string(), before, limit)).await??;
    let next = page.next.map(|stamp| stamp.to_string());
    answer::json(StatusCode::OK, &Page { changes: page.changes.into_iter().map(entry).collect(), next })
}

fn entry(entry: HistoryEntry) -> Entry {
    Entry {
        stamp: entry.stamp.to_string(),
        at: entry.at,
        kind: entry.kind,
        value: entry.value,
        actor: entry.actor,
        reason: entry.reason,
        node: answer::name(&entry.node),
        replaced: entry.replaced.map(|stamp| stamp.to_string()),
        lost_to: entry.lost_to.map(|stamp| stamp.to_string()),
    }
}

/// The library gives no more at once.
const LIMIT_MAX: usize = 100;

/// What a screen shows.
const LIMIT_DEFAULT: usize = 20;
