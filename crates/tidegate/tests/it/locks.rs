//! Locks of this host while programs run.

use std::fs;
use std::time::Duration;

use tidegate::locks::LockFile;
use tidegate::{Clock, FlagKey, HostLock, Micros, Pin, Rule, Tidegate, Variant, parse_time};

use super::support::{Host, document, until, version};

fn lock(flag: &str, pin: Pin) -> HostLock {
    HostLock { flag: FlagKey::parse(flag), pin, actor: "dana".to_owned(), reason: "INC-1234".to_owned(), until: None }
}

fn value(text: &str) -> Pin {
    Pin::Value(text.into())
}

#[test]
fn a_lock_is_seen_while_running_and_survives_a_restart() {
    let host = Host::new();
    let connect = || host.builder().text(document(1)).connect().unwrap();
    let tide = connect();
    let handle = tide.flag("features", "on");
    let mut changes = tide.subscribe();
    let file = LockFile::at(host.locks());
    file.add(&lock("features/version", value("7"))).unwrap();
    let told = changes.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(told.locks && !told.document, "{told:?}");
    assert!(told.flags.contains("features/version") && !told.flags.contains("features/on"), "{told:?}");
    assert_eq!(version(&tide), 7);
    file.add(&lock("features/on", value("false"))).unwrap();
    until("the handle sees it", || !handle.is_active_for("k"));
    assert_eq!(handle.variant_for("k"), None);
    file.add(&lock("not/defined", value("\"it\""))).unwrap();
    until("the unknown flag has a value", || tide.raw("not", "defined", "k").as_deref() == Some("\"it\""));

    let explained = tide.explain("features", "version", "k");
    assert_eq!((explained.rule, explained.value.as_deref()), (Rule::HostLock, Some("7")));
    assert_eq!(explained.lock.unwrap().reason, "INC-1234");
    let status = tide.status().locks;
    assert_eq!(status.locks.len(), 3);
    assert_eq!(status.file, Some(host.locks().display().to_string()));
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!((&json["locks"][0]["flag"], &json["locks"][0]["value"]), (&"features/version".into(), &7.into()));
    assert_eq!((&json["locks"][0]["reason"], &json["locks"][0]["is_expired"]), (&"INC-1234".into(), &false.into()));
    drop((tide, handle));

    let tide = connect();
    assert_eq!(version(&tide), 7, "locks survive a restart");
    file.remove(&FlagKey::parse("features/version")).unwrap();
    until("it is unlocked", || version(&tide) == 1);
}

#[test]
fn a_lock_expires_to_the_microsecond() {
    let host = Host::new();
    let until = parse_time("2026-06-01T00:00:00Z").unwrap();
    let file = LockFile::at(host.locks());
    file.add(&HostLock { until: Some(until), ..lock("features/version", value("7")) }).unwrap();
    let clock = Clock::manual(Micros::new(until.get() - 1));
    let tide = host.builder().text(document(1)).clock(clock.clone()).connect().unwrap();
    assert_eq!(version(&tide), 7);
    assert_eq!(tide.explain("features", "version", "k").valid_until, Some(until));
    assert!(!tide.status().locks.locks[0].is_expired);
    clock.set(until);
    assert_eq!(version(&tide), 1);
    assert!(tide.status().locks.locks[0].is_expired);
}

#[test]
fn a_damaged_file_keeps_the_last_good_locks() {
    let host = Host::new();
    let file = LockFile::at(host.locks());
    file.add(&lock("features/on", Pin::Variant(Variant::Stable))).unwrap();
    file.add(&lock("features/version", value("7"))).unwrap();
    let tide = host.builder().text(document(1)).connect().unwrap();
    let mut changes = tide.subscribe();
    let replace = |text: &str| {
        let new = host.path("state/new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, host.locks()).unwrap();
    };
    replace(r#"{"locks": [{"flag": "features/version", "vlaue": 8}]}"#);
    assert!(changes.recv_timeout(Duration::from_secs(30)).unwrap().locks);
    // The file is not written in one piece, so for a moment it may be found empty.
    until("the status says what is wrong", || {
        let trouble = tide.status().locks.error;
        trouble.is_some_and(|trouble| trouble.message.contains("`locks[0]`: has neither `variant` nor `value`"))
    });
    assert_eq!((version(&tide), tide.status().locks.locks.len()), (7, 2));
    replace("[]");
    until("the fixed file is used", || version(&tide) == 1 && tide.status().locks.error.is_none());
}

#[test]
fn pins_of_the_program_stand_below_those_of_the_host() {
    let host = Host::new();
    let build =
        || Tidegate::builder().text(document(1)).locks_file(host.locks()).pin("features/version", value("[ 5 ]"));
    let tide = build().connect().unwrap();
    assert_eq!(tide.raw("features", "version", "k").as_deref(), Some("[5]"));
    LockFile::at(host.locks()).add(&lock("features/version", value("6"))).unwrap();
    until("the file's is active", || version(&tide) == 6);
    assert_eq!(tide.status().locks.locks.len(), 2);
    let refused = build().pin("features/x", value("{")).connect().unwrap_err();
    assert!(refused.to_string().starts_with("`features/x` cannot be pinned: `value` is not JSON"), "{refused}");
}
