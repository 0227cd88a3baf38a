//! Splits: which keys move when weights change, and which do not.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{CompileOptions, Micros, Moment, Snapshot, Subject, compile, read};

const NAMES: [&str; 5] = ["blue", "green", "red", "a longer name", "\u{e9}"];
/// Keys of each case.
const KEYS: usize = 300;

/// The weights of some of the variants; the others are not in the split.
type Weights = [Option<u32>; NAMES.len()];

fn weights() -> impl Strategy<Value = Weights> {
    let weight = prop_oneof![1 => Just(None), 1 => Just(Some(0)), 4 => (1..100_u32).prop_map(Some), 1 => (1..1_000_000_u32).prop_map(Some)];
    proptest::array::uniform5(weight)
        .prop_filter("a split", |weights| weights.iter().flatten().any(|weight| *weight > 0))
}

fn of(weights: &Weights, number: usize) -> u64 {
    weights[number].unwrap_or(0).into()
}

/// The flag with this split on the side of `stable`; the text has the weights in this order.
fn snapshot(weights: &Weights, order: &[usize], salt: &str) -> Snapshot {
    let split: Vec<String> = order
        .iter()
        .filter_map(|number| Some(format!("{}: {}", Value::from(NAMES[*number]), weights[*number]?)))
        .collect();
    let variants: Value = NAMES.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
    let text = format!(
        r#"{{"f": {{"x": {{"variants": {variants}, "stable": {{"split": {{{}}}}}, "salt": "{salt}"}}}}}}"#,
        split.join(", ")
    );
    compile(&read(text.as_bytes()).unwrap_or_else(|found| panic!("{found:#?}")).0, &CompileOptions::default())
}

/// Which variant each key has, by its number.
fn chosen(snapshot: &Snapshot, keys: &[String]) -> Vec<usize> {
    let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    let index = snapshot.find("f", "x");
    let number = |key: &String| {
        let decision = snapshot.evaluate(index, &Subject::key(key), &moment);
        let name = decision.variant_name().unwrap();
        NAMES.iter().position(|known| *known == name).unwrap()
    };
    keys.iter().map(number).collect()
}

fn keys(seed: u32) -> Vec<String> {
    (0..KEYS).map(|number| format!("user-{seed}-{number}")).collect()
}

fn counts(chosen: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for variant in chosen {
        *counts.entry(*variant).or_default() += 1;
    }
    counts
}

const ORDER: [usize; 5] = [0, 1, 2, 3, 4];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_key_moves_only_to_a_variant_whose_weight_grew_beside_that_of_the_one_it_leaves(
        before in weights(), after in weights(), seed in any::<u32>()
    ) {
        let keys = keys(seed);
        let (one, other) = (chosen(&snapshot(&before, &ORDER, "s"), &keys), chosen(&snapshot(&after, &ORDER, "s"), &keys));
        for (from, to) in one.into_iter().zip(other) {
            prop_assert!(of(&before, from) > 0 && of(&after, to) > 0, "a weight of 0 gives nothing");
            if from != to {
                let (rose, fell) = (of(&after, to) * of(&before, from), of(&after, from) * of(&before, to));
                prop_assert!(rose > fell, "from {} to {}", NAMES[from], NAMES[to]);
            }
        }
    }

    #[test]
    fn where_some_variants_give_to_others_in_proportion_no_more_keys_move_than_must(
        before in weights(), gains in proptest::array::uniform5(any::<bool>()), factor in 2..50_u32, seed in any::<u32>()
    ) {
        // Those that gain grow by one factor, so the others lose by one factor.
        let after: Weights = std::array::from_fn(|number| {
            let times = if gains[number] { factor } else { 1 };
            before[number].map(|weight| (weight % 10_000).max(u32::from(weight > 0)) * times)
        });
        let before = before.map(|weight| weight.map(|weight| (weight % 10_000).max(u32::from(weight > 0))));
        let keys = keys(seed);
        for (before, after) in [(before, after), (after, before)] {
            let (one, other) = (chosen(&snapshot(&before, &ORDER, "s"), &keys), chosen(&snapshot(&after, &ORDER, "s"), &keys));
            let moved = one.iter().zip(&other).filter(|(one, other)| one != other).count();
            let (had, have) = (counts(&one), counts(&other));
            let taken: usize =
                had.iter().map(|(variant, count)| count.saturating_sub(have.get(variant).copied().unwrap_or(0))).sum();
            prop_assert_eq!(moved, taken, "the least that these counts need");
        }
    }

    #[test]
    fn a_variant_that_comes_takes_keys_from_the_others_and_gives_none_back(
        before in weights(), place in 0..NAMES.len(), weight in 1..1_000_u32, seed in any::<u32>()
    ) {
        let mut after = before;
        after[place] = Some(weight);
        let mut without = before;
        without[place] = None;
        prop_assume!(without.iter().flatten().any(|weight| *weight > 0));
        let keys = keys(seed);
        let (one, other) = (chosen(&snapshot(&without, &ORDER, "s"), &keys), chosen(&snapshot(&after, &ORDER, "s"), &keys));
        for (from, to) in one.into_iter().zip(other) {
            prop_assert!(from == to || to == place, "from {} to {}", NAMES[from], NAMES[to]);
        }
    }

    #[test]
    fn only_proportions_count_and_the_order_of_the_text_does_not(
        weights in weights(), order in Just(ORDER.to_vec()).prop_shuffle(), factor in 1..1_000_u32, seed in any::<u32>()
    ) {
        let keys = keys(seed);
        let small = weights.map(|weight| weight.map(|weight| (weight % 1_000).max(u32::from(weight > 0))));
        let large = small.map(|weight| weight.map(|weight| weight * factor));
        prop_assert_eq!(chosen(&snapshot(&small, &ORDER, "s"), &keys), chosen(&snapshot(&large, &order, "s"), &keys));
    }

    #[test]
    fn a_ramp_moves_each_key_at_its_position_whatever_the_splits_are(
        weights in weights(), entry in vec(0..4_000_000_000_i64, 1..8), seed in any::<u32>()
    ) {
        let split = NAMES.iter().zip(weights).filter_map(|(name, weight)| Some(((*name).to_owned(), json!(weight?))));
        let split = json!({"split": split.collect::<serde_json::Map<_, _>>()});
        let variants: Value = NAMES.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
        let window = json!({"salt": "s", "start_time": "1970-01-01 00:00Z", "duration": "1h"});
        let with = |fields: Value| {
            let mut entry = window.clone();
            entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let text = json!({"f": {"x": entry}}).to_string();
            compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
        };
        let split = with(json!({"variants": variants, "stable": split, "new": split}));
        let plain = with(json!({"stable": 1, "new": 2}));
        for key in keys(seed).iter().take(30) {
            for now in &entry {
                let moment = Moment { now: Micros::new(*now), leases: &Clocks::synced() };
                let subject = Subject::key(key);
                let one = split.explain("f", "x", &subject, &moment);
                let other = plain.explain("f", "x", &subject, &moment);
                prop_assert_eq!((one.variant, one.position, one.share, one.flips), (other.variant, other.position, other.share, other.flips));
                // Both sides are one split, so no key sees the ramp.
                let first = split.explain("f", "x", &subject, &Moment { now: Micros::MIN, leases: &Clocks::synced() });
                prop_assert_eq!(one.variant_name(), first.variant_name());
            }
        }
    }
}
