//! The committer over the store on disk.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::super::{Committer, Outcome};
use super::support::{batch, by_key, open, read, register};

#[test]
fn many_writers_share_syncs_and_nothing_is_lost() {
    let outer = tempfile::tempdir().unwrap();
    let (store, _) = open(outer.path());
    let (tell, outcomes) = channel();
    let report = move |outcome| {
        let _ = tell.send(outcome);
    };
    let committer = Committer::start(Box::new(store), report).unwrap();
    for seq in 1..=2_000 {
        while !committer.has_room() {
            std::thread::yield_now();
        }
        committer.submit(vec![batch(seq, &format!("flag-{}", seq % 300))]);
    }
    let mut commits = 0;
    let mut upto = 0;
    while upto < 2_000 {
        match outcomes.recv_timeout(Duration::from_mins(1)).unwrap() {
            Outcome::Persisted { upto: more } => {
                assert!(more > upto, "{more} after {upto}");
                upto = more;
            }
            other => panic!("{other:?}"),
        }
        commits += 1;
    }
    assert!(commits < 1_000, "{commits} commits for 2,000 batches");
    committer.close().unwrap();
    let (loaded, _) = read(outer.path());
    let registers = by_key(&loaded);
    assert_eq!(registers.len(), 300);
    assert_eq!(registers[&b"flag-200"[..]], register("flag-200", 2_000));
    assert_eq!(loaded.meta.as_deref(), Some(&b"remembered 2000"[..]));
}
