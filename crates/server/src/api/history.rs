//! What happened on this node, to one flag or to all, newest first.

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use tidegate::{ChangeKind, Cluster, ClusterError, FlagKey, HistoryEntry, Micros, RegisterValue, Stamp};
use utoipa::{IntoParams, ToSchema};

use super::ask::{self, FlagPath, Query};
use super::{Answer, Api, Kind, Shared, answer};
use crate::limits;
use crate::openapi::parameters::FlagNames;

/// A page of a history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = History)]
struct Page {
    /// The node that answers, whose history it is.
    node: String,
    /// The members that have theirs.
    others: Vec<String>,
    /// Changes that some change on this page has replaced before they came to this node.
    missing: Vec<Missing>,
    /// The changes, newest first. A page also ends where its changes have 1 MiB together.
    changes: Vec<Entry>,
    /// `before` of the next page; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Pages {
    /// `next` of the page before.
    #[param(pattern = "^[0-9a-f]{36}$")]
    before: Option<String>,
    /// How many changes at most; 20 by default.
    #[param(minimum = 1, maximum = 100, example = 10)]
    limit: Option<u64>,
}

/// A change that was replaced, and is not in this node's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingChange)]
struct Missing {
    /// The flag key.
    flag: String,
    /// Its stamp.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// The nodes that have it.
    known_to: Vec<String>,
}

/// A change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
struct Entry {
    /// The flag key.
    flag: String,
    /// Its stamp.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// `activation` or `definition`.
    #[schema(value_type = String)]
    kind: ChangeKind,
    /// The activation or the entry; null where it was removed.
    #[schema(value_type = Value)]
    value: Option<RegisterValue>,
    /// Who made it.
    actor: String,
    /// Why.
    reason: String,
    /// The node that made it.
    node: String,
    /// The stamp of the change that it replaced; null for the first one.
    #[schema(required)]
    replaced: Option<String>,
    /// The stamp of the concurrent change that it lost to, or null.
    #[schema(required)]
    lost_to: Option<String>,
}

/// What happened to a flag
///
/// Newest first, on this node: each node has its own history.
#[utoipa::path(
    get, path = "/api/v1/flags/{section}/{flag}/history", tag = "flags", operation_id = "getFlagHistory",
    params(FlagNames, Pages),
    responses((status = 200, description = "a page", body = Page)),
    extensions(("x-problems" = json!("not-live follower busy"))),
)]
pub(super) async fn page(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    answer_page(&api, Some(ask::flag_of(path)?), request.uri()).await
}

/// What happened to all flags
///
/// Newest first, on this node: each node has its own history.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "flags", operation_id = "getHistory", params(Pages),
    responses((status = 200, description = "a page", body = Page)),
    extensions(("x-problems" = json!("not-live follower busy"))),
)]
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
