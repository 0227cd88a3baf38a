//! Several instances in one process, each with its own threads, over a switchboard instead of a network.

mod outranked;
mod ready;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_engine::FlagKey;
use tidegate_mesh::{Cause, PeerEvent};
use tidegate_replica::{Level, NodeId};

use super::carrier::Carrier;
use super::change_request::{ChangeRequest, Operation};
use super::driver_view::DriverView;
use super::intake::Intake;
use super::request::Request;
use super::status;
use super::value::ChangeKind;
use super::{ChangeError, ClusterError, Forgotten, Live, NodeName, Receipt};
use crate::{Builder, Clock, Micros, Tidegate};

/// Carries messages between the nodes of one process.
#[derive(Clone, Debug, Default)]
struct Switchboard(Arc<Mutex<BTreeMap<NodeId, Plugged>>>);

#[derive(Debug)]
struct Plugged {
    instance: u64,
    intake: Arc<Intake>,
    is_cut: bool,
}

/// One node's end of a [`Switchboard`]. When it is dropped, the others see the node go.
#[derive(Debug)]
struct Plug {
    board: Switchboard,
    node: NodeId,
    instance: u64,
}

impl Switchboard {
    fn plug(&self, node: NodeId, instance: u64, intake: Arc<Intake>) -> Plug {
        let mut nodes = self.nodes();
        for (other, plugged) in nodes.iter().filter(|(_, plugged)| !plugged.is_cut) {
            plugged.intake.peer(node, instance, came());
            intake.peer(*other, plugged.instance, came());
        }
        nodes.insert(node, Plugged { instance, intake, is_cut: false });
        Plug { board: self.clone(), node, instance }
    }

    /// Cuts a node off, or joins it again. No node notices: messages are lost.
    fn cut(&self, node: NodeId, is_cut: bool) {
        self.nodes().get_mut(&node).unwrap().is_cut = is_cut;
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, Plugged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, live: Live) -> Live {
        let board = self.clone();
        live.connected(Arc::new(move |node, instance, intake| {
            Box::new(board.plug(node, instance, intake)) as Box<dyn Carrier>
        }))
    }
}

impl Carrier for Plug {
    fn send(&self, to: NodeId, bytes: Vec<u8>) {
        let nodes = self.board.nodes();
        let is_cut = nodes.get(&self.node).is_none_or(|own| own.is_cut);
        if let Some(plugged) = nodes.get(&to).filter(|plugged| !is_cut && !plugged.is_cut) {
            plugged.intake.message(self.node, bytes);
        }
    }

    fn broadcast(&self, bytes: Vec<u8>) {
        let others: Vec<NodeId> = self.board.nodes().keys().copied().filter(|node| *node != self.node).collect();
        for other in others {
            self.send(other, bytes.clone());
        }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        let mut nodes = self.board.nodes();
        nodes.remove(&self.node);
        for plugged in nodes.values() {
            plugged.intake.peer(self.node, self.instance, PeerEvent::Lost { cause: Cause::Closed });
        }
    }
}

fn came() -> PeerEvent {
    PeerEvent::Connected { remote: std::net::SocketAddr::from(([127, 0, 0, 1], 7_400)) }
}

fn node(board: &Switchboard, folder: &Path, name: &str) -> Tidegate {
    start(board, Live::at(folder.join(name)).name(name), Tidegate::builder())
}

fn start(board: &Switchboard, live: Live, builder: Builder) -> Tidegate {
    builder.live(board.live(live)).without_locks().startup_wait(Duration::ZERO).connect().unwrap()
}

/// Waits until it is so.
#[track_caller]
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

fn id_of(tide: &Tidegate) -> NodeId {
    tide.cluster().unwrap().status().unwrap().node.id
}

fn members(tide: &Tidegate) -> usize {
    tide.cluster().unwrap().status().unwrap().members.len()
}

/// Three nodes that know of each other.
fn three(board: &Switchboard, folder: &Path) -> Vec<Tidegate> {
    let nodes: Vec<Tidegate> = ["a", "b", "c"].iter().map(|name| node(board, folder, name)).collect();
    for tide in &nodes {
        soon("three members", || members(tide) == 3);
    }
    nodes
}

fn names(receipt: &Receipt) -> Vec<&str> {
    let mut names: Vec<&str> = receipt.durable_on.iter().map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_is_activated_on_one_node_is_on_for_all_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    let receipt =
        nodes[0].activate("blog").actor("dana").ack(Level::All).timeout(Duration::from_secs(20)).send().unwrap();
    assert!(receipt.is_reached);
    assert_eq!((names(&receipt), receipt.pending.len()), (vec!["a", "b", "c"], 0));
    for tide in &nodes {
        soon("on everywhere", || tide.is_active("blog") && tide.is_active_for("flags/blog", "somebody"));
    }
    nodes[1].activate_percentage("some", 30).send().unwrap();
    nodes[2].define("words/hello", r#"{"stable": "Hello", "new": "Welcome"}"#).send().unwrap();
    let keys: Vec<String> = (0..1_000).map(|number| format!("key-{number}")).collect();
    let on = |tide: &Tidegate| keys.iter().filter(|key| tide.is_active_for("some", key.as_str())).count();
    for tide in &nodes {
        soon("the definition is everywhere", || tide.raw("words", "hello", "k").as_deref() == Some("\"Hello\""));
        soon("the share is everywhere", || (250..350).contains(&on(tide)));
    }
    let before: Vec<bool> = keys.iter().map(|key| nodes[0].is_active_for("some", key.as_str())).collect();
    // The whole cluster ends, and one node of it starts alone.
    drop(nodes);
    let alone = node(&board, folder.path(), "b");
    assert!(alone.is_active("blog"), "there when `connect` returns");
    assert_eq!(alone.raw("words", "hello", "k").as_deref(), Some("\"Hello\""));
    let after: Vec<bool> = keys.iter().map(|key| alone.is_active_for("some", key.as_str())).collect();
    assert_eq!(before, after);
    // A minority takes a change all the same, and says that it is one.
    // Its first change waits for two seconds, for what it may have forgotten; the time to acknowledge it
    // is measured from when it was asked for.
    let receipt = alone.deactivate("blog").timeout(Duration::from_secs(5)).send().unwrap();
    assert_eq!((receipt.is_reached, names(&receipt)), (false, vec!["b"]));
    assert!(!alone.is_active("blog"));
    let back = node(&board, folder.path(), "a");
    soon("the others hear of it", || !back.is_active("blog"));
}

#[test]
fn a_reader_without_a_disk_has_what_the_others_have() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    nodes[0].activate("blog").send().unwrap();
    let reader = start(&board, Live::in_memory().name("reader"), Tidegate::builder());
    soon("the reader has caught up", || reader.is_active("blog"));
    assert_eq!(members(&reader), 3, "it is not a member");
    let receipt = reader.deactivate("blog").timeout(Duration::from_secs(20)).send().unwrap();
    assert!(receipt.is_reached);
    soon("a change of the reader counts", || !nodes[2].is_active("blog"));
}

#[test]
fn a_node_that_was_cut_off_catches_up_and_of_two_changes_one_survives() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    board.cut(id_of(&nodes[2]), true);
    let lost = nodes[2].activate("blog").reason("first").timeout(Duration::ZERO).send().unwrap();
    assert!(!lost.is_reached);
    // Of two stamps of one millisecond the greater node id counts, whichever came first.
    let later = UNIX_EPOCH + Duration::from_micros(u64::try_from(lost.at.get()).unwrap() + 1_000);
    soon("the clock has moved on", || SystemTime::now() >= later);
    let won = nodes[0].deactivate("blog").reason("second").send().unwrap();
    assert!(won.is_reached, "a majority goes on");
    for number in 0..100 {
        nodes[1].activate(&format!("flag-{number}")).ack(Level::Local).send().unwrap();
    }
    assert!(nodes[2].is_active("blog") && !nodes[0].is_active("blog"));
    board.cut(id_of(&nodes[2]), false);
    soon("the later change counts", || !nodes[2].is_active("blog"));
    soon("the rest has come", || (0..100).all(|number| nodes[2].is_active(&format!("flag-{number}"))));
    let history = |tide: &Tidegate| tide.cluster().unwrap().history("blog", None, 10).unwrap().changes;
    soon("the node that has lost knows of it", || {
        history(&nodes[2]).iter().any(|change| change.stamp == lost.stamp && change.lost_to == Some(won.stamp))
    });
    assert!(nodes.iter().all(|tide| history(tide)[0].reason == "second"));
    let cluster = nodes[2].cluster().unwrap();
    assert!(cluster.wait("blog", won.stamp, Duration::from_secs(20)).unwrap());
    soon("equal", || {
        let status = cluster.status().unwrap();
        status.peers.iter().all(|peer| peer.is_equal == Some(true))
    });
}

#[test]
fn a_burst_comes_through_and_is_published_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    let subscription = nodes[1].subscribe();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let tide = &nodes[0];
            scope.spawn(move || {
                for number in 0..100 {
                    let change = tide.activate_percentage(&format!("flag-{number}"), writer * 10 + 1);
                    change.ack(Level::Local).timeout(Duration::from_secs(20)).send().unwrap();
                }
            });
        }
    });
    for number in 0..100 {
        nodes[0].activate(&format!("flag-{number}")).ack(Level::Local).timeout(Duration::from_secs(20)).send().unwrap();
    }
    for tide in &nodes {
        soon("the last change counts everywhere", || (0..100).all(|number| tide.is_active(&format!("flag-{number}"))));
    }
    let mut subscription = subscription;
    let changes = subscription.try_recv().unwrap().unwrap();
    assert!(changes.activations && !changes.definitions && !changes.document);
}

#[test]
fn the_status_names_who_is_silent_for_a_week() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let mut nodes = three(&board, folder.path());
    drop(nodes.pop());
    let cluster = nodes[0].cluster().unwrap();
    soon("c is forgotten", || cluster.forget("c", "dana", "gone for good").is_ok());
    let after = |ms: u64| {
        let driver = Arc::clone(cluster.driver());
        let status = cluster.query(move |view| {
            status::cluster_status(&driver, &DriverView { steady_ms: view.steady_ms + ms, ..*view })
        });
        let members = status.unwrap().members.into_iter();
        members.filter(|member| member.is_silent).map(|member| member.node.name).collect::<Vec<_>>()
    };
    assert_eq!(after(0), Vec::<String>::new());
    assert_eq!(after(7 * 24 * 3_600_000), ["b"], "neither this node nor one that is forgotten");
}

#[test]
fn a_forgotten_node_counts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let mut nodes = three(&board, folder.path());
    drop(nodes.split_off(1));
    let left = &nodes[0];
    assert!(!left.activate("x").timeout(Duration::ZERO).send().unwrap().is_reached);
    let cluster = left.cluster().unwrap();
    assert!(cluster.forget("unknown", "dana", "").is_err());
    let forget = |name: &str| {
        let mut forgotten = None;
        soon("the node is seen to be gone", || {
            forgotten = cluster.forget(name, "dana", "gone for good").ok();
            forgotten.is_some()
        });
        let Forgotten { node, receipt } = forgotten.unwrap();
        let names = |nodes: &[NodeName]| nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        (node.name, receipt.level, receipt.is_reached, names(&receipt.durable_on), names(&receipt.pending))
    };
    let own = || vec!["a".to_owned()];
    let of_two = ("b".to_owned(), Level::Majority, false, own(), vec!["c".to_owned()]);
    assert_eq!(forget("b"), of_two, "one of two members is no majority");
    assert_eq!(forget("c"), ("c".to_owned(), Level::Majority, true, own(), vec![]));
    assert!(left.activate("x").timeout(Duration::from_secs(20)).send().unwrap().is_reached);
}

#[test]
fn a_repair_of_the_clock_says_whether_a_majority_has_acknowledged_it() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    // From then on the node knows which stamps it has used, and refuses no repair.
    assert!(nodes[0].activate("x").ack(Level::All).timeout(Duration::from_secs(20)).send().unwrap().is_reached);
    let cluster = nodes[0].cluster().unwrap();
    let repair = cluster.repair_clock("dana", "ntp was down").unwrap();
    assert_eq!((repair.level, repair.is_reached), (Level::Majority, true), "{repair:?}");
    assert!(repair.durable_on.len() >= 2 && repair.outranked.is_empty(), "{repair:?}");
    board.cut(id_of(&nodes[0]), true);
    let again = cluster.repair_clock("dana", "ntp is down still").unwrap();
    assert!(!again.is_reached && again.stamp > repair.stamp, "{again:?}");
    let names =
        |nodes: &[NodeName]| nodes.iter().map(|node| node.name.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(
        (names(&again.durable_on), names(&again.pending)),
        (["a".into()].into(), ["b".into(), "c".into()].into())
    );
    assert_eq!(cluster.status().unwrap().node.epoch, 2, "it stands all the same");
}

/// Writes a value as only another version would.
fn write_raw(tide: &Tidegate, flag: &str, value: &str) {
    let (flag, (sender, receiver)) = (FlagKey::parse(flag), mpsc::channel());
    let operation = Operation::Restore { kind: ChangeKind::Activation, value: Some(Arc::from(value.as_bytes())) };
    let change =
        ChangeRequest { level: Level::Local, timeout: Duration::from_secs(20), ..ChangeRequest::new(flag, operation) };
    let reply = Box::new(move |answer: Result<_, _>| sender.send(answer.map(drop)).unwrap());
    tide.cluster().unwrap().driver().intake.request(Request::Change(vec![change], reply)).unwrap();
    receiver.recv().unwrap().unwrap();
}

#[test]
fn a_value_that_no_node_understands_is_kept_and_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    nodes[0].activate("blog").send().unwrap();
    write_raw(&nodes[0], "blog", r#"{"percentage":"half"}"#);
    for tide in &nodes {
        soon("it is inapplicable", || tide.cluster().unwrap().status().unwrap().inapplicable.len() == 1);
        assert!(tide.is_active("blog"), "what was active stays");
    }
    nodes[1].deactivate("blog").send().unwrap();
    for tide in &nodes {
        soon("fixed", || tide.cluster().unwrap().status().unwrap().inapplicable.is_empty() && !tide.is_active("blog"));
    }
}

#[test]
fn a_node_that_is_connected_and_does_not_answer_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    board.cut(id_of(&nodes[2]), true);
    let cut = id_of(&nodes[2]);
    soon("it is shown", || {
        let status = nodes[0].cluster().unwrap().status().unwrap();
        status.peers.iter().any(|peer| peer.node.node == cut && !peer.is_responsive)
    });
    board.cut(cut, false);
    soon("it answers again", || {
        nodes[0].cluster().unwrap().status().unwrap().peers.iter().all(|peer| peer.is_responsive)
    });
}

#[test]
fn the_caller_runs_the_driver_if_no_other_thread_does() {
    let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
    let cluster = tide.cluster().unwrap();
    let own = std::thread::current().id();
    soon("it runs here", || cluster.query(|_| std::thread::current().id()).unwrap() == own);
}

#[test]
fn no_thread_waits_for_the_one_that_runs_the_driver() {
    let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
    let cluster = tide.cluster().unwrap();
    let (entered, is_in) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let busy = std::thread::spawn({
        let cluster = cluster.clone();
        move || {
            cluster.query(move |_| {
                entered.send(()).unwrap();
                released.recv().unwrap();
            })
        }
    });
    is_in.recv().unwrap();
    // All of these return, although another thread holds the driver.
    let intake = Arc::clone(&cluster.driver().intake);
    intake.message(NodeId::new(9), b"not a message".to_vec());
    let (sender, receiver) = mpsc::channel();
    let query = Box::new(move |view: &DriverView<'_>| sender.send(view.replica.root()).unwrap());
    intake.request(Request::Query(query)).unwrap();
    assert!(receiver.try_recv().is_err(), "it is held");
    release.send(()).unwrap();
    busy.join().unwrap().unwrap();
    // And nothing that was put in meanwhile is forgotten.
    receiver.recv_timeout(Duration::from_secs(20)).unwrap();
}

#[test]
fn the_last_handle_may_go_while_the_driver_runs() {
    let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
    let cluster = tide.cluster().unwrap();
    let began = Instant::now();
    soon("it goes on the caller's thread", || {
        let again = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
        let (own, inner) = (std::thread::current().id(), again.cluster().unwrap());
        inner
            .query(move |_| {
                drop(again);
                std::thread::current().id() == own
            })
            .unwrap()
    });
    assert!(began.elapsed() < super::live_thread::GOODBYE_MAX, "it was waited for");
    assert!(cluster.status().is_ok());
}

#[test]
fn a_panic_ends_changes_and_not_reads() {
    let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
    tide.activate("blog").send().unwrap();
    let cluster = tide.cluster().unwrap();
    let ended = cluster.query(|_| panic!("a fault"));
    assert!(matches!(ended, Err(ClusterError::Ended { .. })));
    soon("it is told", || cluster.status().is_err_and(|error| error.to_string().contains("panicked")));
    assert!(matches!(tide.deactivate("blog").send(), Err(ChangeError::Stopped)));
    assert!(tide.is_active("blog"));
}

#[test]
fn clocks_may_be_as_far_apart_as_configured_and_no_further() {
    let check = |drift: Duration, is_taken: bool| {
        let (board, folder) = (Switchboard::default(), tempfile::tempdir().unwrap());
        let now = Micros::new(1_800_000_000_000_000);
        let node = |name: &str, ahead: Duration| {
            let clock = Clock::manual(now);
            clock.advance(ahead);
            let live = Live::at(folder.path().join(name)).name(name).max_drift(drift);
            start(&board, live, Tidegate::builder().clock(clock))
        };
        let (behind, ahead) = (node("behind", Duration::ZERO), node("ahead", Duration::from_secs(20)));
        soon("they know each other", || members(&behind) == 2 && members(&ahead) == 2 || !is_taken);
        ahead.activate("x").ack(Level::Local).send().unwrap();
        if is_taken {
            soon("20 s are no reason to refuse it", || behind.is_active_for("x", "k"));
        } else {
            soon("it is quarantined", || !behind.cluster().unwrap().status().unwrap().quarantined.is_empty());
            assert!(!behind.is_active_for("x", "k"));
        }
    };
    check(Duration::from_secs(5), false);
    check(Duration::from_mins(1), true);
}

#[test]
fn a_drift_out_of_range_is_an_error() {
    for millis in [0, 499, 60_001] {
        let live = Live::in_memory().max_drift(Duration::from_millis(millis));
        let error = Tidegate::builder().live(live).without_locks().connect().unwrap_err().to_string();
        assert!(error.contains("is out of range; say something from 500ms to 60s"), "{error}");
    }
    let live = Live::in_memory().max_drift(Duration::from_micros(600_500));
    assert!(Tidegate::builder().live(live).without_locks().connect().is_err());
    for millis in [500, 60_000] {
        let live = Live::in_memory().max_drift(Duration::from_millis(millis));
        Tidegate::builder().live(live).without_locks().connect().unwrap();
    }
}
