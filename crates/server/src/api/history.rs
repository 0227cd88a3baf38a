//! What happened on this node, to one flag or to all, newest first.

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use tidegate::{ChangeKind, Cluster, ClusterError, FlagKey, HistoryEntry, Micros, RegisterValue, Stamp};

use super::ask::{self, FlagPath, Query};
use super::{Answer, Api, Kind, Shared, answer};
use crate::limits;

/// A page as it is written.
#[derive(Debug, Serialize)]
struct Page {
    /// Whose history it is.
    node: String,
    /// The members that have one of their own.
    others: Vec<String>,
    missing: Vec<Missing>,
    changes: Vec<Entry>,
    next: Option<String>,
}

/// A change that was replaced, and is not in this node's history, as it is written.
#[derive(Debug, Serialize)]
struct Missing {
    flag: String,
    stamp: String,
    at: Micros,
    known_to: Vec<String>,
}

/// A change as it is written.
#[derive(Debug, Serialize)]
struct Entry {
    flag: String,
    stamp: String,
    at: Micros,
    kind: ChangeKind,
    value: Option<RegisterValue>,
    actor: String,
    reason: String,
    node: String,
    replaced: Option<String>,
    lost_to: Option<String>,
}

/// `GET /flags/{section}/{flag}/history`: `?before=STAMP&limit=N`.
pub(super) async fn page(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    answer_page(&api, Some(ask::flag_of(path)?), request.uri()).await
}

/// `GET /history`: the same of all flags.
pub(super) async fn page_of_all(State(api): Shared, request: Request) -> Answer {
    answer_page(&api, None, request.uri()).await
}

async fn answer_page(api: &Api, flag: Option<FlagKey>, uri: &Uri) -> Answer {
    let query = Query::read(uri, &["before", "limit"])?;
    let before = query.parse("before", |text| text.parse::<Stamp>().ok(), "say what the page before had as `next`")?;
    let limit = |text: &str| text.parse::<usize>().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let limit = query.parse("limit", limit, "say a number from 1 to 100")?.unwrap_or(LIMIT_DEFAULT);
    let cluster = api.cluster()?;
    let page = api.blocking(Kind::Read, move || read(&cluster, flag.as_ref(), before, limit)).await??;
    answer::json(StatusCode::OK, &page)
}

/// A page. It has fewer changes than the limit where they are long.
fn read(cluster: &Cluster, flag: Option<&FlagKey>, before: Option<Stamp>, limit: usize) -> Result<Page, ClusterError> {
    let flag = flag.map(ToString::to_string);
    let (mut changes, mut missing, mut bytes, mut next) = (Vec::new(), Vec::new(), 0_usize, before);
    // Of all flags each part costs a search, and changes of many flags are short mostly.
    let at_once = if flag.is_some() { CHANGES_AT_ONCE } else { LIMIT_MAX };
    loop {
        let wanted = at_once.min(limit - changes.len());
        let page = match &flag {
            Some(flag) => cluster.history(flag, next, wanted)?,
            None => cluster.history_of_all(next, wanted)?,
        };
        next = page.next;
        for change in page.changes {
            bytes = bytes.saturating_add(
                change.value.as_ref().and_then(RegisterValue::as_definition).map_or(0, |entry| entry.get().len()),
            );
            changes.push(entry(change));
        }
        missing.extend(page.missing.iter().map(|missing| Missing {
            flag: missing.flag.clone(),
            stamp: missing.stamp.to_string(),
            at: missing.at,
            known_to: missing.known_to.iter().map(answer::name).collect(),
        }));
        if next.is_none() || changes.len() >= limit || bytes >= limits::HISTORY_BYTES_MAX {
            let (node, others) = (answer::name(&page.node), page.others.iter().map(answer::name).collect());
            return Ok(Page { node, others, missing, changes, next: next.map(|stamp| stamp.to_string()) });
        }
    }
}

fn entry(entry: HistoryEntry) -> Entry {
    Entry {
        flag: entry.flag,
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
