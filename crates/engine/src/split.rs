//! Splits: which of several variants a key has, in proportion to their weights.
//!
//! Weighted rendezvous hashing (Thaler and Ravishankar 1998; with weights as in Schindelhauer and Schomaker 2005): each variant
//! hashes the key for itself, the hash becomes a cost, and the key has the variant whose cost divided by its weight is least.
//! The cost is the negative binary logarithm of the hash, as if it were a fraction between 0 and 1, so a variant wins with the
//! probability of its weight among all. The logarithm is a table, and quotients are compared by cross-multiplication: no float
//! decides.
//!
//! A key leaves a variant only for one whose weight has grown relative to the weight of the one it leaves: see
//! `docs/decisions/0140-weighted-rendezvous-hashing-for-splits.md`.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The seed of a variant's hash: of its name under the salt of the split.
pub(crate) fn seed(salt: &str, variant: &str) -> u64 {
    xxh3_64_with_seed(variant.as_bytes(), xxh3_64(salt.as_bytes()))
}

/// The cost of a variant for a key: `-log2(hash / 2^64)`, times 2^32; at least 1.
#[expect(clippy::indexing_slicing, reason = "the index has ten bits, and the table one entry more than that needs")]
pub(crate) fn cost(key: &[u8], seed: u64) -> u64 {
    let hash = xxh3_64_with_seed(key, seed).max(1);
    let zeros = hash.leading_zeros();
    let mantissa = hash << zeros;
    let index = (mantissa >> 53 & 0x3ff) as usize;
    let rest = mantissa >> 21 & 0xffff_ffff;
    let (low, high) = (LOGARITHMS[index], LOGARITHMS[index + 1]);
    // Between two entries the logarithm is a straight line.
    let logarithm = low + (((high - low) * rest) >> 32);
    (u64::from(zeros + 1) << 32).saturating_sub(logarithm).max(1)
}

/// Whether the first of two variants, each with its cost and weight, wins against the second.
pub(crate) fn is_cheaper((cost, weight): (u64, u64), (other_cost, other_weight): (u64, u64)) -> bool {
    u128::from(cost) * u128::from(other_weight) < u128::from(other_cost) * u128::from(weight)
}

/// `log2(1 + i / 1024)`, times 2^32 and rounded down, for `i` from 0 to 1,024.
static LOGARITHMS: [u64; 1025] = logarithms();

/// Computes the table by squaring: the square of a number has twice its logarithm, so each squaring gives one more binary digit.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a constant: an error would not compile")]
const fn logarithms() -> [u64; 1025] {
    let mut table = [1 << 32; 1025];
    let mut index = 0;
    while index < 1024 {
        // From 1 to below 2, with 63 binary digits behind the point.
        let mut number = (1024 + index as u64) << 53;
        let (mut logarithm, mut digit) = (0_u64, 0);
        while digit < 32 {
            let square = number as u128 * number as u128;
            let is_two = square >> 127;
            number = (square >> (63 + is_two)) as u64;
            logarithm = logarithm << 1 | is_two as u64;
            digit += 1;
        }
        table[index] = logarithm;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_logarithms_rounded_down() {
        assert_eq!((LOGARITHMS[0], LOGARITHMS[1024]), (0, 1 << 32));
        // log2(1.5) = 0.58496250072115618..., times 2^32.
        assert_eq!(LOGARITHMS[512], 2_512_394_809);
        for pair in LOGARITHMS.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        for (index, logarithm) in (0_u32..).zip(LOGARITHMS) {
            let expected = (1.0 + f64::from(index) / 1024.0).log2() * 4_294_967_296.0;
            #[expect(clippy::cast_precision_loss, reason = "33 bits")]
            let off = expected - logarithm as f64;
            assert!((-0.001..1.001).contains(&off), "{index}: {logarithm} and {expected}");
        }
    }

    #[test]
    fn a_cost_is_the_logarithm_of_the_hash() {
        for number in 0..10_000_u32 {
            let key = number.to_string();
            #[expect(clippy::cast_precision_loss, reason = "a bound of the error, which decides nothing")]
            let (cost, hash) = (cost(key.as_bytes(), 7) as f64, xxh3_64_with_seed(key.as_bytes(), 7) as f64);
            let expected = (64.0 - hash.log2()) * 4_294_967_296.0;
            assert!((cost - expected).abs() <= 1_000.0, "{key}: {cost} and {expected}");
        }
    }

    #[test]
    fn quotients_are_compared_exactly() {
        assert!(is_cheaper((1, 1), (2, 1)) && !is_cheaper((2, 1), (1, 1)));
        assert!(!is_cheaper((3, 6), (1, 2)) && !is_cheaper((1, 2), (3, 6)), "neither is");
        let (cost, weight) = (65 << 32, 1_000_000_000_000);
        assert!(is_cheaper((cost - 1, weight), (cost, weight)), "at the limits of both");
        assert!(is_cheaper((cost, weight), (cost, weight - 1)));
    }
}
