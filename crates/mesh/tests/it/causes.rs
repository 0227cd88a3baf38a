//! Why there is no link, each cause by its word, and what the other end counts.

use std::net::TcpListener;
use std::path::Path;

use tidegate_mesh::{Options, Security};
use tidegate_replica::NodeId;

use crate::support::{Node, certificates, certify, certify_at, listen, meet, now, soon};

/// A node that looks for another at this address.
fn seeker(address: &str, id: u64, security: Security) -> Node {
    Node::open(Options {
        listen: Some(listen()),
        peers: vec![address.to_owned()],
        security,
        ..Options::new("shop", NodeId::new(id), id)
    })
    .unwrap()
}

/// A seeker that fails for one cause while the other end counts another.
fn check(at: &Node, id: u64, security: Security, cause: &str, refused: Option<&str>) {
    let address = at.address().to_string();
    let node = seeker(&address, id, security);
    node.fails(&address, cause);
    if let Some(refused) = refused {
        soon(&format!("{refused} is counted"), || at.refused(refused) > 0);
    }
    assert!(!node.sees(at) && !at.sees(&node));
}

fn secured(folder: &Path, node: u64) -> Security {
    certificates(folder, node)
}

#[test]
fn nothing_listens_and_nothing_answers() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = taken.local_addr().unwrap().to_string();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let node = Node::open(Options {
        peers: vec![free.clone(), mute.clone(), "no-such-host.invalid:7400".to_owned()],
        ..Options::new("shop", NodeId::new(1), 1)
    })
    .unwrap();
    node.fails(&free, "connection-refused");
    node.fails("no-such-host.invalid:7400", "name-not-resolved");
    node.fails(&mute, "timed-out");
    let status = node.mesh.status();
    let text = status.addresses.iter().map(|address| address.cause.as_ref().unwrap().to_string()).collect::<String>();
    assert!(text.contains("connection refused") && text.contains("name not resolved"), "{text}");
    assert!(status.addresses.iter().all(|address| address.failing_for.is_some() && address.is_configured));
}

#[test]
fn authorities_clusters_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    certify(&ours, &[1, 2]);
    certify_at(&ours, &[5], "node-5.example", now());
    certify(&theirs, &[3]);
    let a = Node::start(1, 10, &[], secured(&ours, 1));
    check(&a, 3, secured(&theirs, 3), "unknown-authority", Some("certificate-refused"));
    check(&a, 4, Security::Open, "certificates-required", Some("certificates-missing"));
    let open = Node::start(6, 60, &[], Security::Open);
    check(&open, 2, secured(&ours, 2), "certificates-missing", Some("certificates-required"));
    let other = Node::try_start("other", 7, 70, listen(), &[], Security::Open).unwrap();
    check(&other, 8, Security::Open, "other-cluster", Some("other-cluster"));
    // Its certificate is good and names another host than the one in the address.
    let elsewhere = Node::start(5, 50, &[], secured(&ours, 5));
    check(&elsewhere, 2, secured(&ours, 2), "wrong-name", None);
}

#[test]
fn certificates_that_are_not_valid_now() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    let year = 365 * 86_400;
    certify_at(&certs, &[1], "127.0.0.1", now() - year + 4);
    certify_at(&certs, &[2], "127.0.0.1", now());
    // It lasts for some seconds, and ends while the link stands.
    let a = Node::start(1, 10, &[], secured(&certs, 1));
    let b = Node::start(2, 20, &[&a], secured(&certs, 2));
    meet(&[&a, &b]);
    soon("the link ends with the certificate", || !a.sees(&b) && !b.sees(&a));
    b.fails(&a.address().to_string(), "expired");
    soon("the other end counts it", || a.refused("certificate-refused") > 0);
    let expires = a.mesh.status().certificate_expires.unwrap();
    assert!(now() >= expires);
}

#[test]
fn a_link_that_stands_has_no_cause_and_its_failure_ends_with_it() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let a = seeker(&place.to_string(), 1, Security::Open);
    a.fails(&place.to_string(), "connection-refused");
    let b = Node::try_start("shop", 2, 20, place, &[], Security::Open).unwrap();
    meet(&[&a, &b]);
    soon("the cause is gone", || a.cause(&place.to_string()).is_none());
    let status = a.mesh.status();
    assert!(status.addresses[0].is_connected && status.addresses[0].node == Some(b.id), "{status:?}");
    drop(b);
    a.fails(&place.to_string(), "connection-refused");
}
