//! Every algorithm spreads keys evenly over the line, and two salts have nothing to do with each other.
//!
//! Chi-square at fixed seeds: the same keys on every run, so these tests either always pass or always fail.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{CompileOptions, HashAlgorithm, Micros, Moment, Position, Snapshot, Subject, compile, read};

/// The kinds of keys that people use, made from a seed.
fn keys(kind: &str, seed: u64) -> Vec<String> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea, Flood 2014): a fixed stream is all that is wanted here.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..KEYS)
        .map(|number| match kind {
            "counted" => format!("user-{}", seed + number),
            "hosts" => format!("web{:05}.eu.example.net", seed + number),
            "numbers" => (seed + number).to_string(),
            _ => format!("{:016x}-{:04x}", next(), next() & 0xffff),
        })
        .collect()
}

/// How far counts are from even, as a chi-square statistic.
#[expect(clippy::cast_precision_loss, reason = "counts are small; this tests a distribution and decides nothing")]
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

fn bucket(position: Position, buckets: u64) -> usize {
    usize::try_from((u64::from(position.get()) * buckets) >> 32).unwrap()
}

#[test]
fn keys_spread_evenly() {
    for hash in HashAlgorithm::ALL {
        for salt in ["", "features/checkout", "2026"] {
            for kind in ["counted", "hosts", "numbers", "random"] {
                for seed in [1, 20_250_101] {
                    let mut counts = vec![0; 256];
                    for key in keys(kind, seed) {
                        counts[bucket(hash.position(salt, &key), 256)] += 1;
                    }
                    let chi_square = chi_square(&counts);
                    assert!(chi_square < LIMIT_255, "{hash} `{salt}` {kind} {seed}: {chi_square}");
                }
            }
        }
    }
}

#[test]
fn low_bits_are_as_even_as_high_ones() {
    for hash in HashAlgorithm::ALL {
        let mut counts = vec![0; 256];
        for key in keys("counted", 7) {
            counts[(hash.position("salt", &key).get() & 0xff) as usize] += 1;
        }
        let chi_square = chi_square(&counts);
        assert!(chi_square < LIMIT_255, "{hash}: {chi_square}");
    }
}

#[test]
fn two_salts_are_independent() {
    for hash in HashAlgorithm::ALL {
        let mut counts = vec![0; 256];
        for key in keys("counted", 3) {
            let one = bucket(hash.position("one", &key), 16);
            let other = bucket(hash.position("other", &key), 16);
            counts[one * 16 + other] += 1;
        }
        let chi_square = chi_square(&counts);
        assert!(chi_square < LIMIT_255, "{hash}: {chi_square}");
    }
}

#[test]
fn without_a_salt_the_same_keys_go_first() {
    let first = |hash: HashAlgorithm| {
        let mut keys = keys("counted", 9);
        keys.sort_by_key(|key| hash.position("", key));
        keys.truncate(100);
        keys
    };
    assert_eq!(first(HashAlgorithm::Sha1), first(HashAlgorithm::Sha1));
    assert_ne!(first(HashAlgorithm::Sha1), first(HashAlgorithm::Xxh3));
}

/// A flag whose `stable` splits over variants with these weights.
fn split(weights: &[u64], salt: &str, more: &str) -> Snapshot {
    let member = |value: &dyn Fn(u64) -> u64| {
        let members = weights.iter().enumerate().map(|(number, weight)| format!("\"v{number}\": {}", value(*weight)));
        members.collect::<Vec<_>>().join(", ")
    };
    let (variants, split) = (member(&|weight| weight), member(&|weight| weight));
    let text = format!(
        r#"{{"f": {{"x": {{"variants": {{{variants}}}, "stable": {{"split": {{{split}}}}}, "salt": "{salt}"{more}}}}}}}"#
    );
    compile(&read(text.as_bytes()).unwrap_or_else(|found| panic!("{found:?}")).0, &CompileOptions::default())
}

/// Which variant of a split a key has, by its number.
fn portion(snapshot: &Snapshot, key: &str) -> usize {
    let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    let decision = snapshot.evaluate(snapshot.find("f", "x"), &Subject::key(key), &moment);
    decision.variant_name().unwrap().strip_prefix('v').unwrap().parse().unwrap()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts are small; this tests a distribution and decides nothing")]
fn splits_are_as_even_as_their_weights() {
    for weights in
        [&[1, 1][..], &[50, 30, 20], &[90, 10], &[997, 3], &[1, 2, 3, 4, 5, 6, 7, 8], &[1_000_000, 250_000, 1_000]]
    {
        let total = weights.iter().sum::<u64>() as f64;
        for salt in ["", "features/checkout", "2026"] {
            for kind in ["counted", "hosts", "numbers", "random"] {
                for seed in [1, 20_250_101] {
                    let snapshot = split(weights, salt, "");
                    let mut counts = vec![0_u64; weights.len()];
                    for key in keys(kind, seed) {
                        counts[portion(&snapshot, &key)] += 1;
                    }
                    let off = |(count, weight): (&u64, &u64)| {
                        let expected = *weight as f64 / total * KEYS as f64;
                        (*count as f64 - expected).powi(2) / expected
                    };
                    let chi_square: f64 = counts.iter().zip(weights).map(off).sum();
                    let limit = LIMITS_FEW[weights.len() - 2];
                    assert!(chi_square < limit, "{weights:?} `{salt}` {kind} {seed}: {chi_square} of {counts:?}");
                }
            }
        }
    }
}

#[test]
fn a_split_has_nothing_to_do_with_the_position() {
    for hash in HashAlgorithm::ALL {
        let snapshot = split(&[1; 16], "salt", &format!(r#", "hash": "{hash}""#));
        let mut counts = vec![0; 256];
        for key in keys("counted", 5) {
            counts[bucket(hash.position("salt", &key), 16) * 16 + portion(&snapshot, &key)] += 1;
        }
        let chi_square = chi_square(&counts);
        assert!(chi_square < LIMIT_255, "{hash}: {chi_square}");
    }
}

#[test]
fn splits_with_two_salts_are_independent() {
    let (one, other) = (split(&[1; 16], "one", ""), split(&[1; 16], "other", ""));
    let mut counts = vec![0; 256];
    for key in keys("counted", 6) {
        counts[portion(&one, &key) * 16 + portion(&other, &key)] += 1;
    }
    let chi_square = chi_square(&counts);
    assert!(chi_square < LIMIT_255, "{chi_square}");
}

/// Keys in each sample: some 80 in each of 256 buckets.
const KEYS: u64 = 20_000;

/// The chi-square value that 255 degrees of freedom exceed once in 100,000 even samples; there are some 80
/// samples here.
const LIMIT_255: f64 = 358.0;

/// The values that 1 to 7 degrees of freedom exceed once in 100,000 even samples; there are some 140 samples here.
const LIMITS_FEW: [f64; 7] = [19.5, 23.0, 25.9, 28.5, 30.9, 33.1, 35.3];
