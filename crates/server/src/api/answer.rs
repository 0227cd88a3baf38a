//! How answers are written.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tidegate::{ClusterReceipt, Effect, Micros, NodeName, OutrankedBy, Receipt, RedisReceipt, UnreachedPeer};
use utoipa::ToSchema;

use super::Answer;
use super::problem::Problem;
use crate::openapi::schemas;

/// A value as JSON, on one line.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
    body.push(b'\n');
    let kind = HeaderValue::from_static("application/json");
    Ok((status, [(header::CONTENT_TYPE, kind)], body).into_response())
}

/// The receipt of a change: 200 where its level was reached, and 202 where the change stands and some have not said yet that
/// they have it.
pub(super) fn receipt(receipt: &Receipt) -> Answer {
    let written = ReceiptJson {
        flag: receipt.flag.to_string(),
        stamp: receipt.stamp.to_string(),
        at: receipt.at,
        ack: receipt.level.to_string(),
        reached: receipt.is_reached,
        durable_on: names(&receipt.durable_on),
        pending: names(&receipt.pending),
        outranked: receipt.outranked.iter().map(Loss::from_outranked).collect(),
        unreached: &receipt.unreached,
        redis: receipt.redis.as_ref(),
        effect: receipt.effect,
        created: receipt.is_created,
    };
    json(status(receipt.is_reached), &written)
}

/// The receipt of a change of the cluster itself, with the same status and members; `node` is the member that it is about.
pub(super) fn cluster_receipt(receipt: &ClusterReceipt, node: Option<&NodeName>) -> Answer {
    let written = ClusterReceiptJson {
        node,
        stamp: receipt.stamp.to_string(),
        at: receipt.at,
        ack: receipt.level.to_string(),
        reached: receipt.is_reached,
        durable_on: names(&receipt.durable_on),
        pending: names(&receipt.pending),
        outranked: receipt.outranked.iter().map(Loss::from_outranked).collect(),
        unreached: &receipt.unreached,
    };
    json(status(receipt.is_reached), &written)
}

/// The receipt of a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(super) struct ReceiptJson<'r> {
    /// The flag key.
    flag: String,
    /// The stamp of the change.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// The requested level.
    ack: String,
    /// Whether it was reached in time.
    reached: bool,
    /// The members that have acknowledged the change.
    durable_on: Vec<String>,
    /// Those that have not yet.
    pending: Vec<String>,
    /// The nodes on which another change of the flag counts for more, so that this one is not active there; while there is one,
    /// no level is reached.
    outranked: Vec<Loss>,
    /// The configured addresses at which no node is connected, where the level was not reached.
    #[schema(value_type = Vec<Unreached>)]
    unreached: &'r [UnreachedPeer],
    /// What Redis has said of the change, where changes are shared through Redis without a cluster and the level is more than
    /// `local`; else null.
    #[schema(required, value_type = Option<schemas::RedisReceipt>)]
    redis: Option<&'r RedisReceipt>,
    /// What the change did on this node.
    #[schema(value_type = EffectJson)]
    effect: Effect,
    /// Whether the flag was unknown here and is a bare boolean flag now.
    created: bool,
}

/// The receipt of a change of the cluster itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterReceipt)]
pub(super) struct ClusterReceiptJson<'r> {
    /// The member that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Node>)]
    node: Option<&'r NodeName>,
    /// The stamp of the change.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// The requested level.
    ack: String,
    /// Whether it was reached in time.
    reached: bool,
    /// The members that have acknowledged the change.
    durable_on: Vec<String>,
    /// Those that have not yet.
    pending: Vec<String>,
    /// The nodes on which another change of the flag counts for more, so that this one is not active there; while there is one,
    /// no level is reached.
    outranked: Vec<Loss>,
    /// The configured addresses at which no node is connected, where the level was not reached.
    #[schema(value_type = Vec<Unreached>)]
    unreached: &'r [UnreachedPeer],
}

/// The share of keys with `new` before and after a change, in percent; null where each caller has its own default.
#[derive(Debug, ToSchema)]
#[schema(as = Effect)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct EffectJson {
    /// Before.
    #[schema(required)]
    from: Option<f64>,
    /// After.
    #[schema(required)]
    to: Option<f64>,
}

/// An address at which no node is connected.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Unreached {
    /// `host:port`.
    address: String,
    /// Why, and what to do.
    problem: String,
}

/// Of a change that stands.
fn status(is_reached: bool) -> StatusCode {
    if is_reached { StatusCode::OK } else { StatusCode::ACCEPTED }
}

pub(super) fn names(nodes: &[NodeName]) -> Vec<String> {
    nodes.iter().map(name).collect()
}

/// A node on which another change counts for more than the one that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Loss {
    /// The node.
    on: String,
    /// The stamp of the other change.
    stamp: String,
    /// The node that made it.
    by: String,
    /// Whether it is quarantined there.
    quarantined: bool,
}

impl Loss {
    pub(super) fn from_outranked(loss: &OutrankedBy) -> Self {
        Self { on: name(&loss.on), stamp: loss.stamp.to_string(), by: name(&loss.by), quarantined: loss.is_quarantined }
    }
}

/// The name of a node; its id where it has none.
pub(super) fn name(node: &NodeName) -> String {
    if node.name.is_empty() { node.node.to_string() } else { node.name.clone() }
}

/// The value of an `ETag` header.
pub(super) fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
