//! The wire format, spoken by hand: a newer version is understood, and whatever else comes ends one link and no other.

use std::time::Duration;

use tidegate_mesh::Security;

use crate::raw::{Raw, hello};
use crate::support::{Node, soon};

/// What version 2 might say: a later newest version, a field and a kind of frame that version 1 does not know.
#[test]
fn what_a_newer_version_adds_is_skipped() {
    let a = Node::start(1, 10, &[], Security::Open);
    let mut newer = Raw::connect(a.address());
    newer.frame(&hello(&[(1, &[0, 2]), (2, &[0, 1]), (200, b"what is to come")], "shop", 2, 20));
    assert_eq!(newer.read()[0], 1, "a hello");
    newer.frame(b"\x09of a later kind");
    newer.frame(&[3, 0, 0, 0, 0, 0, 0, 0, 7, 99, 99]);
    assert_eq!(newer.read_kind(4), [4, 0, 0, 0, 0, 0, 0, 0, 7], "the pong to a longer ping");
    newer.frame(b"\x02a message");
    soon("the message", || a.count() == 1);
    a.mesh.broadcast(b"an answer");
    assert_eq!(newer.read_kind(2), b"\x02an answer");
}

#[test]
fn a_version_that_cannot_be_spoken_is_refused_with_the_reason() {
    let a = Node::start(1, 10, &[], Security::Open);
    for versions in [[(1, &[0, 9]), (2, &[0, 2])], [(1, &[0, 0]), (2, &[0, 0])]] {
        let mut other = Raw::connect(a.address());
        other.frame(&hello(&[(versions[0].0, versions[0].1), (versions[1].0, versions[1].1)], "shop", 2, 20));
        assert_eq!(other.read()[0], 1, "a hello");
        assert_eq!(other.read(), [5, 5], "goodbye: incompatible version");
        other.is_closed_after();
    }
    soon("both are counted", || a.refused("incompatible-version") == 2);
}

#[test]
fn bytes_outside_the_protocol_end_only_their_connection() {
    let a = Node::start(1, 10, &[], Security::Open);
    let b = Node::start(2, 20, &[&a], Security::Open);
    let too_long = u32::MAX.to_be_bytes();
    let beginnings: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01",
        &[0, 0, 0, 0],
        &too_long,
        b"\x00\x00\x00\x05\x01TIDE",
        b"\x00\x00\x00\x01\x07",
    ];
    for beginning in beginnings {
        let mut raw = Raw::connect(a.address());
        raw.write(beginning);
        raw.is_closed_after();
    }
    soon("all of them are counted", || a.refused("protocol") + a.refused("certificates-required") == 6);
    for (instance, frame) in [(30, &[][..]), (31, &[3, 1][..]), (32, &[5][..])] {
        let mut raw = Raw::join(a.address(), 3, instance);
        raw.frame(frame);
        raw.is_closed_after();
    }
    // A frame that is longer than any message ends the link before it is read.
    let mut raw = Raw::join(a.address(), 3, 33);
    raw.write(&[0, 0x20, 0, 0, 2]);
    raw.is_closed_after();
    a.tells(&b, "still here?");
    b.tells(&a, "yes");
    soon("it is gone", || !a.heard_of(3));
}

#[test]
fn a_silent_peer_is_lost_after_three_pings() {
    let a = Node::start(1, 10, &[], Security::Open);
    let mut silent = Raw::join(a.address(), 2, 20);
    soon("it is there", || a.heard_of(2));
    let pings = [silent.read_kind(3), silent.read_kind(3)];
    assert!(pings.iter().all(|ping| ping.len() == 9));
    silent.is_closed_after();
    soon("it is gone", || !a.heard_of(2));
}

#[test]
fn a_process_that_dies_is_noticed_at_once() {
    let a = Node::start(1, 10, &[], Security::Open);
    let raw = Raw::join(a.address(), 2, 20);
    soon("it is there", || a.heard_of(2));
    drop(raw);
    let began = std::time::Instant::now();
    soon("it is gone", || !a.heard_of(2));
    // Long before a ping is due.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_peer_that_reads_nothing_loses_messages_and_no_other_does() {
    let a = Node::start(1, 10, &[], Security::Open);
    let b = Node::start(2, 20, &[&a], Security::Open);
    let slow = Raw::join(a.address(), 3, 30);
    soon("both are there", || a.sees(&b) && a.heard_of(3));
    let large = vec![7; 256 * 1024];
    let mut sent = 0;
    // Far more than a socket takes and a queue holds.
    while a.mesh.status().dropped == 0 {
        a.mesh.broadcast(&large);
        sent += 1;
        soon("the other one has it", || b.count() == sent);
    }
    let status = a.mesh.status();
    let link = |node: u64| status.links.iter().find(|link| link.node.get() == node).unwrap();
    assert!(link(3).dropped > 0 && link(3).queued_bytes <= tidegate_mesh::QUEUE_BYTES_MAX, "{status:?}");
    assert_eq!(link(2).dropped, 0, "{status:?}");
    drop(slow);
}
