//! Callbacks that misbehave (F27): they block, panic, answer nonsense, call back. A reader saw version 1 all the
//! while, and then version 2.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tidegate::{BoxError, Fetched, Health, Tag, Tidegate};

use super::support::{Host, Reader, document, until, version};

type Answer = Result<Fetched, BoxError>;

fn changed(version: u32) -> Fetched {
    Fetched::Changed { body: document(version).into_bytes(), tag: None }
}

/// Answers version 1, then `bad`, then version 2.
fn check(name: &str, health: Health, words: &str, bad: impl Fn() -> Answer + Send + Sync + 'static) {
    let host = Host::new();
    let phase = Arc::new(AtomicU32::new(1));
    let callback = {
        let phase = Arc::clone(&phase);
        move |_: Option<&Tag>| match phase.load(Ordering::SeqCst) {
            0 => bad(),
            version => Ok(changed(version)),
        }
    };
    let tide = host.builder().callback(callback).connect().unwrap();
    let reader = Reader::start(&tide, &[1, 2]);
    phase.store(0, Ordering::SeqCst);
    until(name, || tide.status().health == health);
    let status = tide.status();
    let message = status.last_error.map(|error| error.message).or(status.refused.map(|refused| refused.message));
    assert!(message.as_ref().unwrap().contains(words), "{name}: {message:?}");
    assert_eq!(version(&tide), 1, "{name}");
    phase.store(2, Ordering::SeqCst);
    until(name, || version(&tide) == 2);
    reader.finish();
}

#[test]
fn callbacks_that_fail() {
    check("error", Health::Stale, "out of order", || Err("out of order".into()));
    check("panic", Health::Stale, "boom", || panic!("boom"));
    check("garbage", Health::Refused, "", || Ok(Fetched::Changed { body: vec![0xff; 100], tag: None }));
    check("unchanged, though nothing was given", Health::Stale, "not modified", || Ok(Fetched::Unchanged));
    check("huge", Health::Stale, "limit", || Ok(Fetched::Changed { body: vec![b' '; 17 << 20], tag: None }));
}

#[test]
fn one_that_never_returns_is_left_behind() {
    let host = Host::new();
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let calls = Arc::new(AtomicU32::new(0));
    let callback = {
        let (gate, calls) = (Arc::clone(&gate), Arc::clone(&calls));
        move |_: Option<&Tag>| {
            if calls.fetch_add(1, Ordering::SeqCst) > 0 {
                let open = gate.0.lock().unwrap();
                drop(gate.1.wait_while(open, |open| !*open).unwrap());
            }
            Ok(changed(1))
        }
    };
    let tide = host.builder().callback(callback).timeout(Duration::from_millis(100)).connect().unwrap();
    let reader = Reader::start(&tide, &[1]);
    until("it is given up", || tide.status().last_error.is_some_and(|error| error.count >= 2));
    assert_eq!(calls.load(Ordering::SeqCst), 2, "it is not called again before it has come back");
    reader.finish();
    let before = Instant::now();
    drop(tide);
    assert!(before.elapsed() < Duration::from_secs(10), "no thread waits for it: {:?}", before.elapsed());
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}

#[test]
fn one_that_reads_flags_itself() {
    let host = Host::new();
    let own: Arc<OnceLock<Tidegate>> = Arc::default();
    let callback = {
        let own = Arc::clone(&own);
        move |_: Option<&Tag>| {
            let seen = own.get().map_or(1, |tide| {
                let _ = (tide.status(), tide.flag("features", "on").is_active_for("k"), tide.view());
                version(tide)
            });
            Ok(changed((seen + 1).min(5)))
        }
    };
    let tide = host.builder().callback(callback).connect().unwrap();
    own.set(tide.clone()).unwrap();
    until("it has counted up", || version(&tide) == 5);
}

#[test]
fn a_callback_is_given_the_tag_of_what_is_active() {
    let host = Host::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let callback = {
        let seen = Arc::clone(&seen);
        move |tag: Option<&Tag>| -> Answer {
            seen.lock().unwrap().push(tag.map(|tag| tag.as_str().to_owned()));
            match tag {
                Some(_) => Ok(Fetched::Unchanged),
                None => Ok(Fetched::Changed { body: document(1).into_bytes(), tag: Some(Tag::new("revision 1")?) }),
            }
        }
    };
    let tide = host.builder().callback(callback).cache_name("app").connect().unwrap();
    until("it has been asked again", || seen.lock().unwrap().len() >= 3);
    let first = seen.lock().unwrap()[..3].to_vec();
    assert_eq!(first, [None, Some("revision 1".to_owned()), Some("revision 1".to_owned())]);
    assert_eq!((version(&tide), tide.status().tag.as_deref()), (1, Some("revision 1")));
}
