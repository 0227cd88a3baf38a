//! A start waits for the cluster's state.

use super::*;
use crate::Percentage;

fn start(board: &Switchboard, folder: &Path, name: &str, wait: Duration) -> Tidegate {
    let live = board.live(Live::at(folder.join(name)).name(name));
    Tidegate::builder().live(live).without_locks().startup_wait(wait).connect().unwrap()
}

/// A flag that was deactivated while a node was down is off there when `connect` returns.
#[test]
fn a_start_waits_until_it_has_what_the_cluster_has() {
    let folder = tempfile::tempdir().unwrap();
    let board = Switchboard::default();
    let mut nodes = three(&board, folder.path());
    nodes[0].activate("x").ack(Level::All).timeout(Duration::from_secs(20)).send().unwrap();
    for round in 0..5 {
        drop(nodes.pop().unwrap());
        nodes[0].activate_percentage("x", round).timeout(Duration::from_secs(20)).send().unwrap();
        let back = start(&board, folder.path(), "c", Duration::from_secs(20));
        assert!(back.cluster().unwrap().is_synced());
        let value = back.cluster().unwrap().flag("x").unwrap().activation.unwrap().value.unwrap();
        assert_eq!(Ok(value.as_activation().unwrap().share), Percentage::from(round).share());
        nodes.push(back);
    }
    let reader = board.live(Live::in_memory().name("reader"));
    let reader =
        Tidegate::builder().live(reader).without_locks().startup_wait(Duration::from_secs(20)).connect().unwrap();
    assert!(reader.cluster().unwrap().flag("x").unwrap().activation.is_some(), "a reader waits, too");
}

#[test]
fn a_start_without_any_member_goes_on_after_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let alone = start(&Switchboard::default(), folder.path(), "a", Duration::from_millis(20));
    assert!(!alone.cluster().unwrap().is_synced());
    let single = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
    assert!(single.cluster().unwrap().is_synced(), "no other node is to be expected");
}
