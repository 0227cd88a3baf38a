//! The exact instant, count and condition at which the rules for acknowledgements and tombstones begin to apply.

use super::*;
use crate::limits::PENDING_MAX;

mod anti_entropy;
mod epochs;
mod peers;
mod tombstones;
mod writes;

pub(super) const AT: Now = Now { wall_ms: START_MS, steady_ms: 10_000 };

/// The first of some members, live and in sync, whose outputs the test performs itself.
pub(super) fn first_of(members: u64, with: impl Fn(Options) -> Options) -> Replica {
    let loaded = Loaded { registers: (1..=members).map(member).collect(), ..Loaded::default() };
    let options = with(Options::new("tests", NodeId::new(1)));
    let mut replica = Replica::new(options, loaded, AT).0;
    for node in 2..=members {
        replica.handle(Input::PeerUp { node: NodeId::new(node), instance: node }, AT);
    }
    replica
}

pub(super) fn write(replica: &mut Replica, request: u64, level: Level, now: Now) -> Output {
    let change = Change {
        key: format!("x{request}").into_bytes().into(),
        value: Some(b"on".as_slice().into()),
        actor: "dana".into(),
        reason: "".into(),
        expected: Expected::Anything,
    };
    replica.handle(Input::Write { request, changes: vec![change], level, timeout_ms: 60_000 }, now)
}

pub(super) fn hear(replica: &mut Replica, from: u64, body: Body, now: Now) -> Output {
    let bytes = Message { instance: from, gc_floor: Stamp::ZERO, body }.encode();
    replica.handle(Input::Message { from: NodeId::new(from), bytes }, now)
}

pub(super) fn bodies(output: &Output) -> Vec<(u64, Body)> {
    output.send.iter().map(|(to, bytes)| (to.get(), Message::decode(bytes).unwrap().0.body)).collect()
}

/// The members to which an output sends registers.
pub(super) fn pushed_to(output: &Output) -> Vec<u64> {
    bodies(output).into_iter().filter(|(_, body)| matches!(body, Body::Push { .. })).map(|(to, _)| to).collect()
}

pub(super) fn last_seq(output: &Output) -> u64 {
    output.persist.last().unwrap().seq
}
