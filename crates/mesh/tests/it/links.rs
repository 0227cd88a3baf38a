//! Who hears whom.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use tidegate_mesh::{MeshError, Options, QUEUE_BYTES_MAX, Security};
use tidegate_replica::NodeId;
use tidegate_replica::limits::MESSAGE_BYTES_MAX;

use crate::support::{Node, certificates, certify, listen, meet, soon};

#[test]
fn open_nodes_connect_and_send_to_one_and_to_all() {
    let a = Node::start(1, 10, &[], Security::Open);
    let b = Node::start(2, 20, &[&a], Security::Open);
    let c = Node::start(3, 30, &[&a, &b], Security::Open);
    meet(&[&a, &b, &c]);
    a.mesh.send(b.id, b"to b");
    a.mesh.broadcast(b"to all");
    for node in [&b, &c] {
        soon("a word to all", || node.has_heard(&a, "to all"));
    }
    soon("a word to b", || b.has_heard(&a, "to b"));
    assert!(!c.has_heard(&a, "to b") && a.heard_nothing());
}

#[test]
fn nodes_with_certificates_connect_send_and_disconnect() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2, 3]);
    let secured = |node| certificates(&certs, node);
    let a = Node::start(1, 10, &[], secured(1));
    let b = Node::start(2, 20, &[&a], secured(2));
    let c = Node::start(3, 30, &[&a, &b], secured(3));
    meet(&[&a, &b, &c]);
    for (one, other) in [(&a, &b), (&b, &a), (&a, &c), (&c, &a), (&b, &c), (&c, &b)] {
        one.tells(other, "good morning");
    }
    b.mesh.broadcast(b"to all");
    for node in [&a, &c] {
        soon("a word to all", || node.has_heard(&b, "to all"));
    }
    assert!(a.mesh.status().certificate_expires.is_some());
    let address = c.address();
    drop(c);
    for node in [&a, &b] {
        soon("the end of c", || !node.heard_of(3));
    }
    // The same node in another process: a node that is given its address reaches it again.
    let c = Node::try_start("shop", 3, 31, address, &[&a, &b], secured(3)).unwrap();
    meet(&[&a, &b, &c]);
    a.tells(&c, "good evening");
    c.tells(&a, "good evening");
}

#[test]
fn strangers_stay_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    certify(&ours, &[1, 2]);
    certify(&theirs, &[3]);
    let a = Node::start(1, 10, &[], certificates(&ours, 1));
    let strangers = [
        Node::start(3, 30, &[&a], certificates(&theirs, 3)),
        Node::start(4, 40, &[&a], Security::Open),
        Node::try_start("other", 5, 50, listen(), &[&a], Security::Open).unwrap(),
    ];
    let b = Node::start(2, 20, &[&a], certificates(&ours, 2));
    meet(&[&a, &b]);
    for stranger in &strangers {
        stranger.mesh.broadcast(b"let me in");
        stranger.mesh.send(a.id, b"let me in");
    }
    b.tells(&a, "a friend");
    for stranger in &strangers {
        assert!(!a.sees(stranger) && !stranger.sees(&a), "{stranger:?}");
        assert!(!a.has_heard(stranger, "let me in") && stranger.heard_nothing());
    }
}

#[test]
fn clusters_share_addresses_and_nothing_else() {
    let a = Node::start(1, 10, &[], Security::Open);
    let other = Node::try_start("other", 2, 20, listen(), &[&a], Security::Open).unwrap();
    let b = Node::start(3, 30, &[&a, &other], Security::Open);
    meet(&[&a, &b]);
    other.mesh.broadcast(b"hello");
    a.tells(&b, "hello");
    assert!(!a.sees(&other) && !other.sees(&a) && !b.has_heard(&other, "hello") && other.heard_nothing());
}

#[test]
fn a_clone_is_seen_and_heard() {
    let a = Node::start(1, 10, &[], Security::Open);
    let clone = Node::start(1, 11, &[&a], Security::Open);
    soon("the clone", || a.sees(&clone) && clone.sees(&a));
    clone.mesh.broadcast(b"I am you");
    soon("its word", || a.has_heard(&clone, "I am you"));
}

#[test]
fn both_processes_of_a_node_with_certificates_hear_what_is_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2]);
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let b = Node::start(2, 20, &[&a], certificates(&certs, 2));
    let clone = Node::start(2, 21, &[&a, &b], certificates(&certs, 2));
    soon("both", || a.sees(&b) && a.sees(&clone) && b.sees(&a) && clone.sees(&a) && clone.sees(&b));
    for count in 0..3 {
        a.tells(&b, &format!("to one, {count}"));
        a.tells(&clone, &format!("to the other, {count}"));
    }
}

/// Three nodes, each of which knows where the others will be before any of them is there.
fn three_at_once(certs: &Path, instance: u64) -> Vec<Node> {
    loop {
        let listeners: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        drop(listeners);
        let open = |index: usize| {
            let id = index as u64 + 1;
            Node::open(Options {
                listen: Some(addresses[index]),
                peers: addresses.iter().map(ToString::to_string).collect(),
                security: certificates(certs, id),
                ..Options::new("shop", NodeId::new(id), instance)
            })
        };
        let nodes: Result<Vec<Node>, MeshError> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|index| scope.spawn(move || open(index))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        match nodes {
            Ok(nodes) => return nodes,
            // Somebody else has taken one of the ports meanwhile.
            Err(MeshError::Listen { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn nodes_that_connect_to_each_other_at_once_have_one_link() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2, 3]);
    for round in 0..10 {
        let nodes = three_at_once(&certs, round);
        meet(&nodes.iter().collect::<Vec<_>>());
        let ends = |node: &Node| node.mesh.status().links.iter().map(|link| link.is_outbound).collect::<Vec<_>>();
        soon(&format!("one link each in round {round}"), || {
            let dialled: usize = nodes.iter().flat_map(ends).map(usize::from).sum();
            nodes.iter().all(|node| ends(node).len() == 2) && dialled == 3
        });
        for one in &nodes {
            for other in nodes.iter().filter(|other| other.id != one.id) {
                one.tells(other, &format!("round {round} from {}", one.id));
            }
        }
    }
}

#[test]
fn an_address_in_use_is_an_error_at_open() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Node::try_start("shop", 1, 10, address, &[], Security::Open);
    assert!(matches!(refused, Err(MeshError::Listen { address: named, .. }) if named == address), "{refused:?}");
}

#[test]
fn a_sender_never_waits_and_messages_beyond_the_queue_are_dropped() {
    let a = Node::start(1, 10, &[], Security::Open);
    let b = Node::start(2, 20, &[&a], Security::Open);
    meet(&[&a, &b]);
    a.mesh.send(b.id, &vec![0; MESSAGE_BYTES_MAX + 1]);
    assert_eq!(a.mesh.status().dropped, 1, "no node takes it");
    let large = vec![0; MESSAGE_BYTES_MAX];
    for _ in 0..=2 * QUEUE_BYTES_MAX / MESSAGE_BYTES_MAX {
        a.mesh.send(b.id, &large);
    }
    a.tells(&b, "after all that");
}
