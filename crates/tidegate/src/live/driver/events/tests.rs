//! Each event is told once, with names, and texts of others are escaped.

use std::net::SocketAddr;

use tidegate_replica::{Change, Expected, Input, Level, Loaded, Options};

use super::*;
use crate::live::carrier::Alone;
use crate::warnings::Warnings;

/// A node, and what it was told of others.
struct Bench {
    replica: Replica,
    events: Events,
    names: Names,
    told: Warnings,
}

impl Bench {
    fn new() -> Self {
        let (replica, _) = Replica::new(options(1), Loaded::default(), at(0));
        let mut events = Events::new(NodeId::new(1));
        events.begin(&Names::default());
        let mut bench = Self { replica, events, names: Names::default(), told: Warnings::and_all_else() };
        bench.handle(Input::Tick, 0);
        bench
    }

    /// Gives the replica what comes, and learns the names.
    fn handle(&mut self, input: Input, ms: u64) {
        self.replica.handle(input, at(ms));
        self.names = Arc::new(self.replica.members().map(|member| (member.node, member.name.clone())).collect());
    }

    fn peer(&mut self, node: u64, instance: u64, event: PeerEvent, ms: u64) -> Vec<String> {
        let node = NodeId::new(node);
        let input = match event {
            PeerEvent::Connected { .. } => Input::PeerUp { node, instance },
            PeerEvent::Lost { .. } => Input::PeerDown { node, instance },
        };
        self.handle(input, ms);
        tracing::subscriber::with_default(self.told.clone(), || {
            self.events.peer(node, instance, event, &self.names, at(ms));
        });
        self.told.take()
    }

    fn watch(&mut self, ms: u64) -> Vec<String> {
        tracing::subscriber::with_default(self.told.clone(), || {
            self.events.watch(&self.replica, &self.names, &Alone, at(ms));
        });
        self.told.take()
    }

    /// Asks another node what it holds, and hears its answer.
    fn compare(&mut self, node: u64, its_ms: u64, ms: u64) {
        let node = NodeId::new(node);
        let (mut other, _) = Replica::new(options(node.get()), Loaded::default(), at(its_ms));
        let asked = self.replica.handle(Input::PeerUp { node, instance: 20 }, at(ms));
        for (_, bytes) in asked.send.into_iter().filter(|(to, _)| *to == node) {
            let answered = other.handle(Input::Message { from: NodeId::new(1), bytes }, at(its_ms));
            for (_, bytes) in answered.send {
                self.handle(Input::Message { from: node, bytes }, ms);
            }
        }
    }

    /// Another node joins, and makes a change at its own time; its messages come here.
    fn hear_of(&mut self, node: u64, its_ms: u64, ms: u64) {
        let (mut other, first) = Replica::new(options(node), Loaded::default(), at(its_ms));
        let change = Change {
            key: ChangeKind::Activation.key(&FlagKey::parse("x")),
            value: Some(Arc::from(&br#"{"percentage":"5"}"#[..])),
            actor: "eve".into(),
            reason: "".into(),
            expected: Expected::Anything,
        };
        let write = Input::Write { request: 1, changes: vec![change], level: Level::Local, timeout_ms: 0 };
        let mut outputs = vec![first, other.handle(Input::Tick, at(its_ms)), other.handle(write, at(its_ms))];
        for later in [2_500, 5_000] {
            outputs.push(other.handle(Input::Tick, at(its_ms + later)));
            let upto = outputs.iter().flat_map(|output| &output.persist).last().unwrap().seq;
            outputs.push(other.handle(Input::Persisted { upto }, at(its_ms + later)));
        }
        for bytes in outputs.into_iter().flat_map(|output| output.broadcast) {
            self.handle(Input::Message { from: NodeId::new(node), bytes }, ms);
        }
    }
}

fn options(node: u64) -> Options {
    let name = ["", "a", "b\u{1b}", "c"][usize::try_from(node).unwrap()].to_owned();
    Options { name, expects_peers: false, ..Options::new("tests", NodeId::new(node)) }
}

fn at(ms: u64) -> Now {
    Now { wall_ms: 1_700_000_000_000 + ms, steady_ms: ms }
}

fn came() -> PeerEvent {
    PeerEvent::Connected { remote: SocketAddr::from(([10, 0, 0, 8], 7_400)) }
}

fn lost(cause: Cause) -> PeerEvent {
    PeerEvent::Lost { cause }
}

#[test]
fn peers_come_and_go_by_name_and_with_the_cause() {
    let mut bench = Bench::new();
    // Its name comes a moment after it.
    assert_eq!(bench.peer(2, 20, came(), 10), Vec::<String>::new());
    assert_eq!(bench.watch(500), Vec::<String>::new());
    bench.hear_of(2, 0, 600);
    assert_eq!(
        bench.watch(1_500),
        [
            "INFO connected to `b\\u{1b}` (0000000000000002) at 10.0.0.8:7400",
            "INFO `b\\u{1b}` (0000000000000002) is a member of the cluster now"
        ]
    );
    assert_eq!(bench.watch(2_500), Vec::<String>::new());
    let gone = bench.peer(2, 20, lost(Cause::Silent), 3_000);
    assert_eq!(gone, ["WARN lost `b\\u{1b}` (0000000000000002): no traffic from the peer"]);
    let back = bench.peer(2, 20, came(), 3_100);
    assert_eq!(back, ["INFO connected to `b\\u{1b}` (0000000000000002) at 10.0.0.8:7400"]);
    // One that starts again may be there before its last process is gone.
    let again = bench.peer(2, 21, came(), 3_200);
    assert!(again.len() == 1 && again[0].contains("has started again"), "{again:?}");
    assert_eq!(bench.peer(2, 20, lost(Cause::Closed), 3_300), Vec::<String>::new());
    let left = bench.peer(2, 21, lost(Cause::Ended(Reason::Leaving)), 3_400);
    assert_eq!(left, ["INFO `b\\u{1b}` (0000000000000002) has left: it was stopped"]);
    // One that never says who it is.
    assert_eq!(bench.peer(3, 30, came(), 4_000), Vec::<String>::new());
    assert!(bench.watch(6_000).contains(&"INFO connected to node 0000000000000003 at 10.0.0.8:7400".to_owned()));
    let clone = bench.peer(1, 99, came(), 7_000);
    assert!(clone.len() == 1 && clone[0].starts_with("ERROR another process has the id of this node"), "{clone:?}");
}

#[test]
fn a_majority_that_is_lost_and_regained_is_logged_once_each() {
    let mut bench = Bench::new();
    bench.peer(2, 20, came(), 0);
    bench.hear_of(2, 0, 100);
    bench.watch(1_000);
    bench.peer(2, 20, lost(Cause::Closed), 2_000);
    let told = bench.watch(3_000);
    let lost: Vec<_> = told.iter().filter(|line| line.contains("the majority is lost")).collect();
    assert!(
        lost.len() == 1 && lost[0].starts_with("WARN") && lost[0].contains("1 of 2 members are reachable"),
        "{told:?}"
    );
    assert!(lost[0].contains("unreachable: `b\\u{1b}` (0000000000000002)"), "{told:?}");
    assert_eq!(bench.watch(4_000), Vec::<String>::new());
    bench.peer(2, 20, came(), 5_000);
    assert_eq!(bench.watch(6_000), ["INFO the majority is regained: 2 of 2 members are reachable"]);
    assert_eq!(bench.watch(7_000), Vec::<String>::new());
}

#[test]
fn a_change_from_the_future_and_its_clock_are_logged_and_so_is_their_end() {
    let mut bench = Bench::new();
    bench.peer(2, 20, came(), 0);
    bench.hear_of(2, 3_600_000, 100);
    let told = bench.watch(1_000);
    let quarantined: Vec<_> = told.iter().filter(|line| line.contains("quarantined")).collect();
    assert!(!quarantined.is_empty() && quarantined.iter().all(|line| line.starts_with("WARN")), "{told:?}");
    assert!(quarantined.iter().any(|line| line.contains("a change of the membership by")), "{told:?}");
    assert!(!quarantined.iter().any(|line| line.contains("newer version")), "{told:?}");
    let change = quarantined.iter().find(|line| line.contains("a change of `flags/x`")).unwrap();
    assert!(
        change.contains("set the clock of node 0000000000000002") && change.contains("2023-11-14T23:13:"),
        "{change}"
    );
    assert!(!bench.watch(2_500).iter().any(|line| line.contains("quarantined")), "once");
    // Its time has come.
    bench.handle(Input::Tick, 3_700_000);
    let told = bench.watch(3_701_000);
    assert!(told.iter().any(|line| line.contains("is no longer quarantined: it is active now")), "{told:?}");
}

#[test]
fn a_clock_that_is_off_is_logged_once_and_so_is_its_correction() {
    let mut bench = Bench::new();
    bench.peer(2, 20, came(), 0);
    bench.compare(2, 2_000, 1_000);
    let told = bench.watch(1_000);
    let expected =
        "WARN the clock of node 0000000000000002 is 1000 ms ahead of this host's; set whichever of the two is wrong";
    assert!(told.contains(&expected.to_owned()), "{told:?}");
    assert!(!bench.watch(1_500).iter().any(|line| line.contains("clock")), "once");
    bench.compare(2, 2_000, 2_000);
    let told = bench.watch(2_000);
    assert!(
        told.iter().any(|line| line.starts_with("INFO the clock of") && line.ends_with("again: +0 ms")),
        "{told:?}"
    );
}

#[test]
fn a_limited_number_of_changes_is_logged_and_the_rest_is_counted() {
    let mut bench = Bench::new();
    let told = (0..1_000).filter(|_| bench.events.may_tell()).count();
    assert_eq!(told, 20);
    assert_eq!(bench.watch(0), ["INFO 980 more changes were made or received in the last second and are not listed"]);
    assert_eq!(bench.watch(0), Vec::<String>::new());
}

#[test]
fn lines_name_the_flag_the_change_and_who_made_it() {
    let flag = FlagKey::parse("features/x\u{1b}");
    let value = |text: &str| text.to_owned().into_bytes();
    for (kind, json, told) in [
        (
            ChangeKind::Activation,
            Some(value(r#"{"percentage":"12.5"}"#)),
            "`features/x\\u{1b}` is activated for 12.5 %",
        ),
        (ChangeKind::Activation, Some(value(r#"{"percentage":"0"}"#)), "`features/x\\u{1b}` is deactivated"),
        (ChangeKind::Activation, None, "`features/x\\u{1b}`: the activation is cleared"),
        (ChangeKind::Definition, Some(value(r#"{"entry":{"stable":"secret"}}"#)), "`features/x\\u{1b}` is defined"),
        (ChangeKind::Definition, None, "`features/x\\u{1b}`: the definition is removed"),
    ] {
        assert_eq!(what(kind, &flag, json.as_deref()), told);
    }
    assert_eq!(by("dana\n", ""), " by `dana\\n`");
    assert_eq!(by("", "why\u{7}"), " (`why\\u{7}`)");
    assert_eq!(by("", ""), "");
}

#[test]
fn a_change_that_has_lost_is_logged_with_the_one_that_outranks_it() {
    let told = Warnings::and_all_else();
    let names = Arc::new([(NodeId::new(2), "b".to_owned()), (NodeId::new(3), "c".to_owned())].into());
    let by = Stamp::new(0, 1_700_000_000_000, 0, NodeId::new(3));
    let stamp = Stamp::new(0, 1, 0, NodeId::new(1));
    let outranked = vec![Outranked { stamp, node: NodeId::new(2), by, is_quarantined: false }];
    let (durable_on, pending) = (vec![NodeId::new(1)], Vec::new());
    let written =
        Written { stamps: vec![stamp], level: Level::Majority, is_reached: false, durable_on, pending, outranked };
    let change = AnsweredChange { line: "`x` is deactivated", effect: None, stamp, written: &written };
    tracing::subscriber::with_default(told.clone(), || tell_written(&change, &names));
    let told = told.take();
    let expected =
        format!("stored, but outranked on `b` (0000000000000002) by a change of `c` (0000000000000003) ({by})");
    assert!(told.len() == 1 && told[0].contains(&expected), "{told:?}");
}

#[test]
fn a_change_that_only_this_node_holds_does_not_look_like_a_majority() {
    let told = Warnings::and_all_else();
    let stamp = Stamp::new(0, 1, 0, NodeId::new(1));
    let (durable_on, pending, outranked) = (vec![NodeId::new(1)], Vec::new(), Vec::new());
    let written =
        Written { stamps: vec![stamp], level: Level::Majority, is_reached: false, durable_on, pending, outranked };
    let names = Arc::new([].into());
    let change = AnsweredChange { line: "`x` is deactivated", effect: None, stamp, written: &written };
    tracing::subscriber::with_default(told.clone(), || tell_written(&change, &names));
    let expected =
        "WARN `x` is deactivated; acknowledged by this node alone, which knows no other member yet (majority)";
    assert_eq!(told.take(), [expected]);
}
