//! What zenoh is told, and why.

use std::net::SocketAddr;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tidegate_replica::NodeId;
use tidegate_replica::limits::{MESSAGE_BYTES_MAX, NODES_MAX};

use crate::identity::Identity;
use crate::options::Security;

/// The configuration of a session of this node that listens there and dials these.
pub(crate) fn of<'a>(
    node: NodeId,
    listen: Option<SocketAddr>,
    dialled: impl Iterator<Item = &'a str>,
    security: &Security,
) -> Result<zenoh::Config, zenoh::Error> {
    let scheme = match security {
        Security::Open => "tcp",
        Security::Certificates(_) => "tls",
    };
    let listen: Vec<String> = listen.iter().map(|address| format!("{scheme}/{address}")).collect();
    let connect: Vec<String> = dialled.map(|address| format!("{scheme}/{address}#{}", retries())).collect();
    let mut config = zenoh::Config::default();
    for (key, value) in all(&session_id(node)?, &listen, &connect, security) {
        config.insert_json5(key, &value.to_string())?;
    }
    Ok(config)
}

fn all(id: &str, listen: &[String], connect: &[String], security: &Security) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("mode", json!("peer")),
        ("id", json!(id)),
        ("listen/endpoints", json!(listen)),
        // An address that is taken is an error at once, which the caller can act on.
        ("listen/timeout_ms", json!(0)),
        ("listen/exit_on_failure", json!(true)),
        ("connect/endpoints", json!(connect)),
        ("connect/timeout_ms", json!(-1)),
        ("connect/exit_on_failure", json!(false)),
        // A start does not wait for others: whoever is there is heard of later.
        ("open/return_conditions/connect_scouted", json!(false)),
        ("open/return_conditions/declares", json!(false)),
        // An attempt that hangs in a network that has lost its first packet is given up, and made anew.
        ("transport/unicast/open_timeout", json!(ATTEMPT_MS)),
        ("transport/unicast/accept_timeout", json!(ATTEMPT_MS)),
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(true)),
        // Of two nodes that hear of each other one dials.
        ("scouting/gossip/autoconnect_strategy", json!({"peer": {"to_router": "always", "to_peer": "greater-zid"}})),
        // Stamps are the replica's: zenoh's would be replaced by a receiver whose clock is behind.
        ("timestamping/enabled", json!(false)),
        // A host that vanishes without a word is noticed after that.
        ("transport/link/tx/lease", json!(LEASE_MS)),
        ("transport/link/tx/keep_alive", json!(SIGNS_A_LEASE)),
        ("transport/link/rx/max_message_size", json!(MESSAGE_BYTES_MAX + OVERHEAD_BYTES_MAX)),
        // All our messages have one priority. Without queues for each, a link that was once too slow would drop everything
        // from then on: in zenoh 1.10.2 "congested" is noted for one priority and taken back for another.
        ("transport/unicast/qos/enabled", json!(true)),
        ("transport/unicast/max_sessions", json!(NODES_MAX)),
        ("adminspace/enabled", json!(false)),
    ];
    if let Security::Certificates(identity) = security {
        all.push(("transport/link/tls", tls(identity)));
    }
    all
}

fn tls(identity: &Identity) -> Value {
    json!({
        "root_ca_certificate": identity.authority_path(),
        "listen_certificate": identity.certificate_path(),
        "listen_private_key": identity.key_path(),
        "connect_certificate": identity.certificate_path(),
        "connect_private_key": identity.key_path(),
        "enable_mtls": true,
        "verify_name_on_connect": true,
        "close_link_on_expiration": true,
    })
}

/// How often a peer is dialled that cannot be reached.
fn retries() -> String {
    let (first, last) = RETRY_MS;
    format!("retry_period_init_ms={first};retry_period_max_ms={last};retry_period_increase_factor=2")
}

/// The node's id, so that a link shows whose it is and sessions have the order of their nodes, and a number that no opening before had: others must not take this
/// session for one that they still hold.
fn session_id(node: NodeId) -> Result<String, zenoh::Error> {
    let mut number = [0; 8];
    SystemRandom::new().fill(&mut number).map_err(|_| zenoh::Error::from("the system gives no random number"))?;
    // zenoh compares ids from their last byte on.
    let id = u128::from(u64::from_be_bytes(number)) << 64 | u128::from(node.get().swap_bytes());
    Ok(format!("{:x}", id.max(1)))
}

/// The node of a session.
pub(crate) fn node_of(session: &str) -> Option<NodeId> {
    let id = u128::from_str_radix(session, 16).ok()?;
    let low = u64::try_from(id & u128::from(u64::MAX)).ok()?;
    Some(NodeId::new(low.swap_bytes()))
}

/// A peer that says nothing for so long is gone: three times what a busy host may be late. A process that dies is noticed at
/// once, so this is for hosts that vanish and processes that are stopped; no change waits for it.
const LEASE_MS: u32 = 9_000;

/// How often a link that has nothing to carry shows that it is there, within that. These signs are most of what a cluster
/// at rest costs: of twenty nodes each has nineteen links, and sends and hears six signs a second. TCP loses none, so a sign
/// can only be late, and two of three may be.
const SIGNS_A_LEASE: u32 = 3;

/// So long an attempt to reach a peer may take: some ten times what it takes between continents. TCP sends its first packet
/// again after 1, 3 and 7 seconds, so a longer attempt would outlive the trouble that it met.
const ATTEMPT_MS: u32 = 3_000;

/// First and last wait between two attempts to reach a peer. The last one is also how long two nodes may go without each
/// other after a network between them has healed.
const RETRY_MS: (u32, u32) = (250, 500);

/// What is around a message: the envelope, the key and zenoh's own headers.
const OVERHEAD_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_shows_its_node_and_is_never_the_same() {
        for node in [0, 1, 0xfeed, u64::MAX].map(NodeId::new) {
            let (one, other) = (session_id(node).unwrap(), session_id(node).unwrap());
            assert_ne!(one, other);
            assert_eq!((node_of(&one), node_of(&other)), (Some(node), Some(node)));
        }
        assert_eq!(node_of("x"), None);
        let order = |node| session_id(NodeId::new(node)).unwrap().parse::<zenoh::session::ZenohId>().unwrap();
        assert!(order(1) < order(2) && order(255) < order(256) && order(1 << 40) < order(u64::MAX));
    }
}
