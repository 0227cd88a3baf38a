//! Live changes of one node, over its own threads and a real store.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate::{
    Builder, ChangeError, Clock, ConnectError, Health, Level, Live, LiveError, Micros, Pin, Source, Span, Tidegate,
    Variant, WriteError,
};

const DAY: i64 = 86_400_000_000;

fn builder(live: Live) -> Builder {
    Tidegate::builder().live(live.name("node")).without_locks()
}

fn memory() -> Tidegate {
    builder(Live::in_memory()).connect().unwrap()
}

fn at(folder: &Path) -> Tidegate {
    builder(Live::at(folder)).connect().unwrap()
}

fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_flag_is_off_then_on_then_off_again() {
    let tide = memory();
    assert!(!tide.is_active("blog"), "it is unknown");
    let receipt = tide.activate("blog").actor("dana").reason("ready").send().unwrap();
    assert!(receipt.is_reached && receipt.flag.to_string() == "flags/blog");
    assert_eq!((receipt.durable_on.len(), receipt.durable_on[0].name.as_str()), (1, "node"));
    let (handle, view) = (tide.flag("flags", "blog"), tide.view());
    assert!(tide.is_active("blog") && tide.is_active_for("flags/blog", "k") && handle.is_active_for("k"));
    tide.deactivate("flags/blog").send().unwrap();
    assert!(!tide.is_active("blog") && !tide.is_active_for("blog", "k") && !handle.is_active_for("k"));
    assert!(view.is_active_for("blog", "k"), "a view does not move");
    tide.clear("blog").send().unwrap();
    assert!(tide.snapshot().find_key("blog").is_none());
}

#[test]
fn changes_outlive_their_process_and_say_who_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let tide = at(folder.path());
    let first = tide.activate_percentage("f/x", "12.5").actor("dana").reason("slowly").send().unwrap();
    tide.define("f/y", r#"{"stable": 1, "new": 2}"#).send().unwrap();
    tide.activate_percentage("f/x", 25).actor("lee").send().unwrap();
    tide.activate("f/y").send().unwrap();
    drop(tide);
    let tide = at(folder.path());
    assert_eq!(tide.get("f", "y", "k", 0), 2);
    let index = tide.snapshot().find("f", "x").unwrap();
    assert_eq!(tide.snapshot().flag(index).activation().unwrap().share.to_string(), "25");
    let page = tide.cluster().unwrap().history("f/x", None, 1).unwrap();
    assert_eq!((page.changes.len(), page.changes[0].actor.as_str()), (1, "lee"));
    assert_eq!(page.changes[0].replaced, Some(first.stamp));
    let page = tide.cluster().unwrap().history("f/x", page.next, 10).unwrap();
    assert_eq!((page.changes.len(), page.changes[0].reason.as_str(), page.next), (1, "slowly", None));
    assert_eq!(
        serde_json::to_string(&page.changes[0].value).unwrap(),
        r#"{"percentage":12.5,"until":null,"defined":false}"#
    );
    let busy = builder(Live::at(folder.path())).connect();
    assert!(matches!(busy, Err(ConnectError::Live(LiveError::Open(_)))), "one process per folder: {busy:?}");
}

#[test]
fn a_flag_of_the_longest_names_is_like_any_other() {
    // Each byte of the section takes three in the flag key.
    let name = format!("{}/{}", "%25".repeat(256), "%".repeat(256));
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tide = at(folder.path());
    tide.define(&name, r#"{"stable": 1, "new": 2}"#).send().unwrap();
    tide.activate(&name).send().unwrap();
    drop(tide);
    let tide = at(folder.path());
    let cluster = tide.cluster().unwrap();
    assert_eq!(cluster.history(&name, None, 9).unwrap().changes.len(), 2);
    let mut backup = Vec::new();
    assert_eq!(cluster.backup(&mut backup).unwrap(), 2);
    let restored = at(other.path());
    restored.cluster().unwrap().restore(&backup[..], false, "dana").unwrap();
    for tide in [tide, restored] {
        assert_eq!(tide.get(&"%".repeat(256), &"%".repeat(256), "k", 0), 2);
    }
    let too_long = format!("{}/x", "%25".repeat(257));
    let tide = memory();
    assert!(matches!(tide.activate(&too_long).send(), Err(ChangeError::Name { .. })));
}

#[test]
fn what_stands_in_the_registers_of_a_flag() {
    let text = r#"{"f": {"x": {"stable": 1}}}"#;
    let tide = builder(Live::in_memory()).text(text).connect().unwrap();
    let cluster = tide.cluster().unwrap();
    let nothing = cluster.flag("f/z").unwrap();
    assert!(nothing.activation.is_none() && nothing.definition.is_none() && nothing.document.is_none());
    let receipt = tide.activate_percentage("f/x", "0.5").actor("dana").reason("a look").send().unwrap();
    tide.define("y", r#"{"stable": 2}"#).send().unwrap();
    tide.remove("y").send().unwrap();
    let x = cluster.flag("f/x").unwrap();
    let activation = x.activation.unwrap();
    assert_eq!(
        (activation.stamp, activation.actor.as_str(), activation.reason.as_str()),
        (receipt.stamp, "dana", "a look")
    );
    assert_eq!(serde_json::to_string(&activation.value).unwrap(), r#"{"percentage":0.5,"until":null,"defined":true}"#);
    assert!(x.definition.is_none() && x.document.is_some());
    let removed = cluster.flag("y").unwrap().definition.unwrap();
    assert!(removed.value.is_none(), "it is remembered that it was removed");
    tide.define("y", r#"{"stable": 3}"#).if_stamp(Some(removed.stamp)).send().unwrap();
    assert!(tide.define("y", r#"{"stable": 4}"#).if_stamp(Some(removed.stamp)).send().is_err());
    let all: Vec<String> = cluster.flags().unwrap().iter().map(|record| record.flag.to_string()).collect();
    assert_eq!(all, ["f/x", "flags/y"]);
    let keys = ["flags/y", "f/x", "flags/never"].map(tidegate::FlagKey::parse);
    let records = cluster.records(&keys).unwrap();
    assert_eq!(records.iter().map(|record| record.flag.clone()).collect::<Vec<_>>(), keys);
    assert!(records[0].definition.is_some() && records[1].document.is_some() && records[2].activation.is_none());
    tide.remove("y").send().unwrap();
    tide.activate("z").send().unwrap();
    let changed: Vec<String> = cluster.changed_flags(|_| true).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["f/x", "flags/z"], "what was removed says nothing");
    assert_eq!(cluster.changed_flags(|flag| flag.section() == "f").unwrap().len(), 1);
}

/// A restore whose caller has given up ends, and goes on when it is run again.
#[test]
fn a_restore_goes_on_as_long_as_it_is_wanted() {
    let (one, other) = (memory(), memory());
    for number in 0..600 {
        one.activate(&format!("flag-{number}")).send().unwrap();
    }
    let mut backup = Vec::new();
    one.cluster().unwrap().backup(&mut backup).unwrap();
    let cluster = other.cluster().unwrap();
    let asked = std::cell::Cell::new(0);
    // It is asked before each batch of 256.
    let is_wanted = || asked.replace(asked.get() + 1) < 2;
    match cluster.restore_while(&*backup, false, "dana", "", is_wanted) {
        Err(tidegate::RestoreError::Interrupted { written: 512 }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(cluster.changed_flags(|_| true).unwrap().len(), 512);
    let restored = cluster.restore(&*backup, false, "dana").unwrap();
    assert_eq!((restored.written, restored.left), (88, 512));
}

#[test]
fn an_activation_ends_by_itself() {
    let clock = Clock::manual(Micros::new(DAY));
    let tide = builder(Live::in_memory()).clock(clock.clone()).connect().unwrap();
    let until = Micros::new(DAY).saturating_add(Span::SECOND);
    tide.activate("blog").until(until).send().unwrap();
    assert!(tide.is_active("blog"));
    assert_eq!(tide.explain("flags", "blog", "k").valid_until, Some(until));
    clock.set(until);
    assert!(!tide.is_active("blog"));
    let past = tide.activate("blog").until(until).send();
    assert!(matches!(past, Err(ChangeError::Past { .. })), "{past:?}");
}

#[test]
fn mistakes_change_nothing_and_say_what_to_do() {
    let tide = memory();
    let long = "x".repeat(2_000);
    let refused = [
        (tide.activate_percentage("x", 101), "write a number from 0 to 100"),
        (tide.activate_percentage("x", "ten"), "is not a number"),
        (tide.activate_percentage("x", 0.000_000_1), "six decimals"),
        (tide.activate("a\u{7}b"), "control character"),
        (tide.activate(&"x".repeat(300)), "300 bytes"),
        (tide.activate(""), "empty"),
        (tide.activate("x").reason(&long), "reason has 2000 bytes"),
        (tide.activate("x").actor(&long), "actor has 2000 bytes"),
        (tide.define("x", r#"{"new": 1}"#), "stable"),
        (tide.define("x", r#"{"stable": 1}, "y": {"stable": 2}"#), "entry of one flag"),
        (
            tide.define(
                "x",
                r#"{"stable": 1, "new": 2, "end_time": "2030-01-01 00:00Z", "duration": "1d", "lease": "1h"}"#,
            ),
            "lease",
        ),
    ];
    for (change, hint) in refused {
        let error = change.send().unwrap_err().to_string();
        assert!(error.contains(hint), "`{hint}` is not in: {error}");
    }
    assert_eq!(tide.cluster().unwrap().status().unwrap().node.registers, 0);
    let plain = Tidegate::builder().text("{}").without_locks().connect().unwrap();
    assert!(matches!(plain.activate("x").send(), Err(ChangeError::NotLive)));
    assert!(plain.cluster().is_none());
    for name in ["", "a\nb"] {
        let named = Tidegate::builder().live(Live::in_memory().name(name)).without_locks().connect();
        assert!(matches!(named, Err(ConnectError::Live(LiveError::Name { .. }))), "{named:?}");
    }
}

#[test]
fn a_change_may_depend_on_what_was_seen() {
    let tide = memory();
    let first = tide.activate("x").if_stamp(None).send().unwrap();
    let second = tide.deactivate("x").if_stamp(Some(first.stamp)).send().unwrap();
    for seen in [None, Some(first.stamp)] {
        let lost = tide.activate("x").if_stamp(seen).send();
        let Err(ChangeError::Refused(WriteError::Conflict { found, .. })) = lost else { panic!("{lost:?}") };
        assert_eq!(found, Some(second.stamp));
    }
    assert!(!tide.is_active("x"));
}

#[test]
fn a_process_has_documents_and_live_changes_both() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"f": {"x": {"stable": "a", "new": "b", "start_time": "1970-01-01 00:00Z", "duration": "1d"},
        "off": {"stable": false, "new": true, "enabled": false}}}"#;
    let open = |text: &str| builder(Live::at(folder.path())).text(text).connect().unwrap();
    let tide = open(text);
    assert_eq!(tide.raw("f", "x", "k").as_deref(), Some("\"b\""));
    tide.deactivate("f/x").send().unwrap();
    tide.activate("f/off").send().unwrap();
    assert_eq!(tide.raw("f", "x", "k").as_deref(), Some("\"a\""), "the activation stands above the ramp");
    assert!(tide.is_active("f/off"), "and above the switch");
    let twice = tide.define("f/x", r#"{"stable": 1}"#).send();
    assert!(matches!(twice, Err(ChangeError::DefinedByDocument { .. })), "{twice:?}");
    tide.define("f/z", r#"{"stable": 5}"#).send().unwrap();
    assert_eq!((tide.get("f", "z", "k", 0), tide.status().flags), (5, 3));
    tide.clear("f/x").send().unwrap();
    assert_eq!(tide.raw("f", "x", "k").as_deref(), Some("\"b\""), "the ramp again");
    tide.deactivate("f/x").send().unwrap();
    drop(tide);
    // Without its document it is not guessed what the flag is; a flag of ours is as it was.
    let tide = open("{}");
    assert_eq!((tide.raw("f", "x", "k"), tide.get("f", "z", "k", 0)), (None, 5));
    // Changed as a flag that is known, it still is not a boolean flag.
    tide.activate("f/x").existing().send().unwrap();
    assert_eq!(tide.raw("f", "x", "k"), None);
    drop(tide);
    // A document that defines it now counts for more.
    let tide = open(r#"{"f": {"z": {"stable": 6}}}"#);
    assert_eq!(tide.get("f", "z", "k", 0), 6);
    assert_eq!(tide.cluster().unwrap().status().unwrap().shadowed.len(), 1);
    tide.remove("f/z").send().unwrap();
    assert!(tide.cluster().unwrap().status().unwrap().shadowed.is_empty());
}

#[test]
fn defaults_stand_below_everything() {
    let folder = tempfile::tempdir().unwrap();
    let open = || builder(Live::at(folder.path())).default_percentage("blog", 100).connect().unwrap();
    let tide = open();
    assert!(tide.is_active("blog") && tide.flag("flags", "blog").is_active_for("k"));
    tide.deactivate("blog").send().unwrap();
    assert!(!tide.is_active("blog"));
    drop(tide);
    let tide = open();
    assert!(!tide.is_active("blog"), "what was changed stays changed");
    tide.clear("blog").send().unwrap();
    assert!(tide.is_active("blog"), "nothing defines it any more");
    tide.define("blog", r#"{"stable": "a"}"#).send().unwrap();
    assert_eq!(tide.raw("flags", "blog", "k").as_deref(), Some("\"a\""));
    let wrong = builder(Live::in_memory()).default_percentage("blog", 101).connect();
    assert!(matches!(wrong, Err(ConnectError::Default { .. })), "{wrong:?}");
}

#[test]
fn what_no_node_could_activate_is_not_accepted() {
    let tide = memory();
    let entries = [
        r#"{"stable": 1}}, "$schema": {"x": 1"#,
        r#"{"stable": 1, "new": 2, "start_time": "0001-01-01T00:00:00+01:00", "duration": "1h"}"#,
        r#"{"stable": 1, "new": 2, "end_time": "9999-12-31T00:00:00Z", "duration": "1d",
            "rollback": {"start_time": "9999-12-31T23:59:59-01:00"}}"#,
    ];
    for entry in entries {
        assert!(tide.define("s/x", entry).send().is_err(), "{entry}");
    }
    assert!(matches!(tide.activate("x").until(Micros::MAX).send(), Err(ChangeError::Never { .. })));
    let longest = format!("{}/{}", "%2F".repeat(256), "x".repeat(256));
    tide.define(&longest, r#"{"stable": 7}"#).send().unwrap();
    let status = tide.cluster().unwrap().status().unwrap();
    assert_eq!((status.node.registers, status.inapplicable.len()), (1, 0));
    assert_eq!(tide.get(&"/".repeat(256), &"x".repeat(256), "k", 0), 7);
}

#[test]
fn after_a_shutdown_what_was_accepted_is_on_the_disk_and_changes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let connect = || Tidegate::builder().live(Live::at(folder.path())).without_locks().connect().unwrap();
    let tide = connect();
    for number in 0..20 {
        tide.activate(&format!("flag-{number}")).send().unwrap();
    }
    tide.shutdown(Duration::from_secs(30)).unwrap();
    assert!(tide.is_active("flag-19") && tide.is_ready());
    assert!(matches!(tide.activate("x").send(), Err(ChangeError::Stopped)));
    // The folder is free for the next process, although this handle is alive.
    let next = connect();
    assert!((0..20).all(|number| next.is_active(&format!("flag-{number}"))));
}

#[test]
fn subscribers_hear_of_live_changes() {
    let tide = memory();
    let mut changes = tide.subscribe();
    tide.activate("x").send().unwrap();
    let heard = changes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(heard.activations && !heard.definitions && !heard.document && !heard.locks && !heard.health);
    assert_eq!(heard.flags.listed().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["flags/x"]);
    tide.define("y", r#"{"stable": 1}"#).send().unwrap();
    let heard = changes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(heard.definitions && heard.flags.contains("y") && !heard.flags.contains("x"), "{heard:?}");
}

#[test]
fn subscribers_hear_of_flags_whose_rules_ask_for_a_changed_one() {
    let tide = memory();
    let rules = r#"[{"name": "with x", "when": {"flag": "x", "is": "new"}, "serve": "new"}]"#;
    tide.define("y", &format!(r#"{{"stable": false, "new": true, "rules": {rules}}}"#)).send().unwrap();
    let mut changes = tide.subscribe();
    tide.activate("x").send().unwrap();
    let heard = changes.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(heard.flags.contains("x") && heard.flags.contains("y") && !heard.flags.contains("z"), "{heard:?}");
    assert!(tide.is_active_for("y", "k"));
}

#[test]
fn a_change_is_made_in_any_runtime() {
    let tide = memory();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let receipt = runtime.block_on(tide.activate("x").ack(Level::All).send_async()).unwrap();
    assert!(receipt.is_reached && tide.is_active("x"));
}

#[test]
fn a_backup_comes_back() {
    let (one, other) = (memory(), memory());
    one.activate_percentage("a", 10).send().unwrap();
    one.define("b", r#"{"stable": 1}"#).send().unwrap();
    one.activate("c").send().unwrap();
    one.clear("c").send().unwrap();
    let mut text = Vec::new();
    assert_eq!(one.cluster().unwrap().backup(&mut text).unwrap(), 3);
    let restored = other.cluster().unwrap().restore(&*text, false, "dana").unwrap();
    assert_eq!((restored.written, restored.left), (2, 1));
    assert_eq!(other.get("flags", "b", "k", 0), 1);
    one.activate_percentage("a", 20).send().unwrap();
    let share = || one.snapshot().flag(one.snapshot().find_key("a").unwrap()).activation().unwrap().share.to_string();
    assert_eq!(one.cluster().unwrap().restore(&*text, false, "dana").unwrap().written, 0);
    assert_eq!(share(), "20", "newer than the backup");
    assert_eq!(one.cluster().unwrap().restore(&*text, true, "dana").unwrap().written, 1);
    assert_eq!(share(), "10");
    text[100] ^= 1;
    assert!(one.cluster().unwrap().restore(&*text, true, "dana").is_err());
}

#[test]
fn several_documents_are_active_together() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.json"), folder.path().join("second.json"));
    let write = |path: &Path, text: &str| {
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    write(&first, r#"{"f": {"x": {"stable": 1}}}"#);
    write(&second, r#"{"f": {"y": {"stable": 2}}, "g": {"z": {"stable": 3}}}"#);
    let tide = Tidegate::builder()
        .file(&first)
        .additional_source(Source::file(&second))
        .poll_interval(Duration::from_millis(100))
        .without_locks()
        .connect()
        .unwrap();
    let seen = || (tide.get("f", "x", "k", 0), tide.get("f", "y", "k", 0), tide.get("g", "z", "k", 0));
    soon("both are read", || seen() == (1, 2, 3));
    let status = tide.status();
    assert_eq!((status.flags, status.additional_sources.len()), (3, 1));
    // The later one may define what the earlier one does; of these entries the earlier one's count.
    write(&second, r#"{"f": {"x": {"stable": 4}, "y": {"stable": 5}}}"#);
    soon("its other entries count", || seen() == (1, 5, 0));
    let later = || tide.status().additional_sources.remove(0);
    let shadowed = later().shadowed;
    assert_eq!((shadowed.count, later().health, later().refused.is_none()), (1, Health::Fresh, true));
    assert_eq!(shadowed.entries[0].flag.to_string(), "f/x");
    assert!(shadowed.entries[0].by.contains("first.json"), "{shadowed:?}");
    // The earlier one gives it up, and takes another one.
    write(&first, r#"{"f": {"w": {"stable": 9}, "y": {"stable": 6}}}"#);
    soon("the later one's counts", || seen() == (4, 6, 0));
    soon("the status follows", || later().shadowed.entries.iter().any(|entry| entry.flag.flag() == "y"));
    assert_eq!(later().shadowed.count, 1);
    let text = Tidegate::builder().text(r#"{"f": {"x": {"stable": 1}}}"#);
    let twice =
        text.additional_source(Source::text(r#"{"f": {"x": {"stable": 2}}}"#)).without_locks().connect().unwrap();
    assert_eq!((twice.get("f", "x", "k", 0), twice.status().additional_sources[0].shadowed.count), (1, 1));
}

#[test]
fn of_several_documents_the_first_counts_whichever_was_loaded_first() {
    for is_second_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["first.json", "second.json", "third.json"].map(|name| folder.path().join(name));
        let write = |number: usize| {
            let text = format!(r#"{{"f": {{"x": {{"stable": {number}}}, "own-{number}": {{"stable": {number}}}}}}}"#);
            std::fs::write(paths[number].with_extension("new"), text).unwrap();
            std::fs::rename(paths[number].with_extension("new"), &paths[number]).unwrap();
        };
        let order = if is_second_first { [1, 2, 0] } else { [0, 1, 2] };
        write(order[0]);
        let tide = Tidegate::builder()
            .file(&paths[0])
            .additional_source(Source::file(&paths[1]))
            .additional_source(Source::file(&paths[2]))
            .poll_interval(Duration::from_millis(100))
            .startup_wait(Duration::from_millis(1))
            .without_locks()
            .connect()
            .unwrap();
        let own = |number: usize| tide.get("f", &format!("own-{number}"), "k", usize::MAX) == number;
        soon("the one that is there is read", || own(order[0]));
        assert_eq!(tide.get("f", "x", "k", usize::MAX), order[0]);
        for number in &order[1..] {
            write(*number);
            soon("the next one is read", || own(*number));
        }
        assert_eq!(tide.get("f", "x", "k", usize::MAX), 0);
        let status = tide.status();
        let counts: Vec<usize> = status.additional_sources.iter().map(|further| further.shadowed.count).collect();
        assert_eq!((status.shadowed.count, counts), (0, vec![1, 1]), "{order:?}");
        assert!(status.additional_sources[1].shadowed.entries[0].by.contains("first.json"));
    }
}

#[test]
fn a_burst_of_changes_comes_through() {
    let tide = memory();
    let (count, writers) = (4_000, 4);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let tide = &tide;
            scope.spawn(move || {
                for number in 0..count / writers {
                    let flag = format!("flag-{writer}-{number}");
                    tide.activate(&flag).ack(Level::Local).timeout(Duration::from_secs(20)).send().unwrap();
                }
            });
        }
    });
    let status = tide.cluster().unwrap().status().unwrap();
    assert_eq!(status.node.registers, count);
    assert_eq!(tide.snapshot().flags().count(), count);
}

#[test]
fn reads_of_changed_flags_do_not_allocate() {
    let tide = memory();
    tide.activate_percentage("some", 50).send().unwrap();
    tide.activate("f/all").send().unwrap();
    tide.define("f/x", r#"{"stable": false, "new": true}"#).send().unwrap();
    tide.activate_percentage("f/x", 50).send().unwrap();
    let handle = tide.flag("flags", "some");
    let all = || {
        let on = [
            tide.is_active("some"),
            tide.is_active_for("some", "k"),
            tide.is_active("f/all"),
            tide.is_active_for("f/x", "k"),
            tide.get("f", "x", "k", false),
            handle.is_active_for("k"),
            handle.is_active(),
        ];
        std::hint::black_box(on);
    };
    all();
    let info = allocation_counter::measure(|| (0..100).for_each(|_| all()));
    assert_eq!(info.count_total, 0, "{info:?}");
}

const FOLDER: &str = "TIDEGATE_TEST_LIVE_FOLDER";

#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_that_activates() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let tide = at(Path::new(&folder));
    let start = tide.snapshot().flags().count();
    for number in start.. {
        tide.activate(&format!("flag-{number}")).ack(Level::Local).timeout(Duration::from_secs(20)).send().unwrap();
        eprintln!("acknowledged {number}");
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "live::child_that_activates", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let numbers = lines.filter_map(|line| line.ok()?.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        for number in numbers.take(20 + round) {
            acknowledged = number + 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let tide = at(folder.path());
        assert!(acknowledged >= 20 * (round + 1), "the child has written");
        let lost = (0..acknowledged).find(|number| !tide.is_active(&format!("flag-{number}")));
        assert_eq!(lost, None, "of {acknowledged}");
    }
}

#[test]
fn the_state_of_a_flag_names_its_source_and_gives_a_bare_flag_two_values() {
    let document = r#"{"d": {"x": {"stable": 1, "new": 2}, "y": {"stable": "only"}}}"#;
    let clock = Clock::manual(Micros::new(1_700_000_000_000_000));
    let tide = Tidegate::builder().live(Live::in_memory().name("node")).text(document).clock(clock.clone());
    let tide = tide.pin("l/x", Pin::Variant(Variant::New)).default_percentage("b/default", 25).connect().unwrap();
    tide.define("a/defined", r#"{"stable": "s"}"#).send().unwrap();
    let until = Micros::new(tide.view().now().get() + DAY);
    tide.activate_percentage("a/bare", 20).until(until).send().unwrap();
    tide.activate("e/elsewhere").elsewhere().send().unwrap();
    let check = |flag: &str, source: &str, values: (Option<&str>, Option<&str>), share: &str| {
        let state = tide.flag_state(flag).unwrap().unwrap();
        assert_eq!(state.source.to_string().split(' ').next().unwrap(), source, "{flag}");
        assert_eq!((state.stable.as_deref(), state.new.as_deref()), values, "{flag}");
        assert_eq!(state.share.to_string(), share, "{flag}");
        state
    };
    let bare = (Some("false"), Some("true"));
    assert_eq!(check("d/x", "document", (Some("1"), Some("2")), "0").tag, "0.0");
    check("d/y", "document", (Some("\"only\""), None), "0");
    assert_eq!(check("a/defined", "api", (Some("\"s\""), None), "0").definition.as_deref(), Some(r#"{"stable": "s"}"#));
    let state = check("a/bare", "activation", bare, "20");
    assert_eq!((state.activation.unwrap().actor, state.next_change.unwrap().at), (String::new(), until));
    check("e/elsewhere", "activation", (None, None), "100");
    check("l/x", "lock", bare, "100");
    check("b/default", "default", bare, "25");
    clock.advance(Duration::from_micros(DAY.unsigned_abs()));
    let expired = tide.flag_state("a/bare").unwrap().unwrap();
    assert!(expired.activation.is_none() && expired.share.to_string() == "0", "{expired:?}");
    assert!(tide.flag_state("a/unknown").unwrap().is_none());
    tide.clear("a/bare").send().unwrap();
    assert!(tide.flag_state("a/bare").unwrap().is_none(), "it is known no more");
}
