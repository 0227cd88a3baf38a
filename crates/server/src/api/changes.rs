//! Makes several changes of activations and definitions as one.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::{
    CHANGE_SET_MAX, Change, ChangeSetReceipt, FlagKey, MadeChange, Micros, RedisReceipt, Tidegate, UnreachedPeer,
    parse_time,
};
use utoipa::ToSchema;

use super::activation::{check_disk, percentage};
use super::answer::{self, EffectJson, Loss, Unreached, names};
use super::ask::{self, Fields, Query, Wanted};
use super::precondition::Precondition;
use super::problem::Problem;
use super::{Answer, Shared};
use crate::openapi::CHANGE_PROBLEMS;
use crate::openapi::parameters::{Acknowledgement, Actor};
use crate::openapi::schemas;

/// Make several changes as one
///
/// All changes are made, or none: each is checked as if the ones before it had been made, and one that is refused refuses all. `field` of
/// the problem names it, such as `changes[2].percentage`. On this node all become active at the same instant, and a crash leaves all of
/// them or none. They go to the other nodes in one message, and a node that receives it activates all of them at once; a node that was
/// unreachable gets them one by one. There is one receipt: its level is reached when enough members have acknowledged every change.
///
/// A request has up to 1,000 changes, no two of the same activation or definition. What they write may take 384 KiB together.
#[utoipa::path(
    post, path = "/api/v1/changes", tag = "changes", operation_id = "applyChanges",
    params(Acknowledgement, Actor),
    request_body(content = NewChanges, example = json!({
        "reason": "release 7",
        "changes": [
            {"flag": "shop/theme", "operation": "define", "entry": {"stable": "plain", "new": "festive"}},
            {"flag": "shop/theme", "operation": "activate", "percentage": 20},
            {"flag": "shop/banner", "operation": "clear"},
        ],
    })),
    responses(
        (status = 200, description = "the level was reached", body = ChangeSetReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the changes are kept", body = ChangeSetReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "unknown-flag no-activation no-definition refused"]))),
)]
pub(super) async fn apply(State(api): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri, &["ack", "timeout"])?;
    let actor = ask::actor(&parts.headers)?;
    let wanted = Wanted { cost: BODY_COST, ..Wanted::json(&api) };
    let body = ask::body(&api, &parts.headers, body, &wanted).await?;
    let changes = read(&api.tide, &body, &actor)?;
    let is_long = changes.len() > FEW || changes.iter().any(|(_, is_definition)| *is_definition);
    let set = api.tide.apply(changes.into_iter().map(|(change, _)| change));
    let set = query.apply_to_set(set)?;
    check_disk(&api)?;
    receipt(&api.send_set(set, &query, is_long).await?)
}

/// The changes of a body, in their order, and whether each defines a flag.
fn read(tide: &Tidegate, body: &[u8], actor: &str) -> Result<Vec<(Change, bool)>, Problem> {
    let fields = Fields::read(body, &["reason", "changes"])?;
    let reason = fields.text("reason")?;
    let help = "send `changes`: a list of objects, each with `flag` and `operation`";
    let raw = fields.raw("changes").ok_or_else(|| Problem::invalid("changes", "`changes` is missing", help))?;
    let listed: Vec<Box<RawValue>> =
        serde_json::from_str(raw).map_err(|_| Problem::invalid("changes", "`changes` is not a list", help))?;
    // Before the first is read, so that a request with a million of them is told of the limit.
    if listed.is_empty() || listed.len() > CHANGE_SET_MAX {
        let detail = format!("`changes` has {} changes", listed.len());
        return Err(Problem::invalid("changes", detail, format!("send 1 to {CHANGE_SET_MAX} changes")));
    }
    let change = |(index, raw): (usize, &str)| {
        one(tide, raw, actor, reason.as_deref()).map_err(|problem| problem.of_change(index))
    };
    listed.iter().map(|raw| raw.get()).enumerate().map(change).collect()
}

/// One change, and whether it defines a flag.
fn one(tide: &Tidegate, raw: &str, actor: &str, reason: Option<&str>) -> Result<(Change, bool), Problem> {
    let fields = Fields::read_part(raw, &CHANGE_FIELDS)?;
    let missing = |name: &str, help: &str| Problem::invalid(name, format!("`{name}` is missing"), help);
    let named = fields.text("flag")?.ok_or_else(|| missing("flag", "name the flag, such as `shop/banner`"))?;
    let flag = ask::checked(FlagKey::parse(&named))?;
    let operation = fields.text("operation")?.ok_or_else(|| missing("operation", OPERATIONS))?;
    let (allowed, is_new): (&[&str], bool) = match operation.as_str() {
        "activate" => (&["percentage", "until", "create", "elsewhere"], fields.is_true("create")?),
        "define" => (&["entry"], true),
        "clear" | "remove" => (&[], false),
        other => {
            let detail = format!("`operation` is `{}`", ask::shown(other));
            return Err(Problem::invalid("operation", detail, OPERATIONS));
        }
    };
    let flag = if is_new { ask::new_flag(flag)? } else { flag };
    let common = ["flag", "operation", "reason", "if_match", "if_none_match"];
    if let Some(name) = fields.names().find(|name| !common.contains(name) && !allowed.contains(name)) {
        let detail = format!("`{name}` has no effect on the operation `{operation}`");
        return Err(Problem::invalid(name, detail, "leave it out"));
    }
    let key = flag.to_string();
    let change = match operation.as_str() {
        "activate" => {
            let change = fields.apply_target(tide.activate_percentage(&key, percentage(&fields)?))?;
            match fields.text("until")? {
                Some(until) => change.until(parse_time(&until).map_err(|error| {
                    let help = "write an instant such as `2026-12-01T00:00:00Z`";
                    Problem::invalid("until", format!("`until` {error}"), help)
                })?),
                None => change,
            }
        }
        "define" => {
            let entry = fields
                .raw("entry")
                .ok_or_else(|| missing("entry", "send the entry as it would stand in a document"))?;
            tide.define(&key, entry)
        }
        "clear" => tide.clear(&key),
        _ => tide.remove(&key),
    };
    let own_reason = fields.text("reason")?;
    let change = change.actor(actor).reason(own_reason.as_deref().or(reason).unwrap_or_default());
    Ok((Precondition::from_fields(&fields)?.bind(change), operation == "define"))
}

fn receipt(receipt: &ChangeSetReceipt) -> Answer {
    let written = ChangeSetReceiptJson {
        changes: receipt.changes.iter().map(MadeChangeJson::new).collect(),
        at: receipt.at,
        ack: receipt.level.to_string(),
        reached: receipt.is_reached,
        durable_on: names(&receipt.durable_on),
        pending: names(&receipt.pending),
        unreached: &receipt.unreached,
        redis: receipt.redis.as_ref(),
    };
    answer::json(if receipt.is_reached { StatusCode::OK } else { StatusCode::ACCEPTED }, &written)
}

/// Several changes that are made as one.
#[derive(Debug, ToSchema)]
#[schema(as = ChangeSetRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct NewChanges {
    /// Why they are made, for the history of each that says nothing else.
    #[schema(max_length = 1024)]
    reason: Option<String>,
    /// The changes, in the order in which they are checked.
    #[schema(min_items = 1, max_items = 1000)]
    changes: Vec<NewChange>,
}

/// One change of a flag.
#[derive(Debug, ToSchema)]
#[schema(as = ChangeRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct NewChange {
    /// The flag key, `section/flag`.
    flag: String,
    /// What is done to the flag: `activate` sets the activation, `clear` removes it, `define` makes the definition, `remove` removes it.
    #[schema(pattern = "^(activate|clear|define|remove)$")]
    operation: String,
    /// `activate`: how many percent of the keys have `new`, with at most six decimals, read exactly.
    #[schema(minimum = 0, maximum = 100)]
    percentage: Option<f64>,
    /// `activate`: when the activation ends. Without it, when it is removed.
    until: Option<String>,
    /// `activate`: `true` creates a bare boolean flag where this node knows none.
    create: Option<bool>,
    /// `activate`: `true` changes a flag that documents of other nodes define.
    elsewhere: Option<bool>,
    /// `define`: the entry, as it would stand in a document.
    #[schema(value_type = Option<schemas::EntryObject>)]
    entry: Option<()>,
    /// Why this change is made, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
    /// As the header `If-Match` of a single change: the `ETag` of the flag before the request.
    if_match: Option<String>,
    /// As the header `If-None-Match` of a single change: `*`.
    if_none_match: Option<String>,
}

/// The receipt of several changes that were made as one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangeSetReceipt)]
struct ChangeSetReceiptJson<'r> {
    /// What each change did, in the order of the request.
    changes: Vec<MadeChangeJson>,
    /// The instant that the stamp of the last change names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// The requested level.
    ack: String,
    /// Whether it was reached in time.
    reached: bool,
    /// The members that have acknowledged every change.
    durable_on: Vec<String>,
    /// Those that have not yet.
    pending: Vec<String>,
    /// The configured addresses at which no node is connected, where the level was not reached.
    #[schema(value_type = Vec<Unreached>)]
    unreached: &'r [UnreachedPeer],
    /// What Redis has said of the changes, where they are shared through Redis without a cluster and the level is more than
    /// `local`; else null.
    #[schema(required, value_type = Option<schemas::RedisReceipt>)]
    redis: Option<&'r RedisReceipt>,
}

/// What one change did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeChange)]
struct MadeChangeJson {
    /// The flag key.
    flag: String,
    /// `activation` or `definition`.
    kind: String,
    /// The stamp of the change.
    stamp: String,
    /// What all changes of the request did to the flag on this node.
    #[schema(value_type = EffectJson)]
    effect: tidegate::Effect,
    /// Whether the flag was unknown here and is a bare boolean flag now.
    created: bool,
    /// The nodes on which another change counts for more, so that this one is not active there; while one change has such a node, no
    /// level is reached.
    outranked: Vec<Loss>,
}

impl MadeChangeJson {
    fn new(made: &MadeChange) -> Self {
        Self {
            flag: made.flag.to_string(),
            kind: made.kind.to_string(),
            stamp: made.stamp.to_string(),
            effect: made.effect,
            created: made.is_created,
            outranked: made.outranked.iter().map(Loss::from_outranked).collect(),
        }
    }
}

/// The fields that a change may have.
const CHANGE_FIELDS: [&str; 10] =
    ["flag", "operation", "percentage", "until", "create", "elsewhere", "entry", "reason", "if_match", "if_none_match"];

/// The body, the changes in it, and what they write.
const BODY_COST: usize = 3;

/// So few activations take less time than a turn on another thread.
const FEW: usize = 16;

const OPERATIONS: &str = "say `activate`, `clear`, `define` or `remove`";
