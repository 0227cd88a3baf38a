//! What a replica reports about itself: status, counters and the changes in an output.

use super::*;

#[test]
fn malformed_and_unknown_messages_are_counted() {
    let mut cluster = Cluster::new(1);
    let newer = |bytes: Vec<u8>| {
        let (body, _) = bytes.split_last_chunk::<8>().unwrap();
        let body = [&[9], body.get(1..).unwrap()].concat();
        let checksum = xxhash_rust::xxh3::xxh3_64(&body).to_be_bytes();
        [body.as_slice(), &checksum].concat()
    };
    for round in 1..=2 {
        // A message that is none, one of an unknown kind, and one with a damaged and a newer register in it.
        cluster.handle(0, Input::Message { from: NodeId::new(2), bytes: vec![0; 9] });
        let mut unknown = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
        unknown[1] = 99;
        cluster.handle(0, Input::Message { from: NodeId::new(2), bytes: unknown });
        let mut writer = crate::codec::Writer::default();
        writer.raw(&Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::Repair(Vec::new()) }.encode());
        let mut damaged = register(1).encode();
        damaged[3] ^= 1;
        for bytes in [damaged, newer(register(2).encode())] {
            writer.field(crate::message::TAG_REGISTER, &bytes);
        }
        cluster.handle(0, Input::Message { from: NodeId::new(2), bytes: writer.into_bytes() });
        let counters = cluster.status(0).counters;
        assert_eq!((counters.malformed, counters.unknown), (2 * round, 2 * round));
    }
}

#[test]
fn the_status_shows_the_users_registers_and_the_debug_text_all() {
    let mut cluster = Cluster::loaded(vec![with(0..3)]);
    cluster.pass(3_000);
    let status = cluster.status(0);
    assert_eq!((status.registers, status.members.len()), (3, 1));
    let root = cluster.nodes[0].root();
    let text = format!("{:?}", cluster.nodes[0]);
    assert_eq!(text, format!("Replica {{ node: {:?}, registers: 4, root: {root}, .. }}", NodeId::new(1)));
}

#[test]
fn an_output_says_whether_the_membership_changed() {
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), Loaded::default(), Now::default()).0;
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let mut push = |registers: Vec<Register>| {
        let body = Body::Push { registers, awaited: Awaited::Everybody };
        let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
        replica.handle(Input::Message { from: NodeId::new(2), bytes }, now)
    };
    assert!(!push(vec![register(1)]).is_membership_changed);
    assert!(push(vec![register(2), member(2), register(3)]).is_membership_changed);
    assert!(!push(vec![register(4)]).is_membership_changed);
}

#[test]
fn the_estimate_of_a_registers_bytes_covers_its_encoding() {
    let long = |count: usize| "t".repeat(count);
    for (key, value, actor, reason, extra) in
        [(10, 0, 0, 0, 0), (10, 500, 0, 0, 0), (10, 0, 300, 0, 0), (10, 0, 0, 300, 0), (10, 200, 100, 50, 25)]
    {
        let register = Register {
            key: long(key).into_bytes().into(),
            value: Some(long(value).into_bytes().into()),
            actor: long(actor).into(),
            reason: long(reason).into(),
            extra: vec![0; extra].into(),
            ..register(1)
        };
        let (estimate, encoded) = (size_of(&register), register.encode().len());
        assert!((encoded..=encoded + OVERHEAD).contains(&estimate), "{estimate} for {encoded}");
    }
}

/// A receiver that holds the same registers counts as in sync only once those are on its disk: until then an entry in
/// its answer says that they are not.
#[test]
fn a_reply_says_that_registers_are_not_yet_on_the_disk() {
    let now = Now { wall_ms: START_MS, steady_ms: 5 };
    let mut replica = Replica::new(Options::new("tests", NodeId::new(1)), Loaded::default(), now).0;
    let body = Body::Push { registers: vec![register(1)], awaited: Awaited::Everybody };
    let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
    let pushed = replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
    let seq = pushed.persist.last().map(|batch| batch.seq).unwrap();
    let ask = |replica: &mut Replica| {
        let request = Summary { root: replica.root(), ..summary(START_MS, Stamp::ZERO) };
        let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body: Body::RootRequest(request) }.encode();
        let output = replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        let replies = output.send.iter().map(|(_, bytes)| Message::decode(bytes).unwrap().0.body);
        let mut said = replies.filter_map(|body| match body {
            Body::RootReply { is_same, is_durable, .. } => Some((is_same, is_durable)),
            _ => None,
        });
        said.next().unwrap()
    };
    assert_eq!(ask(&mut replica), (true, false));
    replica.handle(Input::Persisted { upto: seq - 1 }, now);
    assert_eq!(ask(&mut replica), (true, false));
    replica.handle(Input::Persisted { upto: seq }, now);
    assert_eq!(ask(&mut replica), (true, true));
    replica.handle(Input::PersistFailed { message: "full".to_owned() }, now);
    assert_eq!(ask(&mut replica), (true, false));
}

#[cfg(feature = "simulate")]
#[test]
fn a_merkle_tree_that_is_wrong_is_counted_each_time() {
    let options = Options { mutant: Some(Mutant::OverwriteForgetsHash), ..Options::new("tests", NodeId::new(1)) };
    let mut replica = Replica::new(options.clone(), Loaded::default(), Now::default()).0;
    let mut now = Now { wall_ms: START_MS, steady_ms: 5 };
    for round in 1..=2 {
        for millis in [1, 2] {
            let stamp = Stamp::new(0, START_MS + round * 10 + millis, 0, NodeId::new(2));
            let body = Body::Repair(vec![Register { stamp, ..register(1) }]);
            let bytes = Message { instance: 2, gc_floor: Stamp::ZERO, body }.encode();
            replica.handle(Input::Message { from: NodeId::new(2), bytes }, now);
        }
        now.steady_ms += options.timing.tree_check_ms;
        replica.handle(Input::Tick, now);
        assert_eq!(replica.status(now).counters.tree_mismatches, round);
    }
}
