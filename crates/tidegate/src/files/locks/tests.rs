use std::fs;
use std::os::unix::fs::PermissionsExt;

use tidegate_engine::{Micros, Pin, Variant};

use super::*;

fn lock(flag: &str, value: &str) -> HostLock {
    HostLock {
        flag: FlagKey::parse(flag),
        pin: Pin::Value(value.into()),
        actor: "dana".to_owned(),
        reason: "a trial".to_owned(),
        until: None,
    }
}

fn file() -> (tempfile::TempDir, LockFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = LockFile::at(folder.path().join("state/tidegate/locks.json"));
    (folder, file)
}

/// What is wrong with a text; nothing is `Ok`.
fn check(text: &str, expected: Result<usize, &str>) {
    let found = content::parse(text.as_bytes());
    match expected {
        Ok(count) => assert_eq!(found.map(|locks| locks.len()), Ok(count), "{text}"),
        Err(problem) => assert_eq!(found.unwrap_err().join("; "), problem, "{text}"),
    }
}

#[test]
fn read_leniently_where_nothing_can_be_misunderstood() {
    check(r#"{"locks": []}"#, Ok(0));
    check(r#"[{"flag": "x", "variant": "new"}]"#, Ok(1));
    check("\u{feff}{\"locks\": []}", Ok(0));
    check(
        r#"{"comment": 1, "locks": [{"flag": "a/b", "value": {"x": [1, 2]}, "actor": null, "colour": "red"}]}"#,
        Ok(1),
    );
    check(r#"{"locks": [{"flag": "x", "value": null, "until": "2026-12-01 00:00Z"}]}"#, Ok(1));
}

#[test]
fn the_old_names_of_actor_and_reason_are_read_and_the_new_ones_written() {
    let old = r#"{"locks": [{"flag": "x", "variant": "new", "who": "dana", "why": "INC-1"}]}"#;
    let locks = content::parse(old.as_bytes()).unwrap();
    assert_eq!((locks[0].actor.as_str(), locks[0].reason.as_str()), ("dana", "INC-1"));
    let written = content::render(&locks);
    assert!(written.contains(r#""actor":"dana","reason":"INC-1""#) && !written.contains("who"), "{written}");
    assert_eq!(content::parse(written.as_bytes()).unwrap(), locks);
    let both = r#"[{"flag": "x", "variant": "new", "who": "old", "actor": "new"}]"#;
    assert_eq!(content::parse(both.as_bytes()).unwrap()[0].actor, "new");
    check(r#"[{"flag": "x", "variant": "new", "who": 7}]"#, Err("`locks[0]`: `who` is not a text"));
}

#[test]
fn refused_with_all_that_is_wrong() {
    check("", Err(r#"it is empty; write `{"locks": []}`, or remove it"#));
    check("{}", Err("missing field `locks` at line 1 column 2"));
    check(r#"{"locks": [{"flag": "x", "variant": "new"}"#, Err("EOF while parsing a list at line 1 column 42"));
    check(r#"[7, {"flag": 7}]"#, Err("`locks[0]`: is not an object; `locks[1]`: `flag` is not a text"));
    check(r#"[{"variant": "new"}]"#, Err("`locks[0]`: `flag` is missing"));
    check(r#"[{"flag": "x"}]"#, Err("`locks[0]`: has neither `variant` nor `value`; say which"));
    check(
        r#"[{"flag": "x", "variant": "new", "value": 1}]"#,
        Err("`locks[0]`: has both `variant` and `value`; leave one of them out"),
    );
    check(r#"[{"flag": "x", "variant": "old"}]"#, Err("`locks[0]`: `variant` is neither `stable` nor `new`"));
    let twice = content::parse(br#"[{"flag": "x", "value": {"a": 1, "a": 2}}]"#).unwrap_err();
    assert!(twice[0].contains("`a`"), "{twice:?}");
    let until = content::parse(br#"[{"flag": "x", "value": 1, "until": "soon"}]"#).unwrap_err();
    assert!(until[0].starts_with("`locks[0]`: `until`: "), "{until:?}");
    assert_eq!(content::parse(b"\xff").unwrap_err(), ["it is not UTF-8"]);
    let many = format!("[{}7]", "7,".repeat(30));
    assert_eq!(content::parse(many.as_bytes()).unwrap_err().last().unwrap(), "and 21 more");
}

#[test]
fn locks_are_added_read_and_removed() {
    let (_folder, file) = file();
    assert_eq!(file.list().unwrap(), []);
    assert_eq!(file.add(&lock("features/x", "[ 1, 2 ]")).unwrap(), None);
    let until = Some(Micros::new(1_800_000_000_000_000));
    let other = HostLock { pin: Pin::Variant(Variant::New), until, ..lock("a%2Fb/c/d", "0") };
    assert_eq!(file.add(&other).unwrap(), None);
    assert_eq!(file.list().unwrap(), [lock("features/x", "[1,2]"), other.clone()]);
    assert_eq!(file.add(&lock("features/x", "3")).unwrap(), Some(lock("features/x", "[1,2]")));
    assert_eq!(file.list().unwrap(), [other.clone(), lock("features/x", "3")]);
    assert_eq!(file.remove(&other.flag).unwrap(), Some(other.clone()));
    assert_eq!(file.remove(&other.flag).unwrap(), None);
    assert_eq!(file.list().unwrap(), [lock("features/x", "3")]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file.path()), mode(file.path().parent().unwrap())), (0o600, 0o700));
}

#[test]
fn an_illegal_lock_is_refused() {
    let (_folder, file) = file();
    let refused = |lock: &HostLock| file.add(lock).unwrap_err().to_string();
    assert!(refused(&lock("x", "{")).contains("`value` is not JSON"));
    assert!(refused(&lock("x", "1}, \"y\": {\"stable\": 2")).contains("`value` is not JSON"));
    assert!(refused(&lock("x", &format!("\"{}\"", "x".repeat(70_000)))).contains("VALUE_BYTES_MAX"));
    assert!(refused(&lock(&"x".repeat(300), "1")).contains("NAME_BYTES_MAX"));
    assert!(refused(&HostLock { reason: "x".repeat(5_000), ..lock("x", "1") }).contains("`reason` has 5000 bytes"));
    let interpolated = HostLock { pin: Pin::Variant(Variant::Interpolated), ..lock("x", "1") };
    assert!(refused(&interpolated).contains("neither"));
    assert!(!file.path().exists());
}

#[test]
fn what_would_not_be_read_back_is_not_written() {
    let (_folder, file) = file();
    let long = |number: usize| HostLock { reason: "\u{7}".repeat(4 * 1024), ..lock(&format!("f{number}"), "1") };
    let refused = (0..1_000).find_map(|number| file.add(&long(number)).err().map(|error| (number, error)));
    let (number, error) = refused.unwrap();
    assert!(matches!(error, LockError::TooBig { .. }), "{error}");
    assert_eq!(file.list().unwrap().len(), number, "those before it are all there");
    file.remove(&FlagKey::parse("f0")).unwrap();
    file.add(&lock("small", "1")).unwrap();
    let never = HostLock { until: Some(Micros::MAX), ..lock("x", "1") };
    assert!(file.add(&never).unwrap_err().to_string().contains("`until` lies outside"));
    assert_eq!(file.list().unwrap().len(), number);
}

#[test]
fn a_damaged_file_is_left_alone() {
    let (_folder, file) = file();
    file.add(&lock("x", "1")).unwrap();
    fs::write(file.path(), "{\"locks\": [").unwrap();
    assert!(matches!(file.add(&lock("y", "2")), Err(LockError::Content { .. })));
    assert!(matches!(file.remove(&FlagKey::parse("x")), Err(LockError::Content { .. })));
    assert_eq!(fs::read(file.path()).unwrap(), b"{\"locks\": [");
}

#[test]
fn changes_at_the_same_time_lose_nothing() {
    let (_folder, file) = file();
    thread::scope(|scope| {
        for writer in 0..4 {
            let file = file.clone();
            scope.spawn(move || {
                for count in 0..10 {
                    file.add(&lock(&format!("writer-{writer}/{count}"), "1")).unwrap();
                }
            });
        }
    });
    assert_eq!(file.list().unwrap().len(), 40);
}

#[test]
fn the_watch_keeps_the_last_good_locks() {
    let (_folder, file) = file();
    let mut watch = LockWatch::new(Some(file.clone()));
    let now = Micros::new;
    assert!(!watch.poll(now(0)), "no file, no locks");
    file.add(&lock("x", "1")).unwrap();
    assert!(watch.poll(now(1)));
    assert_eq!(watch.locks(), [lock("x", "1")]);
    assert!(!watch.poll(now(2)));
    fs::write(file.path(), "{").unwrap();
    assert!(watch.poll(now(3)), "there is trouble to tell");
    assert!(!watch.poll(now(4)), "it is told once");
    assert_eq!(watch.locks(), [lock("x", "1")]);
    let trouble = watch.trouble().unwrap();
    assert_eq!(trouble.since, now(3));
    assert!(trouble.message.contains("is not a list of locks"), "{}", trouble.message);
    fs::write(file.path(), "[]").unwrap();
    assert!(watch.poll(now(5)));
    assert_eq!((watch.locks(), watch.trouble()), (&[][..], None));
    file.add(&lock("y", "2")).unwrap();
    assert!(watch.poll(now(6)));
    fs::remove_file(file.path()).unwrap();
    assert!(watch.poll(now(7)), "to remove the file is to unlock");
    assert_eq!(watch.locks(), []);
}

#[test]
fn a_second_write_within_a_tick_is_seen() {
    let (_folder, file) = file();
    file.add(&lock("x", "1")).unwrap();
    let mut watch = LockWatch::new(Some(file.clone()));
    assert!(watch.poll(Micros::new(0)));
    let stamp = fs::metadata(file.path()).unwrap().modified().unwrap();
    let text = fs::read_to_string(file.path()).unwrap().replace("\"value\":1", "\"value\":2");
    fs::write(file.path(), text).unwrap();
    File::options().write(true).open(file.path()).unwrap().set_modified(stamp).unwrap();
    assert!(watch.poll(Micros::new(1)));
    assert_eq!(watch.locks(), [lock("x", "2")]);
}

#[test]
fn links_are_not_followed() {
    let (folder, file) = file();
    file.add(&lock("x", "1")).unwrap();
    let link = folder.path().join("state/tidegate/link.json");
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    assert!(matches!(LockFile::at(link).list(), Err(LockError::File(FileError::NotOurs { .. }))));
}
