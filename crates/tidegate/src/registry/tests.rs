#[cfg(feature = "cluster")]
use tidegate_engine::document::read_definition;
use tidegate_engine::lease::Leased;
use tidegate_engine::{Span, compile, read};

use super::*;
use crate::clock::Clock;
use crate::status::{Health, Status};

fn status() -> Arc<SourceStatus> {
    SourceStatus::new(Status::new(String::new(), Health::Fresh, Micros::new(0)))
}

fn registry() -> Arc<Registry> {
    let clock = Clock::manual(Micros::new(500_000_000));
    Registry::new(Instance::new(clock, None))
}

fn part(text: &str, options: &CompileOptions, clocks: Clocks) -> SourcePart {
    let (document, _) = read(text.as_bytes()).unwrap();
    let snapshot = compile(&document, options);
    SourcePart { snapshot, document: Some(Arc::new(document)), clocks, is_loaded: true, text: None }
}

/// The share of a flag now.
fn share(registry: &Registry, flag: &str) -> u64 {
    let published = registry.instance().board.load();
    let index = published.snapshot.find("f", flag).unwrap();
    published.snapshot.flag(index).share_at(&published.moment(registry.instance().clock().now())).to_millionths()
        / 1_000_000
}

#[test]
fn each_source_holds_its_own_ramps() {
    let document = |flag: &str| {
        let window = r#""start_time": "1970-01-01 00:00Z", "duration": "1000s", "lease": "60s""#;
        format!(r#"{{"f": {{"{flag}": {{"stable": 1, "new": 2, {window}}}}}}}"#)
    };
    let lease = Leased { lease: Span::from_micros(60_000_000), rollback: None };
    let heard = |second: i64| {
        let mut clocks = Clocks::synced();
        clocks.note_poll(Micros::new(second * 1_000_000), &[lease]);
        clocks
    };
    for words in [[100, 490], [490, 100]] {
        let registry = registry();
        let options =
            ["one", "two"].map(|name| registry.add_source(name.to_owned(), CompileOptions::default(), status(), true));
        for (((slot, options), flag), word) in options.into_iter().zip(["x", "y"]).zip(words) {
            registry.install(slot, part(&document(flag), &options, heard(word)));
        }
        let expected = words.map(|word| if word == 490 { 50 } else { 16 });
        assert_eq!([share(&registry, "x"), share(&registry, "y")], expected, "heard at {words:?}");
        // The one that was not heard is heard again: it alone goes on.
        registry.set_clocks(usize::from(words[1] == 100), heard(500));
        assert_eq!([share(&registry, "x"), share(&registry, "y")], [50, 50]);
    }
}

#[cfg(feature = "cluster")]
fn definition(flag: &FlagKey, entry: &str) -> LiveChange {
    let (definition, _) = read_definition(flag, entry).unwrap();
    LiveChange::Definition(flag.clone(), Some(compile(&definition.into_document(), &CompileOptions::default())))
}

#[cfg(feature = "cluster")]
#[test]
fn a_definition_comes_back_when_the_document_leaves_the_flag() {
    let registry = registry();
    let (slot, options) = registry.add_source("one".to_owned(), CompileOptions::default(), status(), true);
    let flag = FlagKey::new("f", "x");
    let stable = || {
        let published = registry.instance().board.load();
        let found = published.snapshot.find("f", "x").map(|index| published.snapshot.flag(index));
        found.and_then(|flag| flag.stable()).map(str::to_owned)
    };
    let install = |text: &str| registry.install(slot, part(text, &options, Clocks::synced()));
    registry.apply(vec![definition(&flag, r#"{"stable": 1}"#)]);
    assert_eq!((stable().as_deref(), registry.shadowed()), (Some("1"), vec![]));
    install(r#"{"f": {"x": {"stable": 2}}}"#);
    assert_eq!((stable().as_deref(), registry.shadowed()), (Some("2"), vec![flag.clone()]));
    registry.apply(vec![definition(&flag, r#"{"stable": 3}"#)]);
    assert_eq!((stable().as_deref(), registry.shadowed()), (Some("2"), vec![flag.clone()]));
    install(r#"{"f": {"y": {"stable": 2}}}"#);
    assert_eq!((stable().as_deref(), registry.shadowed()), (Some("3"), vec![]));
    install(r#"{"f": {"x": {"stable": 4}}}"#);
    registry.apply(vec![LiveChange::Definition(flag.clone(), None)]);
    assert_eq!((stable().as_deref(), registry.shadowed()), (Some("4"), vec![]));
    install("{}");
    assert_eq!(stable(), None);
}

#[cfg(feature = "cluster")]
#[test]
fn handles_follow_a_change_of_their_flag_and_of_its_lock() {
    let registry = registry();
    let flag = FlagKey::new("f", "x");
    let cell = registry.instance().cells.get_or_create(flag.clone(), &registry.instance().board);
    let is_on = || cell.is_active_for("k", registry.instance().clock());
    let activation =
        |share| LiveChange::Activation(flag.clone(), Some(Activation { share, until: None, defined: false }));
    registry.apply(vec![activation(Share::FULL)]);
    assert_eq!(is_on(), crate::read::cell::CachedAnswer::Known(true));
    registry.apply(vec![activation(Share::ZERO)]);
    assert_eq!(is_on(), crate::read::cell::CachedAnswer::Known(false));
    let pin = tidegate_engine::Pin::Variant(tidegate_engine::Variant::New);
    let lock = HostLock { flag: flag.clone(), pin, actor: String::new(), reason: String::new(), until: None };
    registry.set_locks(vec![lock]);
    assert_eq!(is_on(), crate::read::cell::CachedAnswer::Known(true));
    registry.set_locks(Vec::new());
    assert_eq!(is_on(), crate::read::cell::CachedAnswer::Known(false));
}

/// The cost of a change is the cost of what it changes, also where a document changes.
#[cfg(feature = "cluster")]
#[test]
fn a_changed_document_costs_the_same_beside_few_and_many_live_changes() {
    let allocations = |count: usize| {
        let registry = registry();
        let (slot, options) = registry.add_source("one".to_owned(), CompileOptions::default(), status(), true);
        let activation = Activation { share: Share::FULL, until: None, defined: true };
        for number in 0..count {
            let flag = FlagKey::new("live", format!("f{number}"));
            let set = LiveChange::Activation(flag.clone(), Some(activation.clone()));
            registry.apply(vec![definition(&flag, r#"{"stable": false, "new": true}"#), set]);
        }
        let [first, second] = [1, 2].map(|value| {
            let text = format!(r#"{{"f": {{"x": {{"stable": {value}}}}}, "live": {{"f1": {{"stable": {value}}}}}}}"#);
            part(&text, &options, Clocks::synced())
        });
        registry.install(slot, first);
        let mut second = Some(second);
        let measured = allocation_counter::measure(|| {
            let _ = registry.install(slot, second.take().unwrap());
        });
        assert_eq!((registry.shadowed().len(), registry.instance().board.load().snapshot.len()), (1, count + 1));
        measured.count_total
    };
    let (few, many) = (allocations(10), allocations(5_000));
    assert!(many <= few + 10, "{few} allocations beside 10 definitions and activations, {many} beside 5,000");
}
