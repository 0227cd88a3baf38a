//! Several changes that are made as one, over the threads of one node and a real store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate::{ChangeError, ChangeKind, ChangeSetError, Level, Live, Tidegate, WriteError};

fn node(live: Live) -> Tidegate {
    let document = r#"{"features": {"login": {"stable": "old", "new": "new"}}}"#;
    Tidegate::builder().text(document).live(live.name("node")).without_locks().connect().unwrap()
}

fn memory() -> Tidegate {
    node(Live::in_memory())
}

/// What stands in the registers of all flags.
fn tags(tide: &Tidegate) -> Vec<String> {
    tide.cluster().unwrap().flags().unwrap().iter().map(|record| format!("{} {}", record.flag, record.tag())).collect()
}

#[test]
fn a_later_change_is_checked_as_if_the_earlier_ones_were_made() {
    let tide = memory();
    let receipt = tide
        .apply([
            tide.define("shop/theme", r#"{"stable": "plain", "new": "festive"}"#).actor("dana"),
            tide.activate("shop/theme").existing().actor("dana").reason("sale"),
            tide.activate_percentage("features/login", "12.5").existing(),
            tide.activate("shop/banner"),
        ])
        .send()
        .unwrap();
    assert!(receipt.is_reached && receipt.durable_on.len() == 1 && receipt.level == Level::Majority);
    let made: Vec<(String, ChangeKind, bool)> =
        receipt.changes.iter().map(|made| (made.flag.to_string(), made.kind, made.is_created)).collect();
    let expected = [
        ("shop/theme", ChangeKind::Definition, false),
        ("shop/theme", ChangeKind::Activation, false),
        ("features/login", ChangeKind::Activation, false),
        ("shop/banner", ChangeKind::Activation, true),
    ];
    assert_eq!(made, expected.map(|(flag, kind, is_created)| (flag.to_owned(), kind, is_created)));
    assert!(receipt.changes.windows(2).all(|pair| pair[0].stamp < pair[1].stamp));
    let shares: Vec<String> = receipt.changes.iter().map(|made| made.effect.to.unwrap().to_string()).collect();
    assert_eq!(shares, ["100", "100", "12.5", "100"]);
    assert_eq!(tide.get("shop", "theme", "k", String::new()), "festive");
    // Each is in the history of its flag, by the one who made it.
    let page = tide.cluster().unwrap().history("shop/theme", None, 10).unwrap();
    let told: Vec<(ChangeKind, &str)> = page.changes.iter().map(|entry| (entry.kind, entry.reason.as_str())).collect();
    assert_eq!(told, [(ChangeKind::Activation, "sale"), (ChangeKind::Definition, "")]);
    // What is removed first is not there for a later change.
    let gone =
        tide.apply([tide.remove("shop/theme"), tide.clear("shop/theme"), tide.activate("shop/theme").existing()]);
    let refused = gone.send().unwrap_err();
    assert!(matches!(refused.error, ChangeError::UnknownFlag { .. }) && refused.index == Some(2), "{refused}");
    assert_eq!(tide.get("shop", "theme", "k", String::new()), "festive");
}

type Is = fn(&ChangeSetError) -> bool;

#[test]
fn one_change_that_is_refused_refuses_all() {
    let tide = memory();
    tide.activate("known").send().unwrap();
    let before = tags(&tide);
    let large = format!(r#"{{"stable": "{}", "new": "{}"}}"#, "a".repeat(60_000), "b".repeat(60_000));
    let cases: [(Vec<tidegate::Change>, Option<usize>, Is); 9] = [
        (vec![], None, |refused| matches!(refused.error, ChangeError::Refused(WriteError::ChangeCount { count: 0 }))),
        ((0..1_001).map(|number| tide.activate(&format!("f{number}"))).collect(), None, |refused| {
            matches!(refused.error, ChangeError::Refused(WriteError::ChangeCount { count: 1_001 }))
        }),
        (vec![tide.activate("a"), tide.activate("")], Some(1), |refused| {
            matches!(refused.error, ChangeError::Name { .. })
        }),
        (vec![tide.activate("a"), tide.activate_percentage("b", "101")], Some(1), |refused| {
            matches!(refused.error, ChangeError::Percentage { .. })
        }),
        (vec![tide.activate("a"), tide.deactivate("known"), tide.activate("flags/a")], Some(2), |refused| {
            matches!(refused.error, ChangeError::Repeated { kind: ChangeKind::Activation, .. })
        }),
        (vec![tide.activate("a"), tide.define("features/login", r#"{"stable": 1}"#)], Some(1), |refused| {
            matches!(refused.error, ChangeError::DefinedByDocument { .. })
        }),
        (
            vec![tide.activate("a"), tide.deactivate("features/logn").existing()],
            Some(1),
            |refused| matches!(&refused.error, ChangeError::UnknownFlag { meant: Some(meant), .. } if meant.flag() == "login"),
        ),
        (vec![tide.activate("a"), tide.deactivate("known").if_stamp(None)], Some(1), |refused| {
            matches!(refused.error, ChangeError::Refused(WriteError::Conflict { index: 1, found: Some(_) }))
        }),
        ((0..4).map(|number| tide.define(&format!("f{number}"), &large)).collect(), None, |refused| {
            matches!(refused.error, ChangeError::Refused(WriteError::TooLarge { .. }))
        }),
    ];
    for (number, (changes, index, is_expected)) in cases.into_iter().enumerate() {
        let refused = tide.apply(changes).send().unwrap_err();
        assert!(refused.index == index && is_expected(&refused), "case {number}: {refused:?}");
        assert_eq!(tags(&tide), before, "case {number}");
        assert!(tide.is_active("known") && !tide.is_active("a"), "case {number}");
    }
}

#[test]
fn readers_see_all_of_it_or_none() {
    let tide = memory();
    tide.apply([tide.deactivate("a"), tide.deactivate("b")]).send().unwrap();
    let is_over = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                let view = tide.view();
                assert_eq!(
                    view.is_active_for("a", "k"),
                    view.is_active_for("b", "k"),
                    "a view has one change of a set"
                );
                reads += 1;
            }
            reads
        });
        for number in 0..300 {
            let changes =
                ["a", "b"].map(|flag| if number % 2 == 0 { tide.activate(flag) } else { tide.deactivate(flag) });
            tide.apply(changes).ack(Level::Local).send().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 0);
}

#[test]
fn a_set_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let tide = node(Live::at(folder.path()));
    let changes = (0..1_000).map(|number| tide.activate(&format!("f/x{number}")));
    let receipt = tide.apply(changes).ack(Level::Local).timeout(std::time::Duration::from_secs(20)).send().unwrap();
    assert!(receipt.is_reached && receipt.changes.len() == 1_000);
    let before = tags(&tide);
    drop(tide);
    let tide = node(Live::at(folder.path()));
    assert_eq!(tags(&tide), before);
    assert!(tide.is_active("f/x999") && before.iter().filter(|tag| tag.starts_with("f/x")).count() == 1_000);
}

#[test]
fn an_instance_that_takes_no_live_changes_refuses_a_set() {
    let tide = Tidegate::builder().text("{}").without_locks().connect().unwrap();
    let refused = tide.apply([tide.activate("a")]).send().unwrap_err();
    assert!(matches!(refused.error, ChangeError::NotLive) && refused.index.is_none());
}
