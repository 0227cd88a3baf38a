use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use proptest::prelude::*;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Activation, CompileOptions, HostLock, Overlay, Pin, Share, Snapshot, compile, read};

use super::*;
use crate::read::publish::Board;
use crate::read::reader_state::ReaderState;

fn snapshot(document: &str) -> Snapshot {
    let (document, _) = read(document.as_bytes()).unwrap_or_else(|diagnostics| panic!("{document}: {diagnostics:?}"));
    compile(&document, &CompileOptions::default())
}

fn board_of(snapshot: Snapshot, now: Micros) -> Arc<Board> {
    Board::new(snapshot, Clocks::synced(), ReaderState::new(None), Clock::manual(now))
}

fn cell(board: &Board, flag: &str) -> FlagCell {
    let cell = FlagCell::new(FlagKey::parse(flag));
    cell.write(&board.load(), board.clock());
    cell
}

/// What the cell says, if it says anything, is what the snapshot says.
fn check(cell: &FlagCell, board: &Board, key: &str) -> Result<bool, TestCaseError> {
    let published = board.load();
    let index = published.snapshot.find(cell.flag().section(), cell.flag().flag());
    let moment = published.moment(board.clock().now());
    let decision = published.snapshot.evaluate(index, &Subject::key(key), &moment);
    let instant = cell.instant();
    if let Some(active) = instant {
        prop_assert_eq!(active, decision.answer.as_bool().unwrap_or(false), "{:?} at {}", decision, moment.now);
    }
    if let CachedAnswer::Known(active) = cell.is_active_for(key, board.clock()) {
        prop_assert_eq!(active, decision.answer.as_bool().unwrap_or(false), "{:?} at {}", decision, moment.now);
    }
    for quick in [cell.settled_for(key), cell.moving_for(key, board.clock())].into_iter().flatten() {
        prop_assert_eq!(quick, decision.answer.as_bool().unwrap_or(false), "{:?} at {}", decision, moment.now);
    }
    let position = published.reader_state.position();
    if let Some(drawn) = cell.settled_at(position) {
        let decision = published.snapshot.evaluate(index, &Subject::drawn(position), &moment);
        prop_assert_eq!(drawn, decision.answer.as_bool().unwrap_or(false), "{:?} at {}", decision, moment.now);
    }
    let said = cell.variant_for(key, board.clock());
    if let CachedAnswer::Known(variant) = said {
        prop_assert_eq!(variant, decision.variant, "{:?} at {}", decision, moment.now);
    }
    Ok(said != CachedAnswer::Unknown)
}

const HOUR: i64 = 3_600_000_000;

/// Hours since the epoch as a time in a document.
fn time(hours: i64) -> String {
    Micros::new(hours * HOUR).to_string()
}

prop_compose! {
    fn schedule()(form in 0..6, start in 0_i64..50, hours in 0_i64..50, low in 0_u32..100, gain in 0_u32..100) -> String {
        let high = (low + gain).min(100);
        let start = time(start);
        match form {
            0 => String::new(),
            1 => format!(r#""start_time": "{start}", "duration": "{hours}h""#),
            2 => format!(r#""start_time": "{start}", "duration": "{hours}h", "start_pct": {low}, "end_pct": {high}"#),
            3 => format!(
                r#""start_time": "{start}", "duration": "{hours}h", "curve": "exponential", "start_pct": {}, "end_pct": 100"#,
                low.max(1)
            ),
            _ => format!(
                r#""start_time": "{start}", "steps": [{{"pct": {low}, "over": "{hours}h", "hold": "1h"}}, {{"pct": {high}}}]"#
            ),
        }
    }
}

prop_compose! {
    fn entry()(
        schedule in schedule(),
        values in prop::sample::select(vec!["false|true", "true|false", "1|true", "false|\"x\"", "true|true", "false|"]),
        rollback in prop::option::weighted(0.3, (0_i64..100, 0_i64..20, 0..100)),
        extra in prop::sample::select(vec![
            r#""salt": "a""#, r#""salt": """#, r#""salt": "b", "hash": "murmur3""#, r#""hash": "sha1""#,
            r#""salt": "c", "enabled": false"#, r#""salt": "d", "lock": "new""#, r#""salt": "e", "early_adopters": ["k1"]"#,
            r#""salt": "f", "lease": "3h""#,
        ]),
    ) -> String {
        let (stable, new) = values.split_once('|').unwrap_or_default();
        let mut fields = vec![format!(r#""stable": {stable}"#)];
        if !new.is_empty() {
            fields.push(format!(r#""new": {new}"#));
        }
        if !schedule.is_empty() {
            fields.push(schedule);
        }
        if let Some((start, hours, to)) = rollback {
            fields.push(format!(
                r#""rollback": {{"start_time": "{}", "duration": "{hours}h", "to_pct": {to}}}"#, time(start)
            ));
        }
        fields.push(extra.to_owned());
        format!("{{{}}}", fields.join(", "))
    }
}

prop_compose! {
    fn overlay()(
        lock in prop::option::weighted(0.2, (0..4, prop::option::of(0_i64..100))),
        activation in prop::option::weighted(0.2, (0_u64..=100, prop::option::of(0_i64..100))),
        flag in prop::sample::select(vec!["s/f", "s/g"]),
    ) -> Overlay {
        let until = |hours: Option<i64>| hours.map(|hours| Micros::new(hours * HOUR));
        let mut overlay = Overlay::default();
        if let Some((form, hours)) = lock {
            let pin = match form {
                0 => Pin::Variant(Variant::Stable),
                1 => Pin::Variant(Variant::New),
                2 => Pin::Value("true".into()),
                _ => Pin::Value("7".into()),
            };
            let (actor, reason) = (String::new(), String::new());
            overlay.locks.push(HostLock { flag: FlagKey::parse(flag), pin, actor, reason, until: until(hours) });
        }
        if let Some((percent, hours)) = activation {
            let share = Share::from_millionths(percent * 1_000_000).unwrap();
            overlay.activations.push((FlagKey::parse(flag), Activation { share, until: until(hours), defined: false }));
        }
        overlay
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_cell_says_what_the_snapshot_says(
        entry in entry(),
        overlay in overlay(),
        written in -10_i64..110,
        moves in prop::collection::vec((0_i64..110, -2_i64..3), 1..12),
        key in "k[0-9]{1,2}",
    ) {
        let document = format!(r#"{{"s": {{"f": {entry}}}}}"#);
        // Some of the random entries contradict themselves; there is nothing to compare then.
        let Ok((document, _)) = read(document.as_bytes()) else { return Ok(()) };
        let snapshot = compile(&document, &CompileOptions::default()).overlaid(&overlay);
        let board = board_of(snapshot, Micros::new(written * HOUR));
        for flag in ["s/f", "s/g"] {
            board.clock().set(Micros::new(written * HOUR));
            let cell = cell(&board, flag);
            check(&cell, &board, &key)?;
            for (hours, micros) in &moves {
                board.clock().set(Micros::new(hours * HOUR + micros));
                check(&cell, &board, &key)?;
                if !cell.holds_at(board.clock().now()) {
                    cell.write(&board.load(), board.clock());
                    check(&cell, &board, &key)?;
                }
            }
        }
    }
}

/// Which flags are ready in their cells, so that the property above is not true of nothing.
#[test]
fn plain_flags_need_no_snapshot() {
    let ramp = format!(r#""start_time": "{}", "duration": "10h""#, time(10));
    let document = format!(
        r#"{{"s": {{
            "off": {{"stable": false}},
            "on": {{"stable": true}},
            "activation": {{"stable": false, "new": true, "salt": "", "start_time": "{0}", "duration": "0s", "end_pct": 50}},
            "ramp": {{"stable": false, "new": true, "salt": "", {ramp}}},
            "back": {{"stable": false, "new": true, "salt": "", {ramp},
                      "rollback": {{"start_time": "{1}", "duration": "20h"}}}},
            "sha1": {{"stable": false, "new": true, {ramp}}},
            "murmur3": {{"stable": false, "new": true, "hash": "murmur3", {ramp}}}
        }}}}"#,
        time(1),
        time(14),
    );
    let board = board_of(snapshot(&document), Micros::new(15 * HOUR));
    let is_ready = |flag| check(&cell(&board, flag), &board, "k").unwrap();
    for flag in ["s/off", "s/on", "s/activation", "s/ramp", "s/back", "s/sha1", "s/unknown"] {
        assert!(is_ready(flag), "{flag}");
    }
    assert!(!is_ready("s/murmur3"));
    assert_eq!(cell(&board, "s/off").instant(), Some(false));
    assert_eq!(cell(&board, "s/on").instant(), Some(true));
    assert_eq!(cell(&board, "s/unknown").instant(), Some(false));
    assert_eq!(cell(&board, "s/ramp").instant(), None);
}

/// Which percentages are drawn without a look at the snapshot, for the same reason.
#[test]
fn a_percentage_is_drawn_from_the_words() {
    let share = Share::from_millionths(20_000_000).unwrap();
    let activation = |flag| (FlagKey::parse(flag), Activation { share, until: None, defined: flag != "s/bare" });
    let flags = ["s/bare", "s/flag", "s/staff"];
    let overlay = Overlay { activations: flags.map(activation).to_vec(), ..Overlay::default() };
    let document = r#"{"s": {
        "flag": {"stable": false, "new": true, "salt": ""},
        "staff": {"stable": false, "new": true, "salt": "", "early_adopters": ["k"]}
    }}"#;
    let board = board_of(snapshot(document).overlaid(&overlay), Micros::new(HOUR));
    let drawn = |flag, place| cell(&board, flag).settled_at(Position::new(place));
    for flag in ["s/bare", "s/flag"] {
        assert_eq!(
            [0, 858_993_458, 858_993_459, u32::MAX].map(|place| drawn(flag, place)),
            [true, true, false, false].map(Some),
            "{flag}"
        );
    }
    assert_eq!(drawn("s/staff", 0), None);
}

/// Which flags are answered in the fewest steps, for the same reason.
#[test]
fn a_plain_ramp_and_a_plain_rollback_are_answered_from_the_stretch() {
    let ramp = format!(r#""new": true, "start_time": "{}", "duration": "10h""#, time(10));
    let document = format!(
        r#"{{"s": {{
            "ramp": {{"stable": false, "salt": "", {ramp}}},
            "back": {{"stable": false, "salt": "", {ramp}, "rollback": {{"start_time": "{}", "duration": "20h"}}}},
            "sha1": {{"stable": false, {ramp}}},
            "number": {{"stable": 1, "salt": "", {ramp}}},
            "reverse": {{"stable": true, "salt": "", {}}}
        }}}}"#,
        time(14),
        ramp.replace("true", "false"),
    );
    let board = board_of(snapshot(&document), Micros::new(15 * HOUR));
    let answers = |flag, hours, key: &str| {
        let cell = cell(&board, flag);
        board.clock().set(Micros::new(hours * HOUR));
        let answer = cell.moving_for(key, board.clock());
        board.clock().set(Micros::new(15 * HOUR));
        assert_eq!(cell.moves(), answer.is_some() || hours != 15 || key.len() > 128, "{flag}");
        answer.is_some()
    };
    assert!(answers("s/ramp", 15, "k") && answers("s/back", 15, "k"));
    for flag in ["s/ramp", "s/back"] {
        assert!(!answers(flag, 9, "k") && !answers(flag, 40, "k"), "{flag} outside of its stretch");
        assert!(!answers(flag, 15, &"k".repeat(200)), "{flag} of a long key");
    }
    for flag in ["s/sha1", "s/number", "s/reverse", "s/unknown"] {
        assert!(!answers(flag, 15, "k"), "{flag}");
    }
}

/// With the system's clock, what is final is told without a look at it.
#[test]
fn a_ramp_that_is_over_is_as_good_as_an_on_off_flag() {
    let document = r#"{"s": {
        "over": {"stable": false, "new": true, "salt": "", "start_time": "2020-01-01 00:00Z", "duration": "1d"},
        "later": {"stable": false, "new": true, "salt": "", "start_time": "2990-01-01 00:00Z", "duration": "1d"}
    }}"#;
    let board = Board::new(snapshot(document), Clocks::synced(), ReaderState::new(None), Clock::system());
    assert_eq!(cell(&board, "s/over").instant(), Some(true));
    let later = cell(&board, "s/later");
    assert_eq!(later.instant(), None);
    assert_eq!(later.is_active_for("k", board.clock()), CachedAnswer::Known(false));
}

#[test]
fn readers_never_see_half_of_a_change() {
    // For a key between 30 and 70 per cent each of these is false, and a mixture of two of them is true.
    let entry = |stable: bool, percent: u32| {
        let new = !stable;
        let start = time(1);
        let ramp = format!(r#""salt": "", "start_time": "{start}", "duration": "0s", "end_pct": {percent}"#);
        format!(r#"{{"s": {{"f": {{"stable": {stable}, "new": {new}, {ramp}}}}}}}"#)
    };
    let position = |key: &String| tidegate_engine::HashAlgorithm::Xxh3.position("", key).get() / (u32::MAX / 100);
    let key = (0..1_000).map(|number| format!("k{number}")).find(|key| (40..60).contains(&position(key))).unwrap();
    let boards = [
        board_of(snapshot(&entry(false, 30)), Micros::new(2 * HOUR)),
        board_of(snapshot(r#"{"s": {"f": {"stable": false}}}"#), Micros::new(2 * HOUR)),
        board_of(snapshot(&entry(true, 70)), Micros::new(2 * HOUR)),
    ];
    let cell = cell(&boards[0], "s/f");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut known = 0_u32;
                while !done.load(Ordering::Relaxed) || known == 0 {
                    if let CachedAnswer::Known(active) = cell.is_active_for(&key, boards[0].clock()) {
                        assert!(!active);
                        known += 1;
                    }
                }
            });
        }
        for round in 0..20_000 {
            let board = &boards[round % boards.len()];
            cell.write(&board.load(), board.clock());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn words_do_not_hold_at_the_instant_at_which_they_end() {
    let until = Micros::new(10 * HOUR);
    let percent = |percent: u64| Share::from_millionths(percent * 1_000_000).unwrap();
    // The activation ends; below it everybody has `stable`.
    let document = r#"{"f": {"a": {"stable": false, "new": true, "salt": "s"}}}"#;
    for share in [percent(50), percent(100)] {
        let flag = FlagKey::new("f", "a");
        let activations = vec![(flag, Activation { share, until: Some(until), defined: true })];
        let laid = snapshot(document).overlaid(&Overlay { activations, ..Overlay::default() });
        let board = board_of(laid, Micros::new(9 * HOUR));
        let cell = cell(&board, "f/a");
        let key = (0..100)
            .map(|number| format!("k{number}"))
            .find(|key| cell.is_active_for(key, board.clock()) == CachedAnswer::Known(true));
        let key = key.unwrap();
        // The words were not rewritten yet.
        board.clock().set(Micros::new(until.get() - 1));
        assert_eq!(
            (cell.is_active_for(&key, board.clock()), cell.holds_at(board.clock().now())),
            (CachedAnswer::Known(true), true)
        );
        board.clock().set(until);
        assert_eq!(
            (cell.is_active_for(&key, board.clock()), cell.holds_at(board.clock().now())),
            (CachedAnswer::Unknown, false)
        );
        assert_eq!(cell.variant_for(&key, board.clock()), CachedAnswer::Unknown);
    }
}
