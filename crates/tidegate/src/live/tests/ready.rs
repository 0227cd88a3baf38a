//! A start waits for the cluster's state.

use super::*;
use crate::warnings::Warnings;
use crate::{Fetched, Percentage};

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

/// What a start warns of that meets no member, with this builder and that wait.
fn warned(builder: Builder, wait: Duration) -> Vec<String> {
    let live = Switchboard::default().live(Live::in_memory().name("reader"));
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let tide = builder.live(live).without_locks().startup_wait(wait).connect().unwrap();
    assert!(!tide.cluster().unwrap().is_synced());
    warnings.take().into_iter().filter(|line| line.contains("member of the cluster")).collect()
}

#[test]
fn a_start_that_has_compared_with_no_member_warns_once_and_says_why() {
    let text = |wait: &str, why: &str| {
        format!(
            "no member of the cluster has been compared with within {wait} s, because {why}: this node answers from what it has on its \
             disk, which may be out of date; `tidegate cluster status` says which members it is connected to"
        )
    };
    let alone = warned(Tidegate::builder(), Duration::from_secs(1));
    assert_eq!(alone, [text("1", "no comparison with one has ended")]);
    // A callback that takes longer than the whole start leaves no time for the comparison.
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    let slow = move |_: Option<&_>| {
        let _ = receiver.lock().unwrap().recv();
        Ok(Fetched::Unchanged)
    };
    let slow = warned(Tidegate::builder().callback(slow), Duration::from_millis(20));
    assert_eq!(slow, [text("0.02", "the data folder and the documents took that long")]);
    drop(sender);
    assert_eq!(warned(Tidegate::builder(), Duration::ZERO), <[String; 0]>::default());
}
