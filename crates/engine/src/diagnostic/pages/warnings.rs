//! Pages of warnings: what is accepted but probably not meant.

use super::{Code, Page, page};

pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::UnknownField => page(
            "This version does not know the field. It has no effect.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_tmie\": \"2026-12-15 00:00Z\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "It is a warning, so that an older program still accepts a document that uses a field of a newer version. Put your own \
             notes into `metadata`.",
        ),
        Code::WithoutWindow => page(
            "A field describes the ramp or its rollback, but there is no ramp.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_pct\": 5}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_pct\": 5, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "Without `start_time`, `end_time`, `duration` and `steps` the share is 0, and only early adopters have `new`.",
        ),
        Code::NewEqualsStable => page(
            "`new` and `stable` are the same value.",
            "{\"features\": {\"dark_mode\": {\"stable\": true, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "The flag changes nothing. If the change is complete, `stable` alone is enough.",
        ),
        Code::WithoutNew => page(
            "A field describes which keys get `new` and when, but there is no `new`.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "Every key has `stable`. For an empty `new`, write it out: `null`, `\"\"` and `false` are values like any other.",
        ),
        Code::PatternMatchesAll => page(
            "A pattern among the early adopters, or in a `matches`, matches every text.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^canary-\"}]}}}",
            "A pattern matches anywhere in the key, so an empty one, or `.*`, gives `new` to every key at once. If you \
             mean that, write `\"lock\": \"new\"`.",
        ),
        Code::NameDeceptive => page(
            "A name holds a character that is invisible or changes the direction of the text around it.",
            "{\"features\": {\"dark\\u200b_mode\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Two names that look alike would be two flags. Such characters are often copied with a name from a web page. \
             Messages show them escaped.",
        ),
        Code::RollbackTooEarly => page(
            "The rollback begins before the ramp does.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"14d\",\n  \"rollback\": {\"start_time\": \"2026-11-01 00:00Z\"}}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"14d\",\n  \"rollback\": {\"start_time\": \"2026-12-03 00:00Z\"}}}}",
            "A ramp does not resume after a rollback, so this one never begins. This happens when a window is moved and an \
             old rollback remains in the entry.",
        ),
        Code::RollbackNowhere => page(
            "The rollback goes down to a share that the ramp never exceeds.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"14d\", \"end_pct\": 20,\n  \"rollback\": {\"start_time\": \"2026-12-20 00:00Z\", \"to_pct\": 50}}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"14d\", \"end_pct\": 20,\n  \"rollback\": {\"start_time\": \"2026-12-20 00:00Z\", \"to_pct\": 5}}}}",
            "`to_pct` is per cent of all keys, not of the keys that have `new`. A share that is already lower stays.",
        ),
        Code::AdopterTwice => page(
            "The same key is named twice among the early adopters.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [\"canary-1\", \"canary-1\"]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [\"canary-1\", \"canary-2\"]}}}",
            "It has no effect, but the second was probably meant to be another key.",
        ),
        Code::ComparisonNeverHolds => page(
            "The tests of a comparison exclude each other, or a flag is asked for a variant that it cannot have.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"age\", \"gte\": 65, \"lt\": 18}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"age\", \"gte\": 18, \"lt\": 65}, \"serve\": \"new\"}]}}}",
            "A rule that never matches is probably a slip: an `and` that should be an `any`, a bound on the wrong side, a number in \
             quotes.",
        ),
        Code::PrerequisiteUnknown => page(
            "A condition asks for a flag that this document does not define.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"flag\": \"features/light_mode\", \"is\": \"new\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"flag\": \"features/light_mode\", \"is\": \"new\"}, \"serve\": \"new\"}]},\n \"light_mode\": {\"stable\": false, \"new\": true}}}",
            "Another document may define it, so it is a warning. While none does, the condition does not hold.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => page(
            "The document has no flags at all.",
            "{\"features\": {}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Every caller gets its default. The program that writes the document may have found no flags.",
        ),
    }
}
