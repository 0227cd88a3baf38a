//! Pages about wrong types, names and sizes.

use super::{Code, Example, Page, page};
use crate::limits;

#[expect(clippy::too_many_lines, reason = "a table: one arm for each code")]
pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::DocumentNotObject => page(
            "A document is an object of sections; this is something else.",
            "[{\"dark_mode\": {\"stable\": false}}]",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Services answer `null` or `[]` when they have no data. Reading that as an empty document would remove every \
             flag.",
        ),
        Code::SectionNotObject => page(
            "A section is an object of flags; this is something else.",
            "{\"features\": \"dark_mode\"}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "A document has two levels of names, section and flag, and then the entry.",
        ),
        Code::FlagNotObject => page(
            "A flag is described by an object, its entry; this is something else.",
            "{\"features\": {\"dark_mode\": true}}",
            "{\"features\": {\"dark_mode\": {\"stable\": true}}}",
            "A bare value does not say whether it is the old or the new one. The same is found where the section's name is \
             missing, so that an entry stands where a section should be.",
        ),
        Code::WrongType => page(
            "A field has another JSON type than it needs.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"enabled\": \"no\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"enabled\": false}}}",
            "Tidegate converts no types: `\"no\"` is true in one language and false in another, and a string in the place of a \
             list would match by its letters. Leave out a field that has no value; do not write `null`.",
        ),
        Code::UnknownWord => page(
            "The field has a fixed set of values, and this is not one of them.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"lock\": \"old\"}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"lock\": \"stable\"}}}",
            "The values are written exactly, in small letters.",
        ),
        Code::FieldMissing => page(
            "An object inside an entry lacks a field that it needs: `pct` of a step, `regex` of a pattern, `start_time` \
             of a rollback.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \
             \"duration\": \"1d\",\n  \"rollback\": {\"duration\": \"1h\"}}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"start_time\": \"2026-12-01 00:00Z\", \
             \"duration\": \"1d\",\n  \"rollback\": {\"start_time\": \"2026-12-03 00:00Z\", \"duration\": \"1h\"}}}}",
            "No default would be right for every document.",
        ),
        Code::NameTooLong => Page {
            what: "The name of a section or a flag has more than 256 bytes.",
            wrong: Example::Made("{\"features\": {\"dark_mode_dark_mode_ ... \": {\"stable\": false}}}", || {
                format!("{{\"features\":{{\"{}\":{{\"stable\":false}}}}}}", "n".repeat(limits::NAME_BYTES_MAX + 1))
                    .into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"dark_mode\": {\"stable\": false}}}"),
            why: "Names travel in URLs, log lines, metrics and keys of other systems, which cut off or refuse long ones.",
        },
        Code::NameHasControl => page(
            "The name of a section or a flag holds a control character, such as a line end, a tab or an escape.",
            "{\"features\": {\"dark_mode\\nERROR disk failed\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Shown in a log or a terminal, such a name can forge a line or change colours and titles.",
        ),
        Code::NameIsDots => page(
            "The name of a section or a flag is `.` or `..`.",
            "{\"features\": {\"..\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "In the path of a URL the two mean \"here\" and \"one up\" (RFC 3986, section 5.2.4), and clients and proxies remove them, \
             so a request about such a flag would arrive as a request about another flag.",
        ),
        Code::TooManyFlags => Page {
            what: "The document has more than 100,000 flags, or more than 100,000 sections.",
            wrong: Example::Made("{\"features\": {\"f0\": {\"stable\": 0}, \"f1\": {\"stable\": 0}, ... }}", || {
                let flags = (0..=limits::FLAGS_MAX).map(|n| format!("\"f{n}\":{{\"stable\":0}}")).collect::<Vec<_>>();
                format!("{{\"features\":{{{}}}}}", flags.join(",")).into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"f0\": {\"stable\": 0}, \"f1\": {\"stable\": 0}}}"),
            why: "The limit is ten times what the largest fleets use. It bounds memory and the time of a change. Instead of one \
                  flag for each user, write one flag with early adopters.",
        },
        Code::ValueTooLarge => Page {
            what: "A value, or another text of an entry, has more than 64 KiB.",
            wrong: Example::Made("{\"features\": {\"terms\": {\"stable\": \"Dear customer, ... \"}}}", || {
                format!("{{\"features\":{{\"terms\":{{\"stable\":\"{}\"}}}}}}", "x".repeat(limits::VALUE_BYTES_MAX))
                    .into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"terms\": {\"stable\": \"https://example.com/terms/3\"}}}"),
            why: "A flag chooses between values; it should not store large ones. Every host keeps the document in memory and \
                  fetches it again after each change.",
        },
        Code::TooManyAdopters => Page {
            what: "A flag has more than 100,000 early adopters.",
            wrong: Example::Made(
                "{\"features\": {\"dark_mode\": {\"stable\": false, \"early_adopters\": [\"u0\", \"u1\", ... ]}}}",
                || {
                    let keys = (0..=limits::EARLY_ADOPTERS_MAX).map(|n| format!("\"u{n}\"")).collect::<Vec<_>>();
                    format!(
                        "{{\"features\":{{\"dark_mode\":{{\"stable\":false,\"early_adopters\":[{}]}}}}}}",
                        keys.join(",")
                    )
                    .into_bytes()
                },
            ),
            fixed: Example::Text(
                "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^beta-\"}]}}}",
            ),
            why: "For this many keys use a percentage, which costs no memory: begin the ramp with a `start_pct`.",
        },
        Code::TooManySteps => Page {
            what: "A flag has more than 1,000 steps.",
            wrong: Example::Made(
                "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 0.1}, ... ], \"start_time\": \"2026-12-01 00:00Z\"}}}",
                || {
                    let steps = vec!["{\"pct\":1}"; limits::STEPS_MAX + 1].join(",");
                    format!("{{\"f\":{{\"a\":{{\"stable\":0,\"new\":1,\"start_time\":\"2026-12-01 00:00Z\",\"steps\":[{steps}]}}}}}}").into_bytes()
                },
            ),
            fixed: Example::Text(
                "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"steps\": [{\"pct\": 1, \"hold\": \"1h\"}, {\"pct\": 100, \"over\": \"1d\"}], \"start_time\": \"2026-12-01 00:00Z\"}}}",
            ),
            why: "A step with `over` already rises evenly: replace many small steps by one long step.",
        },
        Code::PatternUnreadable => page(
            "The text of a pattern is not a regular expression, or it has look-around or back-references, which Tidegate \
             does not support.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^(?!prod)\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^(dev|test)-\"}]}}}",
            "Patterns are matched in the request path, in time linear in the length of the key. Look-around and \
             back-references do not allow that.",
        ),
        Code::PatternsTooLarge => page(
            "The patterns of a flag, once compiled, have together more than 64 KiB; or their texts have more than 8 KiB.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^\\\\w{40}$\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^[0-9A-Za-z_]{40}$\"}]}}}",
            "`\\w` stands for the letters of all scripts and is large; `\\d` for all digits. Repetitions multiply what they \
             repeat. The limit bounds memory and time of a match.",
        ),
        Code::PatternsTooCostly => Page {
            what: "The patterns of all flags of the document together cost more to compile than a document may: 64 units for each \
                   pattern, one for each byte of it, and 1,024 for each class that stands for characters of all scripts, such as \
                   `\\w`, `\\d`, `\\pL`, `.` or `[^a]`. The message names the pattern at which the limit was passed.",
            wrong: Example::Made(
                "{\"features\": {\"flag_0\": {..., \"early_adopters\": [{\"regex\": \"^u0-\\\\d+$\"}]}, \"flag_1\": ... }}",
                || {
                    let flag = |n: u32| {
                        format!(
                            r#""flag_{n}":{{"stable":false,"new":true,"early_adopters":[{{"regex":"^u{n}-\\\\d+$"}}]}}"#
                        )
                    };
                    format!("{{\"features\":{{{}}}}}", (0..1_000).map(flag).collect::<Vec<_>>().join(",")).into_bytes()
                },
            ),
            fixed: Example::Text(
                "{\"features\": {\"flag_0\": {\"stable\": false, \"new\": true, \"early_adopters\": [{\"regex\": \"^u0-[0-9]+$\"}]}}}",
            ),
            why: "Every host compiles the document before it can use it. The cost is counted, not measured, so that all hosts \
                  accept a document or all refuse it.",
        },
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => Page {
            what: "An object other than a section has more than 100,000 names, with all that it holds.",
            wrong: Example::Made("{\"$tidegate\": {\"n0\": 0, \"n1\": 0, ... }}", || {
                let names = (0..=limits::NAMES_MAX).map(|n| format!("\"n{n}\":0")).collect::<Vec<_>>();
                format!("{{\"$tidegate\":{{{}}}}}", names.join(",")).into_bytes()
            }),
            fixed: Example::Text("{\"$tidegate\": {\"n0\": 0, \"n1\": 0}}"),
            why: "The reader remembers names to find those that occur twice; the limit bounds the memory for that.",
        },
    }
}
