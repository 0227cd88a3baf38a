//! Callbacks (F27) and text.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::*;

fn callback<F>(callback: F) -> Client
where
    F: Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync + 'static,
{
    Client::new(Source::callback(callback), quick())
}

/// A client of a callback that blocks until `release` is dropped or sent to.
fn blocking<F>(answer: F) -> (mpsc::Sender<()>, Client)
where
    F: Fn() -> Result<Fetched, BoxError> + Send + Sync + 'static,
{
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let source = Source::callback(move |_| {
        let _ = blocked.lock().unwrap().recv();
        answer()
    });
    (release, Client::new(source, FetchOptions { timeout: Duration::from_millis(150), ..quick() }))
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a callback's answer")]
fn good(tag: &str) -> Result<Fetched, BoxError> {
    Ok(Fetched::Changed { body: GOOD.into(), tag: Tag::new(tag).ok() })
}

#[test]
fn a_callback_is_asked_with_the_tag_at_hand_on_one_thread_of_its_own() {
    let threads = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&threads);
    let mut client = callback(move |have| {
        log.lock().unwrap().push(thread::current().id());
        if have.is_some_and(|tag| tag.as_str() == "1") { Ok(Fetched::Unchanged) } else { good("1") }
    });
    let (body, tag) = client.changed(None);
    assert_eq!(body, GOOD);
    client.unchanged(tag.as_ref());
    let threads = threads.lock().unwrap();
    assert_ne!(threads[0], thread::current().id());
    assert_eq!(threads[0], threads[1]);
}

#[test]
fn errors_and_panics_are_errors_and_it_is_called_again() {
    let calls = AtomicUsize::new(0);
    let mut client = callback(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Err("the database is closed".into()),
        1 => panic!("index {} is bad", 7),
        2 => Ok(Fetched::Unchanged),
        3 => Ok(Fetched::Changed { body: vec![b' '; 100_001], tag: None }),
        _ => good("1"),
    });
    client.fails_with("the callback failed: the database is closed");
    client.fails_with("the callback panicked: index 7 is bad");
    assert!(matches!(client.fails(None), FetchError::NotModifiedUnasked));
    assert!(matches!(client.fails(None), FetchError::BodyTooBig { limit: 100_000 }));
    assert_eq!(client.changed(None).0, GOOD);
}

#[test]
fn a_callback_that_blocks_is_not_called_again_until_it_returns() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let (release, mut client) = blocking(move || good(&count.fetch_add(1, Ordering::Relaxed).to_string()));
    client.fails_with("timed out after 150ms waiting for the call to come back");
    for _ in 0..3 {
        let error = client.fails_with("no second one is started until it does");
        assert!(matches!(error, FetchError::StillRunning { .. }));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    drop(release);
    // Its late answer is thrown away.
    let until = Instant::now() + Duration::from_secs(10);
    let tag = loop {
        match client.fetch(None) {
            Ok(Answer { fetched: Fetched::Changed { tag, .. }, .. }) => break tag,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
        thread::yield_now();
    };
    assert_ne!(tag, Tag::new("0").ok());
}

#[test]
fn a_fetch_that_was_given_up_does_not_start_a_second_call() {
    let (release, mut client) = blocking(|| good("1"));
    let Client { runtime, fetcher } = &mut client;
    let given_up =
        runtime.block_on(async { tokio::time::timeout(Duration::from_millis(20), fetcher.fetch(None)).await });
    assert!(given_up.is_err());
    assert!(matches!(client.fails(None), FetchError::StillRunning { .. }));
    drop(release);
}

#[test]
fn dropping_a_client_does_not_wait_for_its_callback() {
    let (release, mut client) = blocking(|| good("1"));
    client.fails(None);
    drop(client);
    drop(release);
}

#[test]
fn text_changes_once() {
    let mut client = Client::new(Source::text(GOOD), quick());
    let (body, tag) = client.changed(None);
    assert_eq!(body, GOOD);
    client.unchanged(tag.as_ref());
    assert_eq!(client.changed(Tag::new("another").ok().as_ref()).0, GOOD);
}

#[test]
fn sources_are_told_apart() {
    let print = |source: Source| source.fingerprint();
    let http = |url: &str| print(Source::http(url).unwrap());
    assert_eq!(http("http://a.example/x"), http("http://user:word@a.example/x"));
    assert_ne!(http("http://a.example/x"), http("http://a.example/x?env=prod"));
    assert_ne!(http("http://a.example/x?env=dev"), http("http://a.example/x?env=prod"));
    assert_ne!(print(Source::file("a")), print(Source::file("b")));
    assert_ne!(print(Source::text("a")), print(Source::callback(|_| good("1"))));
}
