//! Which links there are, and which of two ends.

use std::net::SocketAddr;

use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::link::Peer;
use crate::wire::message;

/// The events that the receiver was given.
#[derive(Debug, Default)]
struct Events(Mutex<Vec<(u64, u64, bool)>>);

impl Receiver for Events {
    fn message(&self, _: NodeId, _: Vec<u8>) {}

    fn peer(&self, node: NodeId, instance: u64, event: PeerEvent) {
        self.0.lock().unwrap().push((node.get(), instance, matches!(event, PeerEvent::Connected { .. })));
    }
}

fn registry(node: u64, instance: u64) -> (Registry, Arc<Events>) {
    let events = Arc::<Events>::default();
    (Registry::new((NodeId::new(node), instance), events.clone()), events)
}

fn link(node: u64, instance: u64) -> (Arc<Link>, DuplexStream) {
    let (here, there) = duplex(64);
    let peer = Peer {
        process: (NodeId::new(node), instance),
        remote: SocketAddr::from(([127, 0, 0, 1], 1)),
        is_outbound: false,
        address: Some(format!("node-{node}.example:7400")),
        age: None,
        is_starting: false,
        expires: u64::MAX,
        certificate: Vec::new(),
    };
    (Arc::new(Link::new(Box::new(here), peer)), there)
}

fn ends(link: &Link) -> Option<End> {
    link.watch_end().borrow().clone()
}

#[test]
fn of_two_links_one_node_ends_the_older_and_the_other_none() {
    // The same two links in both orders, seen by both nodes.
    for (own, other, decides) in [((1, 10), (2, 20), true), ((2, 20), (1, 10), false)] {
        let (registry, events) = registry(own.0, own.1);
        let ((older, _a), (newer, _b)) = (link(other.0, other.1), link(other.0, other.1));
        registry.add(&older).unwrap();
        registry.add(&newer).unwrap();
        assert_eq!(ends(&older), decides.then_some(End::Goodbye(Reason::Duplicate)));
        assert_eq!(ends(&newer), None);
        assert_eq!(registry.newest().len(), 1);
        assert!(Arc::ptr_eq(&registry.newest()[0], &newer));
        assert_eq!(*events.0.lock().unwrap(), [(other.0, other.1, true)], "reported once");
        registry.remove(&older);
        registry.remove(&older);
        assert!(registry.is_linked(NodeId::new(other.0)));
        registry.remove(&newer);
        assert_eq!(*events.0.lock().unwrap(), [(other.0, other.1, true), (other.0, other.1, false)]);
        assert!(!registry.is_linked(NodeId::new(other.0)));
    }
}

#[test]
fn the_node_that_does_not_decide_keeps_at_most_four_links() {
    let (registry, _) = registry(2, 20);
    let links: Vec<_> = (0..7).map(|_| link(1, 10)).collect();
    for (link, _) in &links {
        registry.add(link).unwrap();
    }
    let ended = links.iter().filter(|(link, _)| ends(link).is_some()).count();
    assert_eq!(ended, 7 - LINKS_MAX);
    assert!(links[7 - LINKS_MAX..].iter().all(|(link, _)| ends(link).is_none()), "the newest stay");
}

#[test]
fn what_a_link_has_not_sent_goes_to_the_next_one() {
    let (registry, _) = registry(2, 20);
    let ((older, _a), (newer, _b)) = (link(1, 10), link(1, 10));
    registry.add(&older).unwrap();
    let large = message(&[7; 10_000]);
    (0..5).for_each(|_| registry.send(NodeId::new(1), &large));
    let waiting = older.counts().0;
    assert!(waiting > 0, "its socket is full");
    registry.add(&newer).unwrap();
    registry.remove(&older);
    assert_eq!(older.counts().0, 0);
    // The first of them is on its way through the other socket.
    assert!(newer.counts().0 + 2 * large.len() >= waiting, "{} of {waiting}", newer.counts().0);
    registry.remove(&newer);
    assert!(newer.counts().0 > 0, "what waits may still be written while it ends");
    registry.count_dropped(&newer);
    assert!(registry.dropped() > 0);
}

#[test]
fn a_message_goes_to_every_process_of_a_node_and_to_no_other() {
    let (registry, _) = registry(1, 10);
    let all = [link(2, 20), link(2, 21), link(3, 30), link(1, 11)];
    for (link, _) in &all {
        registry.add(link).unwrap();
    }
    let sent = |link: &Arc<Link>| link.last_sent();
    let before: Vec<_> = all.iter().map(|(link, _)| sent(link)).collect();
    let reached = |before: &[std::time::Instant]| {
        all.iter().zip(before).map(|((link, _), before)| sent(link) > *before).collect::<Vec<_>>()
    };
    registry.send(NodeId::new(2), &message(b"x"));
    assert_eq!(reached(&before), [true, true, false, false]);
    // To its own id: to another process that has it.
    registry.send(NodeId::new(1), &message(b"x"));
    assert_eq!(reached(&before), [true, true, false, true]);
    let before: Vec<_> = all.iter().map(|(link, _)| sent(link)).collect();
    registry.broadcast(&message(b"x"));
    assert_eq!(reached(&before), [true; 4]);
    assert_eq!(registry.dropped(), 0);
    registry.send(NodeId::new(9), &message(b"x"));
    assert_eq!(registry.dropped(), 1, "there is no link to it");
}

#[test]
fn this_process_itself_and_too_many_are_refused() {
    let (registry, events) = registry(1, 10);
    let (own, _end) = link(1, 10);
    assert_eq!(registry.add(&own), Err(Reason::Own));
    let links: Vec<_> = (0..=NODES_MAX as u64).map(|instance| link(2, instance)).collect();
    let outcomes: Vec<_> = links.iter().map(|(link, _)| registry.add(link)).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), NODES_MAX);
    assert_eq!(outcomes[NODES_MAX], Err(Reason::TooMany));
    assert_eq!(events.0.lock().unwrap().len(), NODES_MAX);
    // Another link to a process that is there is not another process.
    let (again, _end) = link(2, 0);
    assert_eq!(registry.add(&again), Ok(()));
}

#[test]
fn a_node_is_found_by_the_address_that_it_names() {
    let (registry, _) = registry(1, 10);
    let (other, _end) = link(2, 20);
    registry.add(&other).unwrap();
    assert_eq!(registry.node_at("node-2.example:7400"), Some(NodeId::new(2)));
    assert_eq!(registry.node_at("node-3.example:7400"), None);
}
