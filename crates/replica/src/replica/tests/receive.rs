//! Registers and bytes from other nodes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn history_records_the_loser_of_concurrent_writes() {
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), Loaded::default(), Now::default()).0;
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let of = |node: u64, millis: u64| Register {
        stamp: Stamp::new(0, START_MS + millis, 0, NodeId::new(node)),
        key: b"x".as_slice().into(),
        ..register(0)
    };
    let mut push = |register: Register| {
        let bytes = Message {
            instance: 2,
            gc_floor: Stamp::ZERO,
            body: Body::Push { registers: vec![register], awaited: Awaited::Everybody },
        }
        .encode();
        let output = replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        output.persist.into_iter().flat_map(|batch| batch.history).collect::<Vec<_>>()
    };
    push(of(2, 1));
    let events = push(of(3, 2));
    assert_eq!(events.first().map(|event| event.lost_to), Some(Some(of(3, 2).stamp)));
    let late = push(of(4, 0));
    assert_eq!(late.first().map(|event| event.lost_to), Some(Some(of(3, 2).stamp)));
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in vec(any::<u8>(), 0..300), kind in 0..14_u8) {
        let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), with(0..3), Now::default()).0;
        let now = Now { wall_ms: START_MS, steady_ms: 5 };
        let framed = [[1, kind].as_slice(), &[1, 8, 0, 0, 0, 0, 0, 0, 0, 7], &bytes].concat();
        for bytes in [bytes, framed] {
            replica.handle(Input::Message { from: NodeId::new(2), bytes: bytes.clone() }, now);
            let _ = Register::decode(&bytes);
        }
    }
}
