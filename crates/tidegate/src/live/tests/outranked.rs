//! A change that has lost before it was acknowledged, and changes that a wrong clock has stamped.

use tidegate_engine::Micros;

use super::*;
use crate::clock::Clock;
use crate::live::{ChangeKind, Verdict};

const HOUR: i64 = 3_600_000_000;

fn now() -> Micros {
    Micros::new(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap())
}

/// Two members; the clock of `b` is an hour ahead.
fn two(board: &Switchboard, folder: &Path) -> [Tidegate; 2] {
    let node = |name: &str, clock: Clock| {
        start(board, Live::at(folder.join(name)).name(name), Tidegate::builder().clock(clock))
    };
    let nodes = [node("a", Clock::system()), node("b", Clock::manual(Micros::new(now().get() + HOUR)))];
    for tide in &nodes {
        // The entry of b is quarantined on a, so a knows it by its link only.
        soon("they hear each other", || !tide.cluster().unwrap().status().unwrap().peers.is_empty());
    }
    nodes
}

fn quarantined(tide: &Tidegate) -> Vec<String> {
    let held = tide.cluster().unwrap().quarantine().unwrap();
    held.iter().map(|entry| format!("{} {}", entry.flag, entry.kind)).collect()
}

#[test]
fn a_person_accepts_or_drops_a_quarantined_change_on_all_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let [a, b] = two(&board, folder.path());
    let cluster = a.cluster().unwrap();
    for flag in ["taken", "dropped"] {
        b.activate_percentage(flag, 88).actor("lee").ack(Level::Local).send().unwrap();
    }
    soon("both are quarantined", || quarantined(&a) == ["flags/dropped activation", "flags/taken activation"]);
    assert!(!a.is_active("taken") && !a.is_active("dropped"));
    let held = &cluster.quarantine().unwrap()[1];
    assert_eq!((held.actor.as_str(), held.node.node, held.from.node), ("lee", id_of(&b), id_of(&b)));
    assert_eq!(
        serde_json::to_string(held.value.as_ref().unwrap()).unwrap(),
        r#"{"percentage":88,"until":null,"defined":false}"#
    );
    assert!(held.at.get() > now().get() + HOUR / 2 && held.since <= now());

    let receipt = cluster.resolve_quarantined("taken", None, Verdict::Accept, "dana", "it is meant").unwrap();
    assert_eq!(receipt.effect.to.unwrap().to_string(), "88");
    let kind = Some(ChangeKind::Activation);
    cluster.resolve_quarantined("dropped", kind, Verdict::Drop, "dana", "it is not").unwrap();
    assert_eq!(quarantined(&a), Vec::<String>::new());
    soon("dropped on b, too", || b.raw("flags", "dropped", "k").is_none());
    assert_eq!(b.cluster().unwrap().flag("taken").unwrap().activation.unwrap().actor, "dana");
    let changes = cluster.history("taken", None, 10).unwrap().changes;
    let accepted = changes.iter().find(|change| change.actor == "dana").unwrap();
    assert_eq!((accepted.stamp, accepted.reason.as_str()), (receipt.stamp, "it is meant"));
    let again = cluster.resolve_quarantined("taken", None, Verdict::Accept, "dana", "").unwrap_err();
    assert!(matches!(again, ClusterError::Change(ChangeError::NotQuarantined { .. })), "{again}");
}

/// What healthy nodes have quarantined stays so: a repair changes no value.
#[test]
fn repairing_the_clock_changes_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let [a, b] = two(&board, folder.path());
    a.activate_percentage("x", 44).ack(Level::Local).send().unwrap();
    b.activate_percentage("x", 88).ack(Level::Local).send().unwrap();
    soon("it is quarantined", || quarantined(&a) == ["flags/x activation"]);
    a.cluster().unwrap().repair_clock("dana", "ntp was down").unwrap();
    let share = |tide: &Tidegate| {
        serde_json::to_string(&tide.cluster().unwrap().flag("x").unwrap().activation.unwrap().value).unwrap()
    };
    for _ in 0..3 {
        a.cluster().unwrap().status().unwrap();
        assert!(share(&a).contains("44"), "{}", share(&a));
        assert_eq!(quarantined(&a), ["flags/x activation"]);
    }
}

/// The kill switch is used where the greater stamp is in quarantine: it supersedes that everywhere.
#[test]
fn a_change_supersedes_what_is_quarantined_where_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let [a, b] = two(&board, folder.path());
    b.activate("x").ack(Level::Local).send().unwrap();
    soon("it is quarantined", || quarantined(&a) == ["flags/x activation"]);
    a.deactivate("x").ack(Level::Local).send().unwrap();
    soon("b follows", || !b.is_active("x"));
    assert_eq!(quarantined(&a), Vec::<String>::new(), "it can never undo the kill switch");
}

/// `c` has a later change of the flag by the time it hears of this one.
#[test]
fn a_change_that_has_lost_is_not_acknowledged_and_its_receipt_says_by_what() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let nodes = three(&board, folder.path());
    let c = id_of(&nodes[2]);
    board.cut(c, true);
    let waiting = {
        let a = nodes[0].clone();
        std::thread::spawn(move || a.deactivate("x").ack(Level::All).timeout(Duration::from_secs(20)).send().unwrap())
    };
    soon("it is made", || nodes[0].cluster().unwrap().flag("x").unwrap().activation.is_some());
    // Of two stamps of one millisecond a counter decides.
    let made = nodes[0].cluster().unwrap().flag("x").unwrap().activation.unwrap().at;
    soon("the clock has moved on", || now().get() >= made.get() + 1_000);
    let won = nodes[2].activate("x").ack(Level::Local).send().unwrap();
    board.cut(c, false);
    let receipt = waiting.join().unwrap();
    assert!(!receipt.is_reached && won.stamp > receipt.stamp, "{receipt:?} {won:?}");
    assert!(!receipt.outranked.is_empty(), "{receipt:?}");
    for loss in &receipt.outranked {
        assert_eq!((loss.by.node, loss.stamp, loss.is_quarantined), (c, won.stamp, false), "{receipt:?}");
    }
    soon("the later one counts", || nodes.iter().all(|tide| tide.is_active("x")));
}
