//! Pages about named variants and splits.

use super::{Code, Example, Page, page};
use crate::limits;

pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::VariantUnknown => page(
            "A field names a variant that `variants` does not define. The field may be `stable`, `new`, the `serve` of a rule, a split, or the `is` of a condition on another flag.",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"red\", \"new\": \"bleu\"}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"red\", \"new\": \"blue\"}}}",
            "A key with this variant would have no value.",
        ),
        Code::VariantsEmpty => page(
            "A flag has `variants`, but none in it.",
            "{\"shop\": {\"button\": {\"variants\": {}, \"stable\": \"red\"}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\"}, \"stable\": \"red\"}}}",
            "Beside `variants`, `stable` is the name of a variant. For a flag of two values leave `variants` out.",
        ),
        Code::TooManyVariants => Page {
            what: "A flag has more than 100 variants.",
            wrong: Example::Made("a flag with 101 variants", || with_variants(limits::VARIANTS_MAX + 1)),
            fixed: Example::Made("the same with 100 of them", || with_variants(limits::VARIANTS_MAX)),
            why: "An evaluation of a split hashes the key once for each variant. A variant can be an object with many parts.",
        },
        Code::ChoiceUnusable => page(
            "Something stands where a flag with `variants` has to name a variant or to have a split; or a rule serves a split and the flag has no `variants`.",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": false, \"new\": \"blue\"}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"red\", \"new\": \"blue\"}}}",
            "Beside `variants`, `stable` and `new` are no values: they name one, or split the keys over several.",
        ),
        Code::WeightUnusable => page(
            "A weight of a split is not a number from 0 to 1,000,000 with at most six decimals.",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": {\"split\": {\"red\": \"50\", \"blue\": -50}}}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": {\"split\": {\"red\": 50, \"blue\": 50}}}}}",
            "Weights are exact, so that every program places a key in the same way. They need no sum of 100: only their proportions count.",
        ),
        Code::SplitEmpty => page(
            "No variant of a split has a weight above 0.",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": {\"split\": {\"red\": 0, \"blue\": 0}}}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": {\"split\": {\"red\": 100, \"blue\": 0}}}}}",
            "No key could have any of them. To end an experiment, name the variant that everyone gets.",
        ),
        Code::VariantsInterpolated => page(
            "A flag has `variants` and `interpolate`.",
            "{\"shop\": {\"limit\": {\"variants\": {\"low\": 10, \"high\": 20}, \"stable\": \"low\", \"new\": \"high\", \"interpolate\": true,\n  \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"shop\": {\"limit\": {\"stable\": 10, \"new\": 20, \"interpolate\": true,\n  \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "With `interpolate` every key has a number between two, and so none of the variants.",
        ),
        Code::VariantUnused => page(
            "A variant is defined, but neither `stable` nor `new` nor a rule names it.",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\", \"green\": \"#0f0\"}, \"stable\": \"red\", \"new\": \"blue\"}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"red\", \"new\": \"blue\"}}}",
            "No key has it. A variant that waits can have the weight 0 in a split.",
        ),
        Code::VariantMisnamed => page(
            "A variant is called `stable`, `new` or `interpolated`, but is not what these words mean elsewhere.",
            "{\"shop\": {\"button\": {\"variants\": {\"new\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"new\", \"new\": \"blue\"}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": \"red\", \"new\": \"blue\"}}}",
            "Reports name the variant of a decision. Readers take `new` for the value that the ramp moves keys to.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => page(
            "`stable` or `new` is an object with `split`, but the flag has no `variants`.",
            "{\"shop\": {\"button\": {\"stable\": {\"split\": {\"red\": 50, \"blue\": 50}}}}}",
            "{\"shop\": {\"button\": {\"variants\": {\"red\": \"#f00\", \"blue\": \"#00f\"}, \"stable\": {\"split\": {\"red\": 50, \"blue\": 50}}}}}",
            "Without `variants` it is a value like any other: every key gets the whole object.",
        ),
    }
}

/// A document with so many variants.
fn with_variants(count: usize) -> Vec<u8> {
    let variants = (0..count).map(|number| format!("\"v{number}\":{number}")).collect::<Vec<_>>();
    let weights = (0..count).map(|number| format!("\"v{number}\":1")).collect::<Vec<_>>();
    format!(
        "{{\"f\":{{\"a\":{{\"variants\":{{{}}},\"stable\":{{\"split\":{{{}}}}}}}}}}}",
        variants.join(","),
        weights.join(",")
    )
    .into_bytes()
}
