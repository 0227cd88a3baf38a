//! A second process of a node: refused while it starts, if the first one is running.

use tidegate_mesh::{Options, Security, Startup};
use tidegate_replica::NodeId;

use crate::raw::{Raw, hello};
use crate::support::{Node, certificates, certify, soon};

/// A process of a node that is starting, and knows these others.
fn starting(id: u64, instance: u64, peers: &[&Node], security: Security) -> (Node, Startup) {
    let startup = Startup::new();
    let node = Node::open(Options {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        peers: peers.iter().map(|node| node.address().to_string()).collect(),
        security,
        startup: startup.clone(),
        ..Options::new("shop", NodeId::new(id), instance)
    });
    (node.unwrap(), startup)
}

/// A process by hand that has been running for so long, with the old hello if there is no age. It answers no ping.
fn running(to: &Node, id: u64, instance: u64, age_ms: Option<u64>) -> Raw {
    let age = age_ms.map(u64::to_be_bytes);
    let mut fields: Vec<(u8, &[u8])> = vec![(1, &[0, 1]), (2, &[0, 1])];
    fields.extend(age.iter().map(|age| (7, &age[..])));
    let mut raw = Raw::connect(to.address());
    raw.frame(&hello(&fields, "shop", id, instance));
    assert_eq!(raw.read()[0], 1, "a hello");
    raw
}

#[test]
fn a_starting_process_is_refused_by_the_older_one_itself() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[2]);
    let first = starting(2, 21, &[], certificates(&certs, 2)).0;
    let (second, _startup) = starting(2, 22, &[&first], certificates(&certs, 2));
    soon("the second is refused", || second.running_elsewhere() == Some(first.address().to_string()));
    soon("the first counts it", || first.refused("second-process") > 0);
    assert_eq!(first.running_elsewhere(), None);
    assert!(!first.sees(&second) && !second.sees(&first));
}

#[test]
fn a_starting_process_is_refused_by_a_node_that_has_a_link_to_the_older_one() {
    let a = Node::start(1, 10, &[], Security::Open);
    let first = Node::start(2, 20, &[&a], Security::Open);
    soon("the first is connected", || a.sees(&first));
    let (second, _startup) = starting(2, 21, &[&a], Security::Open);
    soon("the second is refused", || second.running_elsewhere() == Some(first.address().to_string()));
    soon("the other node counts it", || a.refused("second-process") > 0);
    assert!(!a.sees(&second) && a.sees(&first), "the first one keeps its link");
    assert!(first.running_elsewhere().is_none());
    first.tells(&a, "good morning");
}

#[test]
fn a_process_is_not_refused_for_one_that_does_not_answer() {
    let a = Node::start(1, 10, &[], Security::Open);
    // Its host has vanished, and its link has not timed out.
    let _dead = running(&a, 2, 20, Some(60_000));
    soon("the dead one is connected", || a.heard_of(2));
    let (second, _startup) = starting(2, 21, &[&a], Security::Open);
    soon("the second is accepted", || a.sees(&second));
    assert_eq!(second.running_elsewhere(), None);
}

#[test]
fn a_process_that_has_started_and_one_whose_age_is_unknown_are_accepted() {
    let a = Node::start(1, 10, &[], Security::Open);
    let first = Node::start(2, 30, &[&a], Security::Open);
    soon("the first is connected", || a.sees(&first));
    let started = Node::start(2, 31, &[&a], Security::Open);
    soon("one that has started is accepted", || a.sees(&started));
    let _old = running(&a, 2, 32, None);
    soon("so is one of an old version", || a.heard.is_alive(2, 32));
    assert_eq!(started.running_elsewhere(), None);
}
