//! A driver without its thread, so that a week passes in a moment.

use tidegate_replica::Register;

use super::*;
use crate::instance::Instance;
use crate::live::carrier::Alone;
use crate::live::cluster::members_called;
use crate::store::MemoryStore;
use crate::warnings::Warnings;

/// What a node has on its disk when it has joined.
fn joined(node: u64, name: &str) -> Vec<Register> {
    let options = Options { name: name.to_owned(), ..Options::new("tests", NodeId::new(node)) };
    let (mut replica, first) = Replica::new(options, Loaded::default(), START);
    let next = replica.handle(Input::Tick, START);
    let batches = first.persist.into_iter().chain(next.persist);
    batches.flat_map(|batch| batch.registers).collect()
}

/// A driver of node 1 that knows of another member.
fn driver(other: Vec<Register>) -> Driver {
    let clock = Clock::manual(Micros::new(i64::try_from(START.wall_ms * 1_000).unwrap()));
    Driver::new(Parts {
        options: Options::new("tests", NodeId::new(1)),
        loaded: Loaded { registers: other, ..Loaded::default() },
        registry: Registry::new(Instance::new(clock, None)),
        carrier: Box::new(Alone),
        committer: Committer::start(Box::new(MemoryStore::new()), |_| {}).unwrap(),
        redis: None,
        synced: Arc::default(),
        disk: Arc::default(),
        grown: tokio::sync::watch::channel(0).0,
        unwritable: None,
    })
}

#[test]
fn a_member_that_is_silent_for_a_week_is_logged_once_with_the_remedy() {
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let mut driver = driver(joined(2, "b"));
        let after = |days: u64| Now { wall_ms: START.wall_ms + days * DAY_MS, steady_ms: days * DAY_MS + MINUTE_MS };
        driver.watch_members(after(6));
        assert_eq!(warnings.take(), Vec::<String>::new());
        driver.watch_members(after(7));
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        for part in ["`b` (0000000000000002)", "bring it back", "`tidegate cluster forget 0000000000000002`"] {
            assert!(told[0].contains(part), "{part}: {told:?}");
        }
        driver.watch_members(after(8));
        assert_eq!(warnings.take(), Vec::<String>::new(), "it was told");
        let up = Input::PeerUp { node: NodeId::new(2), instance: 2 };
        driver.replica.handle(up, after(8));
        driver.watch_members(after(9));
        assert_eq!(warnings.take(), Vec::<String>::new(), "it was heard");
        driver.watch_members(after(15));
        assert_eq!(warnings.take().len(), 1, "it is silent again");
    });
}

#[test]
fn a_member_is_known_by_name_as_soon_as_it_is_one() {
    let mut driver = driver(Vec::new());
    let other = NodeId::new(2);
    driver.handle(Input::PeerUp { node: other, instance: 2 });
    assert_eq!(members_called("b", &driver.replica), []);
    let options = Options { name: "b".to_owned(), ..Options::new("tests", other) };
    let (mut replica, first) = Replica::new(options, Loaded::default(), START);
    let mut outputs = vec![first, replica.handle(Input::Tick, START)];
    let upto = outputs.iter().flat_map(|output| &output.persist).last().unwrap().seq;
    outputs.push(replica.handle(Input::Persisted { upto }, START));
    for bytes in outputs.into_iter().flat_map(|output| output.broadcast) {
        driver.handle(Input::Message { from: other, bytes });
    }
    let found = NodeName { node: other, name: "b".to_owned() };
    for text in ["b", "0000000000000002"] {
        assert_eq!(members_called(text, &driver.replica), std::slice::from_ref(&found), "{text}");
    }
}

const START: Now = Now { wall_ms: 1_700_000_000_000, steady_ms: 0 };
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
