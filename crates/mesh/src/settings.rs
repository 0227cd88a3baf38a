//! What zenoh is told, and why.

use serde_json::{Value, json};
use tidegate_replica::limits::{MESSAGE_BYTES_MAX, NODES_MAX};

use crate::identity::Identity;
use crate::options::Security;
use crate::peers::Peer;

/// The configuration of a session that listens there and dials these.
pub(crate) fn of(
    listen: Option<std::net::SocketAddr>,
    peers: &[Peer],
    security: &Security,
) -> Result<zenoh::Config, zenoh::Error> {
    let mut config = zenoh::Config::default();
    for (key, value) in all(listen, peers, security) {
        config.insert_json5(key, &value.to_string())?;
    }
    Ok(config)
}

fn all(listen: Option<std::net::SocketAddr>, peers: &[Peer], security: &Security) -> Vec<(&'static str, Value)> {
    let scheme = match security {
        Security::Open => "tcp",
        Security::Certificates(_) => "tls",
    };
    let listen: Vec<String> = listen.iter().map(|address| format!("{scheme}/{address}")).collect();
    let connect: Vec<String> =
        peers.iter().map(|peer| format!("{scheme}/{}#{}", peer.address, retries(peer))).collect();
    let mut all = vec![
        ("mode", json!("peer")),
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
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(true)),
        // Of two nodes that hear of each other one dials.
        ("scouting/gossip/autoconnect_strategy", json!({"peer": {"to_router": "always", "to_peer": "greater-zid"}})),
        // Stamps are the replica's: zenoh's would be replaced by a receiver whose clock is behind.
        ("timestamping/enabled", json!(false)),
        // A host that vanishes without a word is noticed after that.
        ("transport/link/tx/lease", json!(LEASE_MS)),
        ("transport/link/tx/keep_alive", json!(4)),
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
fn retries(peer: &Peer) -> String {
    let (first, last) = if peer.is_eager { EAGER_MS } else { PATIENT_MS };
    format!("retry_period_init_ms={first};retry_period_max_ms={last};retry_period_increase_factor=2")
}

/// A peer that says nothing for so long is gone: three times what a busy host may be late.
const LEASE_MS: u32 = 3_000;

/// First and last wait between two attempts to reach a peer that this node is to dial. The last one is also how long two
/// nodes may go without each other after a network between them has healed.
const EAGER_MS: (u32, u32) = (250, 2_000);

/// The same for a peer that is to dial this node.
const PATIENT_MS: (u32, u32) = (5_000, 60_000);

/// What is around a message: the envelope, the key and zenoh's own headers.
const OVERHEAD_BYTES_MAX: usize = 16 * 1024;
