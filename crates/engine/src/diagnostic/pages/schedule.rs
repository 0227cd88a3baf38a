//! Pages about entries that contradict themselves or have unreadable fields.

use super::{Code, Page, page};

#[expect(clippy::too_many_lines, reason = "a table: one arm for each code")]
pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::StableMissing => page(
            "An entry has no `stable`, the value of keys that do not have `new`.",
            "{\"features\": {\"dark_mode\": {\"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "Keys without `new` would have no value, and each caller would use a default of its own.",
        ),
        Code::WindowIncomplete => page(
            "One of `start_time`, `end_time` and `duration` stands alone. Any two of them give the third.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"duration\": \"14d\", \"end_time\": \"2026-12-15 00:00Z\"}}}",
            "A duration alone does not say when it begins, and an instant alone would move all keys at once: if you mean that, \
             write `\"duration\": \"0s\"`.",
        ),
        Code::WindowContradicts => page(
            "`start_time`, `end_time` and `duration` are all given, and the duration is not the time between the two.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"start_time\": \"2026-12-01 00:00Z\", \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"7d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"start_time\": \"2026-12-01 00:00Z\", \"end_time\": \"2026-12-15 00:00Z\"}}}",
            "Probably one of the three was changed and another forgotten. Tidegate cannot know which of them is right.",
        ),
        Code::WindowReversed => page(
            "`end_time` is earlier than `start_time`.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"start_time\": \"2026-12-15 00:00Z\", \"end_time\": \"2026-12-01 00:00Z\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"start_time\": \"2026-12-01 00:00Z\", \"end_time\": \"2026-12-15 00:00Z\"}}}",
            "A ramp only rises. Use a `rollback` for the way down.",
        ),
        Code::TimeUnreadable => page(
            "A text is not a time, or names a day or an hour that does not exist.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-02-30 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-03-02 00:00Z\", \"duration\": \"14d\"}}}",
            "Times are written `2026-12-01 00:00Z`, with seconds and up to six digits of fraction where needed, or as RFC \
             3339 with any offset. A leap second (`:60`) is refused, because it is not counted.",
        ),
        Code::TimeWithoutZone => page(
            "A time has neither a `Z` nor an offset at its end.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "It would mean another instant on each host, depending on the host's time zone.",
        ),
        Code::DurationUnreadable => page(
            "A text is not a duration: numbers, each with one of the units `w d h m s ms`, no unit twice, none negative.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"1 month\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"30d\"}}}",
            "Months and years have no fixed length. `m` is a minute and `ms` a millisecond.",
        ),
        Code::DurationTooLong => page(
            "A duration, or the sum of all steps, is longer than 10,000 years.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"9999999w\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"9w\"}}}",
            "That is as long as the calendar of a document, so the unit is probably wrong.",
        ),
        Code::PercentOutOfRange => page(
            "A percentage is below 0 or above 100.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"end_pct\": 101}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"end_pct\": 100}}}",
            "Percentages are per cent of all keys: `0.5` is one key in 200, not one half.",
        ),
        Code::PercentTooFine => page(
            "A percentage has more than six decimals.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"end_pct\": 33.3333333}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"end_pct\": 33.333333}}}",
            "Percentages are read as exact decimals, so that every program and language has the same share. A millionth of \
             a per cent is the finest step.",
        ),
        Code::PercentagesReversed => page(
            "`end_pct` is smaller than `start_pct`.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"start_pct\": 60, \"end_pct\": 40}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"start_pct\": 40, \"end_pct\": 60}}}",
            "A ramp only rises: a key that has `new` keeps it. Use a `rollback` for the way down.",
        ),
        Code::ExponentialFromZero => page(
            "`curve` is `exponential`, but the ramp starts at 0.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"curve\": \"exponential\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"curve\": \"exponential\", \"start_pct\": 1}}}",
            "The curve doubles the share in equal times, and doubling 0 gives 0.",
        ),
        Code::StepsBeside => page(
            "An entry has `steps` and one of `duration`, `start_pct`, `end_pct` and `curve`.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"7d\",\n  \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100, \"over\": \"6d\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\",\n  \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100, \"over\": \"6d\"}]}}}",
            "The steps describe the whole ramp: for each the share, the time to reach it and the time to hold it.",
        ),
        Code::StepsEmpty => page(
            "The list of `steps` has no element.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"steps\": []}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"steps\": [{\"pct\": 100}]}}}",
            "A template that fills in the steps may have had nothing to fill in. A flag without a ramp has no `steps` at all.",
        ),
        Code::StepsFall => page(
            "A step has a smaller `pct` than the step before it.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"steps\": [{\"pct\": 50, \"hold\": \"1d\"}, {\"pct\": 10}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 50}]}}}",
            "A ramp only rises: a key that has `new` keeps it. Use a `rollback` for the way down.",
        ),
        Code::StepsWithoutAnchor => page(
            "`steps` have neither `start_time` nor `end_time`.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100}], \"start_time\": \"2026-12-01 00:00Z\"}}}",
            "Steps are lengths of time; one instant has to say when they begin or end.",
        ),
        Code::StepsContradict => page(
            "`start_time` and `end_time` are both given, and the steps take another time than the one between them.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100}],\n  \"start_time\": \"2026-12-01 00:00Z\", \"end_time\": \"2026-12-15 00:00Z\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 10, \"hold\": \"1d\"}, {\"pct\": 100}],\n  \"start_time\": \"2026-12-01 00:00Z\"}}}",
            "`over` and `hold` of all steps add up to the length of the ramp, the last `hold` too. One instant is enough.",
        ),
        Code::InterpolateWithoutNumbers => page(
            "`interpolate` is `true`, but `stable` and `new` are not two numbers.",
            "{\"features\": {\"pool_size\": {\"stable\": \"10\", \"new\": 20, \"interpolate\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"pool_size\": {\"stable\": 10, \"new\": 20, \"interpolate\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "Only between two numbers are there values in between.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => page(
            "A `lease` is zero.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"lease\": \"0s\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"lease\": \"6h\"}}}",
            "A lease is the time for which the share may rise after the last successful poll. With a lease of zero it would never rise.",
        ),
    }
}
