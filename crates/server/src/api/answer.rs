//! How answers are written.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tidegate::{ClusterReceipt, Effect, Micros, NodeName, OutrankedBy, Receipt, UnreachedPeer};

use super::Answer;
use super::problem::Problem;

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
    /// A receipt as it is written.
    #[derive(Serialize)]
    struct Written<'r> {
        flag: String,
        stamp: String,
        at: Micros,
        ack: String,
        reached: bool,
        durable_on: Vec<String>,
        pending: Vec<String>,
        outranked: Vec<Loss>,
        unreached: &'r [UnreachedPeer],
        effect: Effect,
        created: bool,
    }
    let written = Written {
        flag: receipt.flag.to_string(),
        stamp: receipt.stamp.to_string(),
        at: receipt.at,
        ack: receipt.level.to_string(),
        reached: receipt.is_reached,
        durable_on: names(&receipt.durable_on),
        pending: names(&receipt.pending),
        outranked: receipt.outranked.iter().map(Loss::from_outranked).collect(),
        unreached: &receipt.unreached,
        effect: receipt.effect,
        created: receipt.is_created,
    };
    json(status(receipt.is_reached), &written)
}

/// The receipt of a change of the cluster itself, with the same status and members; `node` is the member that it is about.
pub(super) fn cluster_receipt(receipt: &ClusterReceipt, node: Option<&NodeName>) -> Answer {
    /// A receipt as it is written.
    #[derive(Serialize)]
    struct Written<'r> {
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<&'r NodeName>,
        stamp: String,
        at: Micros,
        ack: String,
        reached: bool,
        durable_on: Vec<String>,
        pending: Vec<String>,
        outranked: Vec<Loss>,
        unreached: &'r [UnreachedPeer],
    }
    let written = Written {
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

/// Of a change that stands.
fn status(is_reached: bool) -> StatusCode {
    if is_reached { StatusCode::OK } else { StatusCode::ACCEPTED }
}

fn names(nodes: &[NodeName]) -> Vec<String> {
    nodes.iter().map(name).collect()
}

/// A node on which another change counts for more than the one that was made.
#[derive(Debug, Serialize)]
struct Loss {
    on: String,
    stamp: String,
    by: String,
    quarantined: bool,
}

impl Loss {
    fn from_outranked(loss: &OutrankedBy) -> Self {
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
