//! What happened to a flag on this node, newest first.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::{ChangeKind, Cluster, ClusterError, FlagKey, HistoryEntry, Micros, Stamp};

use super::ask::{self, FlagPath, Query};
use super::{Answer, Kind, Shared, answer};
use crate::limits;

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
    let page = api.blocking(Kind::Read, move || read(&cluster, &flag, before, limit)).await??;
    answer::json(StatusCode::OK, &page)
}

/// A page. It has fewer changes than the limit where they are long.
fn read(cluster: &Cluster, flag: &FlagKey, before: Option<Stamp>, limit: usize) -> Result<Page, ClusterError> {
    let (flag, mut changes, mut bytes, mut next) = (flag.to_string(), Vec::new(), 0_usize, before);
    loop {
        let page = cluster.history(&flag, next, CHANGES_AT_ONCE.min(limit - changes.len()))?;
        next = page.next;
        for change in page.changes {
            bytes = bytes.saturating_add(change.value.as_ref().map_or(0, |value| value.get().len()));
            changes.push(entry(change));
        }
        if next.is_none() || changes.len() >= limit || bytes >= limits::HISTORY_BYTES_MAX {
            return Ok(Page { changes, next: next.map(|stamp| stamp.to_string()) });
        }
    }
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

/// Changes that are read together: each has some hundred bytes usually, and the size of a body at most.
const CHANGES_AT_ONCE: usize = 8;
