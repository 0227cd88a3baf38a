//! The source without thread, network and clock: what each answer changes.

use std::path::Path;
use std::time::Duration;

use tidegate_engine::{Snapshot, Subject};

use super::*;
use crate::clock::Clock;
use crate::ingest::cache::Cache;
use crate::instance::Instance;
use crate::warnings::Warnings;

fn source(folder: &Path) -> SourceState {
    let instance = Instance::new(Clock::manual(Micros::new(1_000_000_000)), None);
    let options = SourceOptions {
        source: ("the source".to_owned(), 1),
        cache: CachePlace::Under("app".to_owned(), Some(folder.to_owned())),
        compile: CompileOptions::default(),
        health: Health::Starting,
        is_combined: false,
        keeps_text: false,
        is_one_shot: false,
        trust: Trust::default(),
        seen: None,
    };
    SourceState::new(Registry::new(instance), options)
}

fn document(version: u32) -> Vec<u8> {
    format!(r#"{{"s": {{"version": {{"stable": {version}}}}}}}"#).into_bytes()
}

#[expect(clippy::unnecessary_wraps, reason = "as a fetch ends")]
fn changed(body: Vec<u8>, tag: &str) -> Result<Answer, FetchError> {
    let tag = Some(Tag::new(tag).unwrap());
    Ok(Answer { fetched: Fetched::Changed { body, tag }, server_date: None })
}

#[expect(clippy::unnecessary_wraps, reason = "as a fetch ends")]
fn unchanged() -> Result<Answer, FetchError> {
    Ok(Answer { fetched: Fetched::Unchanged, server_date: None })
}

fn trouble() -> Result<Answer, FetchError> {
    Err(FetchError::Status { status: 503, retry_after: None })
}

/// The active version, and the tag to ask with.
fn state(source: &SourceState) -> (String, Option<String>) {
    let published = source.registry.instance().board.load();
    let snapshot: &Snapshot = &published.snapshot;
    let moment = published.moment(Micros::new(0));
    let answer = snapshot.evaluate(snapshot.find("s", "version"), &Subject::absent(), &moment).answer;
    let version = answer.to_json().map_or_else(|| "none".to_owned(), Into::into);
    (version, source.tag().map(|tag| tag.as_str().to_owned()))
}

#[track_caller]
fn check(source: &SourceState, version: &str, tag: Option<&str>, health: Health) {
    assert_eq!(state(source), (version.to_owned(), tag.map(ToOwned::to_owned)));
    assert_eq!(source.health(), health);
}

#[test]
fn the_tag_is_that_of_the_active_document() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    check(&source, "none", None, Health::Starting);
    source.handle_answer(changed(document(1), "one"));
    check(&source, "1", Some("one"), Health::Fresh);
    source.handle_answer(changed(b"{".to_vec(), "two"));
    check(&source, "1", Some("one"), Health::Refused);
    source.handle_answer(trouble());
    check(&source, "1", Some("one"), Health::Stale);
    assert!(source.status.lock().refused.is_some(), "the source has not taken it back");
    source.handle_answer(changed(b"{".to_vec(), "two"));
    check(&source, "1", Some("one"), Health::Refused);
    source.handle_answer(unchanged());
    check(&source, "1", Some("one"), Health::Fresh);
    assert!(source.status.lock().refused.is_none());
    source.handle_answer(changed(document(1), "another name of it"));
    check(&source, "1", Some("another name of it"), Health::Fresh);
    source.handle_answer(changed(document(2), "three"));
    check(&source, "2", Some("three"), Health::Fresh);
    assert_eq!(source.status.lock().polls, 7);
}

#[test]
fn the_newest_tag_is_kept_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = source(folder.path());
    first.handle_answer(changed(document(1), "one"));
    first.handle_answer(changed(document(1), "another name of it"));
    drop(first);
    check(&source(folder.path()), "1", Some("another name of it"), Health::Starting);
}

#[test]
fn what_cannot_be_kept_is_asked_for_again_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    source.handle_answer(changed(document(1), "one"));
    let file = folder.path().join("cache-app.document");
    let error = |source: &SourceState| source.status.lock().cache.as_ref().unwrap().error.clone();
    assert!(file.exists() && error(&source).is_none());
    // A folder in the place of the file: no rename can succeed.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("full")).unwrap();
    source.handle_answer(changed(document(2), "two"));
    check(&source, "2", None, Health::Fresh);
    assert!(error(&source).is_some());
    source.handle_answer(changed(document(2), "two"));
    check(&source, "2", None, Health::Fresh);
    std::fs::remove_dir_all(&file).unwrap();
    source.handle_answer(changed(document(2), "two"));
    check(&source, "2", Some("two"), Health::Fresh);
    assert!(error(&source).is_none());
    assert!(file.is_file());
}

#[test]
fn without_a_disk_the_tag_is_used_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut source = source(&file);
    assert!(source.status.lock().cache.as_ref().unwrap().error.is_some());
    source.handle_answer(changed(document(1), "one"));
    check(&source, "1", Some("one"), Health::Fresh);
}

/// Dies `times` times while it loads this document.
fn die(folder: &Path, body: &[u8], times: u32) {
    for _ in 0..times {
        let cache = Cache::open(folder, "app").unwrap();
        drop(cache.poison().loading(body_digest(body)).unwrap().unwrap());
    }
}

#[test]
fn a_cached_document_that_kills_the_loader_is_skipped_at_the_third_start() {
    let folder = tempfile::tempdir().unwrap();
    source(folder.path()).handle_answer(changed(document(1), "one"));
    die(folder.path(), &document(1), 1);
    check(&source(folder.path()), "1", Some("one"), Health::Starting);
    die(folder.path(), &document(1), 2);
    let mut third = source(folder.path());
    check(&third, "none", None, Health::Starting);
    let poisoned = third.status.lock().poisoned.clone().unwrap();
    assert_eq!(poisoned.from, ServedFrom::Cache);
    assert_eq!(poisoned.body, format!("{:032x}", body_digest(&document(1))));
    third.handle_answer(changed(document(1), "one"));
    check(&third, "none", None, Health::Refused);
    third.handle_answer(changed(document(2), "two"));
    check(&third, "2", Some("two"), Health::Fresh);
}

#[test]
fn a_document_of_the_source_that_kills_the_loader_leaves_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    source(folder.path()).handle_answer(changed(document(1), "one"));
    die(folder.path(), &document(2), 2);
    let mut third = source(folder.path());
    third.handle_answer(changed(document(2), "two"));
    check(&third, "1", Some("one"), Health::Refused);
    assert_eq!(third.status.lock().poisoned.as_ref().unwrap().from, ServedFrom::Source);
    third.handle_answer(changed(document(2), "two"));
    check(&third, "1", Some("one"), Health::Refused);
    third.handle_answer(unchanged());
    check(&third, "1", Some("one"), Health::Fresh);
    assert_eq!(third.status.lock().poisoned, None);
}

#[test]
fn trouble_is_counted_from_its_beginning_and_forgotten_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    let clock = source.registry.instance().clock().clone();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        source.handle_answer(trouble());
    }
    let error = source.status.lock().last_error.clone().unwrap();
    assert_eq!((error.count, error.at.since(error.since).get()), (3, 2_000_000));
    assert!(error.message.contains("503"), "{}", error.message);
    source.handle_answer(changed(document(1), "one"));
    assert_eq!(source.status.lock().last_error, None);
}

#[test]
fn subscribers_are_notified_of_changes_and_of_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    let mut subscription = source.registry.instance().notifier.subscribe();
    let mut told = || subscription.try_recv().unwrap().map(|changes| (changes.document, changes.health));
    source.handle_answer(changed(document(1), "one"));
    assert_eq!(told(), Some((true, true)));
    source.handle_answer(unchanged());
    source.handle_answer(changed(document(1), "one"));
    assert_eq!(told(), None);
    source.handle_answer(trouble());
    assert_eq!(told(), Some((false, true)));
    source.handle_answer(trouble());
    assert_eq!(told(), None);
    source.handle_answer(changed(document(2), "two"));
    assert_eq!(told(), Some((true, true)));
    source.handle_answer(changed(document(3), "three"));
    assert_eq!(told(), Some((true, false)));
}

#[test]
fn trouble_is_one_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let mut source = source(folder.path());
        source.handle_answer(changed(document(1), "one"));
        assert_eq!(warnings.take(), Vec::<String>::new());
        for count in 0..50_u8 {
            source.handle_answer(trouble());
            source.handle_answer(changed(vec![count], "bad"));
        }
        assert_eq!(warnings.take().len(), 2, "one of the source, one of its document");
        for _ in 0..50 {
            source.handle_answer(unchanged());
            source.handle_answer(trouble());
        }
        assert_eq!(warnings.take(), Vec::<String>::new());
    });
}

#[test]
fn a_clock_that_is_off_is_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    let now = source.now();
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        // The date is cut to the second, and half a second is in the middle of what was cut.
        let mut offset = |milliseconds: i64| {
            let server_date = Some(ServerDate::at_once(Micros::new(now.get() - milliseconds * 1_000)));
            source
                .handle_answer(Ok(Answer { fetched: Fetched::Changed { body: document(1), tag: None }, server_date }));
            let clock = source.status.lock().clock.unwrap();
            ((clock.ahead_seconds * 10.0).round() / 10.0, clock.is_suspicious, warnings.take().len())
        };
        assert_eq!(offset(1_400), (0.9, false, 0), "it may be 0.4 s");
        assert_eq!(offset(520), (0.5, false, 0), "so it is");
        assert_eq!(offset(3_000), (2.5, true, 1));
        assert_eq!(offset(3_000), (2.5, true, 0));
        assert_eq!(offset(-60_000), (-60.5, true, 0));
        assert_eq!(offset(500), (0.0, false, 0));
        assert_eq!(offset(1_600), (1.1, true, 1));
    });
}

/// The document that is refused may be the one that says "stop", so its poll says nothing of how fresh the active one is.
#[test]
fn a_refused_200_is_no_successful_poll_for_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = source(folder.path());
    let clock = source.registry.instance().clock().clone();
    // From 0 to 100 % in 1,000 s; held 100 s after the last successful poll.
    let ramp = br#"{"s": {"x": {"stable": 0, "new": 1000, "interpolate": true, "lease": "100s",
        "start_time": "1970-01-01 00:16:40Z", "duration": "1000s"}}}"#;
    let value = |source: &SourceState, seconds: i64| {
        clock.set(Micros::new((1_000 + seconds) * 1_000_000));
        let published = source.registry.instance().board.load();
        let moment = published.moment(clock.now());
        let snapshot = &published.snapshot;
        snapshot.evaluate(snapshot.find("s", "x"), &Subject::absent(), &moment).answer.to_json().unwrap().into_owned()
    };
    source.handle_answer(changed(ramp.to_vec(), "one"));
    assert_eq!(value(&source, 50), "50");
    for answer in [changed(b"{".to_vec(), "two"), changed(b"[]".to_vec(), "three"), trouble()] {
        clock.set(Micros::new(1_090_000_000));
        source.handle_answer(answer);
    }
    assert_eq!(value(&source, 100), "100", "the lease holds it here");
    assert_eq!(value(&source, 300), "100", "90 s later it would go on, had a refused document counted");
    // A 304 is one.
    clock.set(Micros::new(1_300_000_000));
    source.handle_answer(unchanged());
    assert_eq!(value(&source, 350), "200", "twice as fast until it has caught up");
}
