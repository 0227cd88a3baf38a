//! Pages about rules, conditions and segments.

use super::{Code, Example, Page, page};
use crate::limits;

#[expect(clippy::too_many_lines, reason = "a table: one arm for each code")]
pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::ConditionUnclear => page(
            "A condition names none of `attribute`, `all`, `any`, `not`, `segment` and `flag`, or several of them, or a test without the attribute that it is about.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"is\": \"premium\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"}]}}}",
            "Each condition is of one kind, so that it can be read in one way only. Join conditions by `all` and `any`.",
        ),
        Code::OperatorMissing => page(
            "A condition names an attribute, but says nothing about it.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"exists\": true}, \"serve\": \"new\"}]}}}",
            "If the attribute only has to be there, write `\"exists\": true`.",
        ),
        Code::UnknownRuleField => page(
            "A rule, its condition or its ramp has a field that this version does not know.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"equals\": \"premium\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"}]}}}",
            "Elsewhere an unknown field is a warning and has no effect. A condition of which a part has no effect would hold for other subjects than its author wants, so here it is an error.",
        ),
        Code::OperandUnusable => page(
            "A value in a rule or a condition is of a type that cannot be compared, a bound is neither a number nor a time, a list is empty, or a name cannot be one.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"signed_up\", \"gte\": \"January\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"signed_up\", \"gte\": \"2026-01-01 00:00Z\"}, \"serve\": \"new\"}]}}}",
            "`lt`, `lte`, `gt` and `gte` compare numbers with numbers, and times with times. `is`, `in` and `contains` compare strings, numbers and booleans.",
        ),
        Code::SemverUnreadable => page(
            "A range of versions is not written as Cargo writes it.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"version\", \"semver\": \">=1.4 <2\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"version\", \"semver\": \">=1.4, <2\"}, \"serve\": \"new\"}]}}}",
            "A comma stands between the parts of a range; `^1.4`, `~1.2.3`, `1.*` and `=1.2.3` are ranges, too.",
        ),
        Code::NetworkUnreadable => page(
            "A network is not written in CIDR notation, or its address has bits beyond the mask.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"ip\", \"in_network\": \"10.1.2.3/8\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"ip\", \"in_network\": \"10.0.0.0/8\"}, \"serve\": \"new\"}]}}}",
            "An address with bits beyond the mask is often a wrong mask: is `10.1.2.3/8` the address, or the network?",
        ),
        Code::SegmentUnknown => page(
            "A condition names a segment that the document does not define.",
            "{\"$tidegate\": {\"segments\": {\"staff\": {\"attribute\": \"email\", \"ends_with\": \"@example.com\"}}},\n \"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"segment\": \"staf\"}, \"serve\": \"new\"}]}}}",
            "{\"$tidegate\": {\"segments\": {\"staff\": {\"attribute\": \"email\", \"ends_with\": \"@example.com\"}}},\n \"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"segment\": \"staff\"}, \"serve\": \"new\"}]}}}",
            "Segments are those of the same document. A definition that is made through the API has none.",
        ),
        Code::SegmentCircle => page(
            "A segment names itself, directly or by other segments.",
            "{\"$tidegate\": {\"segments\": {\"a\": {\"segment\": \"b\"}, \"b\": {\"not\": {\"segment\": \"a\"}}}},\n \"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"segment\": \"a\"}, \"serve\": \"new\"}]}}}",
            "{\"$tidegate\": {\"segments\": {\"a\": {\"segment\": \"b\"}, \"b\": {\"attribute\": \"x\", \"is\": 1}}},\n \"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"segment\": \"a\"}, \"serve\": \"new\"}]}}}",
            "Whether a subject is in the segment would depend on itself.",
        ),
        Code::PrerequisiteCircle => page(
            "A flag asks for another flag as a prerequisite, and that one, directly or by others, for the first.",
            "{\"features\": {\n  \"a\": {\"stable\": 1, \"new\": 2, \"rules\": [{\"name\": \"r\", \"when\": {\"flag\": \"features/b\", \"is\": \"new\"}, \"serve\": \"new\"}]},\n  \"b\": {\"stable\": 1, \"new\": 2, \"rules\": [{\"name\": \"r\", \"when\": {\"flag\": \"features/a\", \"is\": \"new\"}, \"serve\": \"new\"}]}}}",
            "{\"features\": {\n  \"a\": {\"stable\": 1, \"new\": 2, \"rules\": [{\"name\": \"r\", \"when\": {\"flag\": \"features/b\", \"is\": \"new\"}, \"serve\": \"new\"}]},\n  \"b\": {\"stable\": 1, \"new\": 2}}}",
            "What each of them answers would depend on itself. Where the flags of a circle come from several documents, no document can be refused for it; then the rules that ask do not match.",
        ),
        Code::ConditionTooDeep => Page {
            what: "Conditions nest deeper than 16, the conditions of the segments that they name included.",
            wrong: Example::Made(
                "{\"features\": {\"dark_mode\": {..., \"rules\": [{..., \"when\": {\"not\": {\"not\": {\"not\": ... }}}}]}}}",
                || with_condition(&nested(limits::CONDITION_DEPTH_MAX)),
            ),
            fixed: Example::Text(FIXED),
            why: "People write three or four levels. An evaluation goes as deep on the stack of the thread that reads.",
        },
        Code::ConditionTooLarge => Page {
            what: "The rules of a flag take more than 1,000 comparisons, those of the segments that they name included; or a list has \
                   more than 1,000 elements; or the rules ask for more than 32 other flags.",
            wrong: Example::Made(
                "{\"features\": {\"dark_mode\": {..., \"rules\": [{..., \"when\": {\"attribute\": \"id\", \"in\": [\"u0\", \"u1\", ... ]}}]}}}",
                || {
                    let ids = (0..=limits::CONDITION_LIST_MAX).map(|n| format!("\"u{n}\"")).collect::<Vec<_>>();
                    with_condition(&format!("{{\"attribute\":\"id\",\"in\":[{}]}}", ids.join(",")))
                },
            ),
            fixed: Example::Text(FIXED),
            why: "Rules are evaluated in the request path. Long lists are data: let the program send an attribute that says whether a \
                  subject is in them. A segment counts wherever it is named.",
        },
        Code::TooManyRules => Page {
            what: "A flag has more than 100 rules, or the document has more than 1,000 segments.",
            wrong: Example::Made(
                "{\"features\": {\"dark_mode\": {..., \"rules\": [{\"name\": \"r0\", ...}, {\"name\": \"r1\", ...}, ... ]}}}",
                || {
                    let rule = |n| {
                        format!("{{\"name\":\"r{n}\",\"when\":{{\"attribute\":\"n\",\"is\":{n}}},\"serve\":\"new\"}}")
                    };
                    let rules = (0..=limits::RULES_MAX).map(rule).collect::<Vec<_>>();
                    format!("{{\"f\":{{\"a\":{{\"stable\":0,\"new\":1,\"rules\":[{}]}}}}}}", rules.join(","))
                        .into_bytes()
                },
            ),
            fixed: Example::Text(FIXED),
            why: "Rules are tried one after the other. Those that serve the same are one rule with `any` or `in`.",
        },
        Code::RuleRampInterpolated => page(
            "A rule serves a ramp, but the flag interpolates, so that no key moves from one value to the other.",
            "{\"features\": {\"limit\": {\"stable\": 10, \"new\": 20, \"interpolate\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\",\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": {\"ramp\": {\"end_time\": \"2026-12-02 00:00Z\", \"duration\": \"1d\"}}}]}}}",
            "{\"features\": {\"limit\": {\"stable\": 10, \"new\": 20, \"interpolate\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\",\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"}]}}}",
            "With `interpolate` everyone has one number, which moves with the ramp. A rule can give a subject one end of the way.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => page(
            "Two rules of one flag have the same name.",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"rules\": [\n  {\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"},\n  {\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"free\"}, \"serve\": \"stable\"}]}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true, \"rules\": [\n  {\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"},\n  {\"name\": \"free\", \"when\": {\"attribute\": \"plan\", \"is\": \"free\"}, \"serve\": \"stable\"}]}}}",
            "Explanations and counts name a rule by its name.",
        ),
    }
}

/// A document with a rule of this condition.
fn with_condition(condition: &str) -> Vec<u8> {
    format!(
        "{{\"f\":{{\"a\":{{\"stable\":0,\"new\":1,\"rules\":[{{\"name\":\"r\",\"when\":{condition},\"serve\":\"new\"}}]}}}}}}"
    )
    .into_bytes()
}

/// A condition inside `depth` others.
fn nested(depth: usize) -> String {
    let inner = "{\"attribute\":\"x\",\"is\":1}";
    format!("{}{inner}{}", "{\"not\":".repeat(depth), "}".repeat(depth))
}

/// A document with a small rule.
const FIXED: &str = "{\"features\": {\"dark_mode\": {\"stable\": false, \"new\": true,\n  \"rules\": [{\"name\": \"staff\", \"when\": {\"attribute\": \"plan\", \"is\": \"premium\"}, \"serve\": \"new\"}]}}}";
