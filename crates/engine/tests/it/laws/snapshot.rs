//! Whole flags: documents with every kind of schedule, rollback, lease, lock and activation.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, Answer, CompileOptions, FlagIndex, FlagKey, Flips, HostLock, Micros, Moment, Overlay, Pin, Position,
    Share, Snapshot, Span, Subject, Variant, compile, read,
};

use super::strategies::around;

/// The instants of a case lie around here; whole seconds, so that documents can say them in every form.
const START: i64 = 1_735_689_600_000_000;

fn time(second: i64) -> String {
    Micros::new(START + second * 1_000_000).to_string()
}

fn span(seconds: u64) -> String {
    Span::from_micros(seconds * 1_000_000).to_string()
}

fn percent() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(50), Just(100), 0..=100_u64]
}

/// The fields of a window or of steps.
fn schedule() -> impl Strategy<Value = Value> {
    let window = (0..5_000_i64, prop_oneof![Just(0), 1..9_000_u64], percent(), percent(), any::<bool>()).prop_map(
        |(start, over, one, other, exponential)| {
            let (low, high) = (one.min(other), one.max(other));
            let mut fields = json!({
                "start_time": time(start), "duration": span(over), "start_pct": low, "end_pct": high,
            });
            if exponential && low > 0 {
                fields["curve"] = json!("exponential");
            }
            fields
        },
    );
    let steps = (0..5_000_i64, vec((percent(), 0..3_000_u64, 0..3_000_u64), 1..5)).prop_map(|(start, steps)| {
        let mut highest = 0;
        let steps: Vec<Value> = steps
            .into_iter()
            .map(|(percent, over, hold)| {
                highest = percent.max(highest);
                json!({"pct": highest, "over": span(over), "hold": span(hold)})
            })
            .collect();
        json!({"start_time": time(start), "steps": steps})
    });
    prop_oneof![4 => window, 3 => steps, 1 => Just(json!({}))]
}

/// Fields that any flag may have beside its schedule.
fn extras() -> impl Strategy<Value = Value> {
    let rollback = (0..12_000_i64, prop_oneof![Just(None), (0..6_000_u64).prop_map(Some)], percent()).prop_map(
        |(start, over, to)| {
            let mut fields = json!({"start_time": time(start), "to_pct": to});
            if let Some(over) = over {
                fields["duration"] = json!(span(over));
            }
            fields
        },
    );
    let maybe = |value: Value| prop_oneof![2 => Just(None), 1 => Just(Some(value))];
    (
        prop_oneof![1 => Just(None), 2 => rollback.prop_map(Some)],
        maybe(json!(["canary", {"regex": "^ci-[0-9]+$"}])),
        prop_oneof![Just(None), Just(Some(json!("sha1"))), Just(Some(json!("xxh3"))), Just(Some(json!("murmur3")))],
        maybe(json!("salt")),
        prop_oneof![6 => Just(None), 1 => Just(Some(json!("stable"))), 1 => Just(Some(json!("new")))],
        prop_oneof![6 => Just(None), 1 => Just(Some(json!(false)))],
        prop_oneof![3 => Just(None), 1 => (1..4_000_u64).prop_map(|lease| Some(json!(span(lease))))],
    )
        .prop_map(|(rollback, adopters, hash, salt, lock, enabled, lease)| {
            let names = ["rollback", "early_adopters", "hash", "salt", "lock", "enabled", "lease"];
            let values = [rollback, adopters, hash, salt, lock, enabled, lease];
            names.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        })
        .prop_map(|fields: Map<String, Value>| Value::Object(fields))
}

/// A whole entry.
fn entry() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        Just(json!({"stable": false, "new": true})),
        Just(json!({"stable": true, "new": false})),
        Just(json!({"stable": "old", "new": {"a": [1, 2.50]}})),
        Just(json!({"stable": 3})),
        Just(json!({"stable": 10, "new": -17, "interpolate": true})),
        Just(json!({"stable": 0.1, "new": 3, "interpolate": true})),
    ];
    (values, schedule(), extras()).prop_map(|(mut entry, schedule, extras)| {
        for fields in [schedule, extras] {
            let (Value::Object(entry), Value::Object(fields)) = (&mut entry, fields) else { unreachable!() };
            entry.extend(fields);
        }
        entry
    })
}

/// A flag, the host's overlay and clocks, and questions to ask it.
#[derive(Clone, Debug)]
struct Case {
    entry: Value,
    overlay: Overlay,
    clocks: Clocks,
    keys: Vec<String>,
    instants: Vec<i64>,
}

fn overlay() -> impl Strategy<Value = Overlay> {
    let until =
        || prop_oneof![Just(None), (0..12_000_i64).prop_map(|second| Some(Micros::new(START + second * 1_000_000)))];
    let pin = prop_oneof![
        Just(Pin::Variant(Variant::Stable)),
        Just(Pin::Variant(Variant::New)),
        Just(Pin::Value("\"pinned\"".into())),
    ];
    let lock = (pin, until()).prop_map(|(pin, until)| HostLock {
        flag: FlagKey::new("f", "a"),
        pin,
        actor: "someone".to_owned(),
        reason: "a law".to_owned(),
        until,
    });
    let activation = (percent(), until(), any::<bool>()).prop_map(|(percent, until, defined)| {
        (
            FlagKey::new("f", "a"),
            Activation { share: Share::from_millionths(percent * 1_000_000).unwrap(), until, defined },
        )
    });
    (
        prop_oneof![3 => Just(None), 1 => lock.prop_map(Some)],
        prop_oneof![3 => Just(None), 1 => activation.prop_map(Some)],
    )
        .prop_map(|(lock, activation)| Overlay {
            locks: lock.into_iter().collect(),
            activations: activation.into_iter().collect(),
            ..Overlay::default()
        })
}

fn case() -> impl Strategy<Value = Case> {
    let clocks = prop_oneof![Just(None), (0..9_000_i64, 0..3_000_i64).prop_map(Some)];
    let keys = vec(prop_oneof![Just("canary".to_owned()), Just("ci-7".to_owned()), "[a-z]{0,6}"], 1..6);
    (entry(), overlay(), clocks, keys, vec(-1_000_000_i64..16_000_000_000, 1..8)).prop_map(
        |(entry, overlay, clocks, keys, instants)| {
            let mut case = Case { entry, overlay, clocks: Clocks::synced(), keys, instants };
            if let Some((heard, lag)) = clocks {
                let heard = Micros::new(START + heard * 1_000_000);
                let (snapshot, _) = case.snapshot();
                case.clocks.note_poll(heard, &snapshot.leases());
                for ramp in &mut case.clocks.ramps {
                    ramp.instant = heard.saturating_sub(Span::from_micros(u64::try_from(lag * 1_000_000).unwrap()));
                }
            }
            case
        },
    )
}

impl Case {
    fn snapshot(&self) -> (Snapshot, FlagIndex) {
        let text = json!({"f": {"a": self.entry}}).to_string();
        let (document, _) = read(text.as_bytes()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        let snapshot = compile(&document, &CompileOptions::default()).overlaid(&self.overlay);
        let index = snapshot.find("f", "a").unwrap();
        (snapshot, index)
    }

    /// Takes away what stands above the ramp, and sets these fields.
    fn leave_it_to_the_ramp(&mut self, fields: &Value) {
        self.overlay = Overlay::default();
        let (Value::Object(entry), Value::Object(fields)) = (&mut self.entry, fields) else { unreachable!() };
        for name in ["lock", "enabled", "interpolate"] {
            entry.remove(name);
        }
        entry.extend(fields.clone());
    }

    fn moment(&self, now: Micros) -> Moment<'_> {
        Moment { now, leases: &self.clocks }
    }

    /// The random instants and those around everything that happens to these keys.
    fn instants(&self, snapshot: &Snapshot, index: FlagIndex) -> Vec<Micros> {
        let flag = snapshot.flag(index);
        let first = Micros::new(START);
        let mut instants: Vec<Micros> = self.instants.iter().map(|micros| Micros::new(START + micros)).collect();
        // A ramp that is held comes no nearer to its next point, so the walk has an end of its own.
        let turns = std::iter::successors(Some(first), |at| Some(flag.next_change(&self.moment(*at))?.at));
        instants.extend(turns.take(40).flat_map(around));
        for key in &self.keys {
            let flips = flag.flips(&Subject::key(key), &self.moment(first));
            instants.extend(flips.on.into_iter().chain(flips.off).flat_map(around));
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

/// The variant of a key over time, as long as only ramp and rollback decide.
fn has_new(snapshot: &Snapshot, index: FlagIndex, key: &str, moment: &Moment<'_>) -> bool {
    snapshot.evaluate(Some(index), &Subject::key(key), moment).variant == Some(Variant::New)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn explain_equals_evaluate(case in case()) {
        let (snapshot, index) = case.snapshot();
        for now in case.instants(&snapshot, index) {
            let moment = case.moment(now);
            let drawn = Subject::drawn(Position::new(77));
            for subject in case.keys.iter().map(|key| Subject::key(key)).chain([Subject::absent(), drawn]) {
                let decision = snapshot.evaluate(Some(index), &subject, &moment);
                let explained = snapshot.explain("f", "a", &subject, &moment);
                let until = explained.valid_until;
                prop_assert_eq!(snapshot.evaluate_until(Some(index), &subject, &moment), (decision, until));
                prop_assert_eq!(explained.value, decision.answer.to_json().map(String::from));
                prop_assert_eq!(explained.variant, decision.variant);
                prop_assert_eq!(explained.reason, decision.reason);
                prop_assert_eq!(explained.error, decision.error);
                if let (Some(position), Some(share), Some(variant)) = (explained.position, explained.share, explained.variant)
                    && matches!(explained.rule, tidegate_engine::Rule::Ramp | tidegate_engine::Rule::Rollback)
                {
                    prop_assert_eq!(share.includes(position), variant == Variant::New, "at {}", now);
                }
            }
        }
    }

    #[test]
    fn a_settled_flag_never_changes(case in case(), key in ".{0,4}") {
        let (snapshot, index) = case.snapshot();
        let instants = case.instants(&snapshot, index);
        let ask = |subject: &Subject<'_>, now| snapshot.evaluate(Some(index), subject, &case.moment(now));
        for settled in instants.iter().filter(|now| snapshot.is_settled(index, **now)) {
            for later in instants.iter().filter(|now| *now >= settled) {
                for subject in [Subject::key(&key), Subject::absent()] {
                    prop_assert_eq!(ask(&subject, *settled), ask(&subject, *later), "at {} and at {}", settled, later);
                }
            }
        }
    }

    #[test]
    fn a_settled_value_is_what_the_snapshot_answers(case in case(), key in ".{0,4}") {
        let (snapshot, index) = case.snapshot();
        let instants = case.instants(&snapshot, index);
        for past in &instants {
            let subject = Subject::key(&key);
            let value = snapshot.settled_value("f", "a", &subject, *past);
            prop_assert_eq!(value.ok(), snapshot.settled_value_at(index, &subject, *past));
            let Ok(value) = value else {
                prop_assert_eq!(value, Err(Some(index)));
                continue;
            };
            for later in instants.iter().filter(|now| *now >= past) {
                let decision = snapshot.evaluate(Some(index), &subject, &case.moment(*later));
                let answered = decision.answer.to_json();
                prop_assert_eq!(answered.as_deref(), Some(value.as_json()), "at {} and {}", past, later);
            }
        }
    }

    #[test]
    fn a_plan_answers_as_the_snapshot_does(case in case()) {
        let (snapshot, index) = case.snapshot();
        let instants = case.instants(&snapshot, index);
        for made in &instants {
            let plan = snapshot.flag(index).plan(&case.moment(*made));
            prop_assert!(plan.from <= *made && plan.until.is_none_or(|until| *made < until), "made within its own time");
            for now in instants.iter().filter(|now| plan.from <= **now && plan.until.is_none_or(|until| **now < until)) {
                for key in &case.keys {
                    let decision = snapshot.evaluate(Some(index), &Subject::key(key), &case.moment(*now));
                    let answer = decision.answer.as_bool();
                    match (plan.kind, plan.has_new(key, *now)) {
                        (tidegate_engine::PlanKind::Ask, _) => {}
                        (tidegate_engine::PlanKind::Fixed(variant, value), _) => {
                            prop_assert_eq!((variant, value), (decision.variant, answer), "{:?} at {}", plan, now);
                        }
                        (_, has_new) => {
                            prop_assert_eq!(has_new, Some(decision.variant == Some(Variant::New)), "{:?} at {}", plan, now);
                            let value = if has_new == Some(true) { plan.new } else { plan.stable };
                            prop_assert_eq!(value, answer);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn flips_and_evaluate_agree_to_the_microsecond(mut case in case()) {
        case.leave_it_to_the_ramp(&json!({}));
        case.clocks = Clocks::synced();
        let (snapshot, index) = case.snapshot();
        let flag = snapshot.flag(index);
        for key in &case.keys {
            let subject = Subject::key(key);
            let flips = flag.flips(&subject, &case.moment(Micros::new(START)));
            let adopter = flag.new_value().is_some() && !flag.early_adopters().is_empty() && (key == "canary" || key == "ci-7");
            let mut turns = 0;
            let mut before = adopter;
            for now in case.instants(&snapshot, index) {
                let came = if adopter { flag.new_value().is_some() } else { flips.on.is_some_and(|on| now >= on) };
                let expected = came && flips.off.is_none_or(|off| now < off);
                let actual = has_new(&snapshot, index, key, &case.moment(now));
                prop_assert_eq!(actual, expected, "{} at {}: {:?}", key, now, flips);
                turns += i32::from(actual != before);
                before = actual;
            }
            prop_assert!(turns <= i32::from(flips.on.is_some()) + i32::from(flips.off.is_some()), "no flip but those");
        }
    }

    #[test]
    fn nothing_changes_before_valid_until(case in case()) {
        let (snapshot, index) = case.snapshot();
        let instants = case.instants(&snapshot, index);
        let subjects = || case.keys.iter().map(|key| Subject::key(key)).chain([Subject::absent()]);
        for (place, now) in instants.iter().enumerate() {
            for subject in subjects() {
                let explained = snapshot.explain("f", "a", &subject, &case.moment(*now));
                if let Some(until) = explained.valid_until {
                    prop_assert!(until > *now);
                }
                for later in instants[place..].iter().filter(|later| explained.valid_until.is_none_or(|until| **later < until)) {
                    let decision = snapshot.evaluate(Some(index), &subject, &case.moment(*later));
                    prop_assert_eq!(
                        decision.answer.to_json().map(String::from), explained.value.clone(),
                        "{:?}: {} still at {}, valid until {:?} by {:?}", subject, now, later, explained.valid_until.map(|u| u.to_string()), explained.rule
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_changes_before_valid_until_whatever_polls_succeed(
        mut case in case(),
        lease in 1..3_000_u64,
        words in vec(0..12_000_000_000_i64, 0..12),
    ) {
        case.leave_it_to_the_ramp(&json!({"lease": span(lease)}));
        let (snapshot, index) = case.snapshot();
        let leases = snapshot.leases();
        let first = Micros::new(START);
        case.clocks = Clocks::synced();
        case.clocks.note_poll(first, &leases);
        let mut instants: Vec<(Micros, bool)> = case.instants(&snapshot, index).into_iter().map(|at| (at, false)).collect();
        instants.extend(words.iter().map(|micros| (Micros::new(START + micros), true)));
        instants.retain(|(at, _)| *at >= first);
        instants.sort_unstable();
        let mut explained: Vec<Option<(Option<String>, Option<Micros>)>> = case.keys.iter().map(|_| None).collect();
        for (now, is_word) in instants {
            if is_word {
                case.clocks.note_poll(now, &leases);
            }
            for (key, before) in case.keys.iter().zip(&mut explained) {
                let answer = snapshot.explain("f", "a", &Subject::key(key), &case.moment(now));
                if let Some((value, until)) = before
                    && until.is_none_or(|until| now < until)
                {
                    prop_assert_eq!(&answer.value, value, "{} at {}", key, now);
                } else {
                    *before = Some((answer.value, answer.valid_until));
                }
            }
        }
    }

    #[test]
    fn a_rollback_gives_new_to_no_key_that_never_had_it(mut case in case()) {
        case.leave_it_to_the_ramp(&json!({}));
        let (snapshot, index) = case.snapshot();
        let flag = snapshot.flag(index);
        let moment = case.moment(Micros::new(START));
        let Some(fall) = flag.rollback(&moment) else { return Ok(()) };
        for key in &case.keys {
            let mut had = false;
            let mut lost = false;
            for now in case.instants(&snapshot, index) {
                let has = has_new(&snapshot, index, key, &case.moment(now));
                prop_assert!(now < fall.start || had || !has || now == fall.start, "{key} first at {now}");
                prop_assert!(!(lost && has), "{key} again at {now}");
                lost |= had && !has;
                had |= has;
            }
        }
    }

    #[test]
    fn an_interpolated_number_lies_between_its_ends(mut case in case(), is_float in any::<bool>()) {
        let ends = if is_float { json!({"stable": 0.1, "new": 3}) } else { json!({"stable": 10, "new": -17}) };
        case.leave_it_to_the_ramp(&ends);
        case.entry["interpolate"] = json!(true);
        let (snapshot, index) = case.snapshot();
        for now in case.instants(&snapshot, index) {
            let moment = case.moment(now);
            match snapshot.evaluate(Some(index), &Subject::absent(), &moment).answer {
                Answer::Integer(number) => prop_assert!((-17..=10).contains(&number), "{number}"),
                Answer::Float(number) => prop_assert!((0.1..=3.0).contains(&number), "{number}"),
                Answer::CallerDefault | Answer::Bool(_) | Answer::Stored(_) | Answer::Json(_) | Answer::Named(_) => prop_assert!(false, "an interpolated flag answers a number"),
            }
        }
    }

    #[test]
    fn raising_the_end_takes_new_from_no_key(
        start in 0..5_000_i64,
        over in 0..9_000_u64,
        ends in (0..=100_u64).prop_flat_map(|low| (Just(low), low..=100)),
        keys in vec("[a-z]{0,6}", 1..20),
        micros in -1_000_000_i64..16_000_000_000,
    ) {
        let flag = |end: u64| {
            let entry = json!({"stable": 1, "new": 2, "start_time": time(start), "duration": span(over), "end_pct": end});
            let text = json!({"f": {"a": entry}}).to_string();
            compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
        };
        let (low, high) = (flag(ends.0), flag(ends.1));
        let clocks = Clocks::synced();
        let moment = Moment { now: Micros::new(START + micros), leases: &clocks };
        for key in &keys {
            let had = has_new(&low, low.find("f", "a").unwrap(), key, &moment);
            prop_assert!(!had || has_new(&high, high.find("f", "a").unwrap(), key, &moment));
        }
    }
}

#[test]
fn a_position_that_would_flip_twice_at_one_instant_never_flips() {
    // The key `Cx1v` flips at the very microsecond at which a rollback begins that takes no time.
    let ramp = json!({"stable": 1, "new": 2, "start_time": time(0), "duration": span(4_000)});
    let snapshot = |entry: &Value| {
        let text = json!({"f": {"a": entry}}).to_string();
        compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
    };
    let clocks = Clocks::synced();
    let moment = Moment { now: Micros::new(START), leases: &clocks };
    let plain = snapshot(&ramp);
    let flips =
        |snapshot: &Snapshot| snapshot.flag(snapshot.find("f", "a").unwrap()).flips(&Subject::key("Cx1v"), &moment);
    let on = flips(&plain).on.unwrap();
    let mut rolled_back = ramp.clone();
    rolled_back["rollback"] = json!({"start_time": on.to_string()});
    assert_eq!(flips(&snapshot(&rolled_back)), Flips::default());
    rolled_back["rollback"] = json!({"start_time": on.to_string(), "duration": "1h"});
    assert_eq!(flips(&snapshot(&rolled_back)).on, Some(on));
}

#[test]
fn a_lagging_ramp_is_cut_off_by_its_rollback() {
    let entry = json!({
        "stable": 1, "new": 2, "start_time": time(0), "duration": span(4_000), "lease": span(1_000),
        "rollback": {"start_time": time(3_000), "duration": span(1_000)},
    });
    let text = json!({"f": {"a": entry}}).to_string();
    let snapshot = compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
    let index = snapshot.find("f", "a").unwrap();
    let second = |second: i64| Micros::new(START + second * 1_000_000);
    let mut clocks = Clocks::synced();
    clocks.note_poll(second(0), &snapshot.leases());
    // No poll from 1,000 on, until the one at 2,800 lets the ramp run at twice its speed: at 3,000 it is at 1,400.
    clocks.note_poll(second(2_800), &snapshot.leases());
    clocks.note_poll(second(3_100), &snapshot.leases());
    let moment = Moment { now: second(3_100), leases: &clocks };
    let fall = snapshot.flag(index).rollback(&moment).unwrap();
    assert_eq!(fall.from.to_string(), "35");
    // Blind from 1,000 until long after the rollback began: the last to come did so before it.
    let mut clocks = Clocks::synced();
    clocks.note_poll(second(0), &snapshot.leases());
    clocks.note_poll(second(3_900), &snapshot.leases());
    let moment = Moment { now: second(3_900), leases: &clocks };
    let mut came = 0;
    for number in 0..200 {
        let flips = snapshot.flag(index).flips(&Subject::key(&number.to_string()), &moment);
        assert!(flips.on.is_none_or(|on| on <= fall.start), "{number}: {flips:?}");
        assert_eq!(flips.on.is_some(), flips.off.is_some(), "{number}: {flips:?}");
        came += i32::from(flips.on.is_some());
    }
    assert!((30..70).contains(&came), "about a quarter of 200: {came}");
}
