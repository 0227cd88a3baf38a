//! Where nodes are, and how they learn it from each other.

use std::net::SocketAddr;

use tidegate_mesh::{MeshError, Options, Security};
use tidegate_replica::NodeId;

use crate::support::{Node, certificates, certify, certify_at, listen, meet, now, soon};

#[test]
fn a_node_connects_to_a_member_where_the_membership_says() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2]);
    // Its certificate does not name the address at which it is found: it is the node that counts.
    certify_at(&certs, &[3], "node-3.example", now());
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let c = Node::start(3, 30, &[], certificates(&certs, 3));
    let at = |node: &Node| node.mesh.advertised().unwrap().to_owned();
    a.mesh.learn(vec![(a.id, at(&a)), (c.id, at(&c))]);
    meet(&[&a, &c]);
    a.tells(&c, "found you");
    let status = a.mesh.status();
    assert_eq!(status.addresses.len(), 1, "the own address is left out: {status:?}");
    assert!(!status.addresses[0].is_configured && status.addresses[0].is_connected);
    // An address that is removed is no longer connected to.
    a.mesh.learn(Vec::new());
    soon("it is forgotten", || a.mesh.status().addresses.is_empty());
}

#[test]
fn a_configured_address_that_a_member_claims_leads_to_it_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1]);
    certify_at(&certs, &[3], "node-3.example", now());
    let c = Node::start(3, 30, &[], certificates(&certs, 3));
    let a = Node::start(1, 10, &[&c], certificates(&certs, 1));
    let at = c.address().to_string();
    a.fails(&at, "wrong-name");
    a.mesh.learn(vec![(NodeId::new(2), at.clone())]);
    a.fails(&at, "wrong-node");
    a.mesh.learn(vec![(c.id, at)]);
    meet(&[&a, &c]);
}

#[test]
fn only_the_member_is_accepted_at_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2]);
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let b = Node::start(2, 20, &[], certificates(&certs, 2));
    let at = b.address().to_string();
    a.mesh.learn(vec![(NodeId::new(3), at.clone())]);
    a.fails(&at, "wrong-node");
    assert!(!a.sees(&b));
    a.mesh.learn(vec![(b.id, at)]);
    meet(&[&a, &b]);
}

#[test]
fn ipv6_works_with_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify_at(&certs, &[1, 2], "::1", now());
    let start = |id: u64, peers: Vec<String>| {
        Node::open(Options {
            listen: Some("[::1]:0".parse().unwrap()),
            peers,
            security: certificates(&certs, id),
            ..Options::new("shop", NodeId::new(id), id)
        })
        .unwrap()
    };
    let a = start(1, Vec::new());
    let b = start(2, vec![a.address().to_string()]);
    meet(&[&a, &b]);
    b.tells(&a, "hello");
}

#[test]
fn a_name_stands_for_all_its_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify_at(&certs, &[1, 2], "localhost", now());
    // `localhost` may be an IPv6 address first: the node listens on the other kind.
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let b = Node::open(Options {
        peers: vec![format!("localhost:{}", a.address().port())],
        security: certificates(&certs, 2),
        ..Options::new("shop", NodeId::new(2), 20)
    })
    .unwrap();
    meet(&[&a, &b]);
}

#[test]
fn the_advertised_address_is_the_configured_or_a_reachable_one() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify_at(&certs, &[1], "node-1.example", now());
    let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let open = |listen, advertise: Option<&str>, peers: &[&str], security| {
        Node::open(Options {
            listen,
            advertise: advertise.map(str::to_owned),
            peers: peers.iter().map(ToString::to_string).collect(),
            security,
            ..Options::new("shop", NodeId::new(1), 1)
        })
    };
    let check = |node: Node, host: &str| {
        let port = node.address().port();
        assert_eq!(node.mesh.advertised(), Some(format!("{host}:{port}").as_str()));
    };
    check(open(Some(listen()), None, &[], Security::Open).unwrap(), "127.0.0.1");
    check(open(Some(any), None, &[], certificates(&certs, 1)).unwrap(), "node-1.example");
    check(open(Some(any), None, &["127.0.0.1:9"], Security::Open).unwrap(), "127.0.0.1");
    let said = open(Some(any), Some("gate.example:7400"), &[], Security::Open).unwrap();
    assert_eq!(said.mesh.advertised(), Some("gate.example:7400"));
    assert_eq!(open(None, None, &[], Security::Open).unwrap().mesh.advertised(), None);
    assert!(matches!(
        open(None, Some("gate.example:7400"), &[], Security::Open),
        Err(MeshError::AdvertiseWithoutListen { .. })
    ));
    let port_zero = open(Some(any), Some("gate.example:0"), &[], Security::Open);
    assert!(matches!(port_zero, Err(MeshError::Advertise { .. })));
    let url = open(Some(any), None, &["tls/gate.example:7400"], Security::Open);
    assert!(matches!(url, Err(MeshError::Peer { .. })));
}

#[test]
fn a_node_does_not_connect_to_its_own_address() {
    let a = Node::start(1, 10, &[], Security::Open);
    let b = Node::try_start("shop", 2, 20, listen(), &[&a], Security::Open).unwrap();
    meet(&[&a, &b]);
    // A name: only its resolution shows that it is this node.
    let port = b.address().port();
    let name = format!("localhost:{port}");
    drop(b);
    let again = Node::open(Options {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], port))),
        peers: vec![name.clone(), format!("127.0.0.1:{port}"), a.address().to_string()],
        ..Options::new("shop", NodeId::new(2), 21)
    })
    .unwrap();
    meet(&[&a, &again]);
    assert_eq!(again.mesh.status().addresses.len(), 1, "{:?}", again.mesh.status().addresses);
}
