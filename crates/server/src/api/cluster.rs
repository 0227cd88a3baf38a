//! The nodes that agree, and what only an operator may do to them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tidegate::{AddressView, ClusterStatus, Micros, PeerView};

use super::ask::{self, Fields, Query};
use super::problem::Problem;
use super::{Answer, Api, Shared, answer, blocking};
use crate::limits;

/// A peer as it is written.
#[derive(Debug, Serialize)]
struct Peer {
    id: String,
    name: Option<String>,
    reachable: bool,
    responsive: bool,
    equal: Option<bool>,
    digest: Option<String>,
    clock_offset_ms: Option<i64>,
    heard_ms_ago: Option<u64>,
}

/// `GET`: this node, its peers, its members, and what is wrong.
pub(super) async fn status(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let status = blocking(move || cluster.status()).await??;
    answer::json(StatusCode::OK, &shown(&status))
}

/// `POST`: `{"node": "...", "reason": "..."}` takes a node out that will not come back.
pub(super) async fn forget(State(api): Shared, request: Request) -> Answer {
    let (fields, actor) = read(&api, request, &["node", "reason"]).await?;
    let missing = || Problem::invalid("node", "`node` is missing", "name a member by its id or its name");
    let node = fields.text("node")?.ok_or_else(missing)?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let forgotten = blocking(move || cluster.forget(&node, &actor, &reason)).await??;
    let name = Some(forgotten.name).filter(|name| !name.is_empty());
    answer::json(StatusCode::OK, &json!({"node": {"id": forgotten.node.to_string(), "name": name}}))
}

/// `POST`: `{"reason": "..."}` raises the epoch, so that later changes outrank all earlier ones.
pub(super) async fn repair_clock(State(api): Shared, request: Request) -> Answer {
    let (fields, actor) = read(&api, request, &["reason"]).await?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let stamp = blocking(move || cluster.repair_clock(&actor, &reason)).await??;
    answer::json(StatusCode::OK, &json!({"stamp": stamp.to_string()}))
}

/// The fields of the body, and who asks.
pub(super) async fn read(api: &Api, request: Request, known: &[&str]) -> Result<(Fields, String), Problem> {
    let (parts, body) = request.into_parts();
    Query::read(&parts.uri, &[])?;
    let actor = ask::actor(&parts.headers)?;
    let body = ask::body(&parts.headers, body, &[ask::JSON], limits::BODY_BYTES_MAX, api.options.body_timeout).await?;
    Ok((Fields::read(&body, known)?, actor))
}

pub(super) fn reason(fields: &Fields) -> Result<String, Problem> {
    let reason = fields.text("reason")?.unwrap_or_default();
    ask::check_text("reason", &reason)?;
    Ok(reason)
}

fn shown(status: &ClusterStatus) -> Value {
    let node = &status.node;
    let members = status.members.iter().map(|member| {
        json!({
            "id": member.node.node.to_string(),
            "name": member.node.name,
            "address": member.address,
            "since": member.since,
            "forgotten": member.is_forgotten,
            "silent": member.is_silent,
        })
    });
    let quarantined = status.quarantine.iter().map(|change| {
        let node = answer::name(&change.node);
        json!({"flag": change.flag, "stamp": change.stamp.to_string(), "at": change.at, "node": node})
    });
    json!({
        "node": {
            "id": node.node.to_string(),
            "name": node.name,
            "cluster": node.cluster,
            "instance": format!("{:016x}", node.instance),
            "durable": node.is_durable,
            "folder": node.folder,
            "address": node.address.map(|address| address.to_string()),
            "advertised": node.advertised,
            "certificate_expires": node.certificate_expires,
            "epoch": node.epoch,
            "digest": format!("{:016x}", node.digest),
            "registers": node.registers,
            "tombstones": node.tombstones,
        },
        "peers": status.peers.iter().map(peer).collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
        "addresses": status.addresses.iter().map(address).collect::<Vec<_>>(),
        "quarantined": quarantined.collect::<Vec<_>>(),
        "quarantined_count": status.quarantined,
        "parked": status.parked,
        "shadowed": status.shadowed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "isolated_since": status.isolated_since.map(|since: Micros| since.to_string()),
        "writes_refused": status.writes_refused,
        "disk": status.disk,
        "damage": status.damage,
        "messages_dropped": status.messages_dropped,
        "connections_refused": status.connections_refused,
        "connections_pending": status.connections_pending,
        "link_problems": status.link_problems,
        "published": status.published,
    })
}

/// An address at which the node looks for others.
fn address(address: &AddressView) -> Value {
    json!({
        "address": address.address,
        "configured": address.is_configured,
        "node": address.node.as_ref().map(answer::name),
        "connected": address.is_connected,
        "cause": address.cause,
        "problem": address.problem,
        "failing_ms": address.failing_seconds.map(to_ms),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a number of milliseconds, rounded to a whole one")]
fn to_ms(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

fn peer(peer: &PeerView) -> Peer {
    Peer {
        id: peer.node.node.to_string(),
        name: Some(peer.node.name.clone()).filter(|name| !name.is_empty()),
        reachable: peer.is_live,
        responsive: peer.is_responsive,
        equal: peer.is_equal,
        digest: peer.digest.clone(),
        clock_offset_ms: peer.clock_offset_seconds.map(to_ms),
        heard_ms_ago: peer.heard_seconds_ago.map(|seconds| u64::try_from(to_ms(seconds)).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use tidegate::{Live, Tidegate};

    use super::*;

    #[test]
    fn a_silent_member_is_shown() {
        let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect().unwrap();
        let mut status = tide.cluster().unwrap().status().unwrap();
        for is_silent in [false, true] {
            status.members[0].is_silent = is_silent;
            assert_eq!(shown(&status)["members"][0]["silent"], is_silent);
        }
    }
}
