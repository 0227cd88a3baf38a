//! The fields of a document: one table for the reader, the reference page and the JSON Schema.

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the document.
    pub name: &'static str,
    /// What kind of JSON it is.
    pub kind: &'static str,
    /// Which values it may have.
    pub range: &'static str,
    /// What holds when it is absent, and why.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// How it is written, as JSON.
    pub example: &'static str,
    /// Its JSON Schema, as JSON.
    pub schema: &'static str,
}

macro_rules! fields {
    ($(#[$doc:meta])* $([$strict:ident])? $id:ident $table:ident $table_doc:literal $($variant:ident $name:literal {
        $kind:literal, $range:literal, $default:literal, $meaning:literal, $example:literal, $schema:literal
    })*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum $id { $($variant),* }

        impl Names for $id {
            const TABLE: &'static [Field] = $table;
            $(const IS_STRICT: bool = stringify!($strict).len() > 0;)?

            fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        #[doc = $table_doc]
        pub const $table: &[Field] = &[$(Field {
            name: $name, kind: $kind, range: $range, default: $default, meaning: $meaning, example: $example, schema: $schema,
        }),*];
    };
}

/// As `fields!`, with the fields of a window or of steps between those in the first and those in the second braces.
macro_rules! fields_with_window {
    ({$($before:tt)*} {$($after:tt)*}) => { fields! {
        $($before)*
        StartTime "start_time" {
            "string, a time", "years 0001 to 9999, with a zone",
            "follows from `end_time` and `duration`",
            "the instant at which the window begins; two of the three give the third",
            "\"2026-12-01 00:00Z\"", r##"{"$ref":"#/$defs/time"}"##
        }
        EndTime "end_time" {
            "string, a time", "years 0001 to 9999, with a zone; not before `start_time`",
            "follows from `start_time` and `duration`",
            "the instant at which the window ends",
            "\"2026-12-15 00:00Z\"", r##"{"$ref":"#/$defs/time"}"##
        }
        Duration "duration" {
            "string, a duration", "0 to 10,000 years",
            "follows from `start_time` and `end_time`",
            "how long the window is",
            "\"14d\"", r##"{"$ref":"#/$defs/duration"}"##
        }
        StartPct "start_pct" {
            "number", "0 to 100, at most six decimals",
            "0, so that no key moves at once",
            "the share to which the ramp jumps at the start",
            "1", r##"{"$ref":"#/$defs/percent"}"##
        }
        EndPct "end_pct" {
            "number", "`start_pct` to 100, at most six decimals",
            "100, so that a ramp reaches everyone",
            "the share at the end, which stays",
            "50", r##"{"$ref":"#/$defs/percent"}"##
        }
        Curve "curve" {
            "string", "`linear` or `exponential`; `exponential` needs a `start_pct` above 0",
            "`linear`, which is what slowroll does",
            "the way from the first share to the last: equal gains, or doublings, in equal times",
            "\"exponential\"", r#"{"enum":["linear","exponential"]}"#
        }
        Steps "steps" {
            "list of objects", "1 to 1,000 steps whose percentages do not fall",
            "absent: the window and its percentages describe the ramp",
            "the ramp step by step, instead of `duration`, `start_pct`, `end_pct` and `curve`; `start_time` or `end_time` anchors it",
            "[{\"pct\": 1, \"hold\": \"1h\"}, {\"pct\": 100, \"over\": \"3d\"}]",
            r##"{"type":"array","minItems":1,"maxItems":1000,"items":{"$ref":"#/$defs/step"}}"##
        }
        $($after)*
    } };
}

/// The fields that one kind of object may have.
pub(crate) trait Names: Copy {
    /// All of them; the index of a field is its place here.
    const TABLE: &'static [Field];

    /// Whether an unknown field is an error: a part of a rule that was left out would decide about other subjects.
    const IS_STRICT: bool = false;

    /// The field of this name.
    fn from_name(name: &str) -> Option<Self>;

    /// The field's place in the table.
    fn index(self) -> usize;
}

/// The fields of a window or of steps, in an entry and in a rule.
pub(crate) trait Window: Names {
    const START_TIME: Self;
    const END_TIME: Self;
    const DURATION: Self;
    const START_PCT: Self;
    const END_PCT: Self;
    const CURVE: Self;
    const STEPS: Self;
}

macro_rules! window {
    ($($id:ident)*) => { $(impl Window for $id {
        const START_TIME: Self = Self::StartTime;
        const END_TIME: Self = Self::EndTime;
        const DURATION: Self = Self::Duration;
        const START_PCT: Self = Self::StartPct;
        const END_PCT: Self = Self::EndPct;
        const CURVE: Self = Self::Curve;
        const STEPS: Self = Self::Steps;
    })* };
}

window! { EntryField RampField }

fields_with_window! {
    {
        /// A field of an entry.
        EntryField ENTRY "The fields of an entry."
        Stable "stable" {
            "any JSON", "at most 64 KiB; beside `variants` a name or a split",
            "required: without it some keys would have no value",
            "the value of keys that do not have `new`",
            "false", "true"
        }
        New "new" {
            "any JSON", "at most 64 KiB; beside `variants` a name or a split",
            "absent: every key has `stable`, so that a flag can be prepared before there is anything to move to",
            "the value that the ramp moves keys to",
            "true", "true"
        }
        Variants "variants" {
            "object of any JSON", "1 to 100, each under its name; at most 64 KiB each",
            "absent: `stable` and `new` are the two values",
            "named values; `stable`, `new` and `serve` then name one of them, or are a split over several",
            "{\"blue\": \"#00f\", \"green\": \"#0f0\"}", r#"{"type":"object","minProperties":1,"maxProperties":100}"#
        }
    }
    {
        EarlyAdopters "early_adopters" {
            "list of strings and objects", "at most 100,000; patterns at most 64 KiB compiled",
            "none",
            "keys that have `new` at once: exact strings, or `{\"regex\": ...}`",
            "[\"canary-host\", {\"regex\": \"^ci-[0-9]+$\"}]",
            r##"{"type":"array","maxItems":100000,"items":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/adopter"}]}}"##
        }
        Rules "rules" {
            "list of objects", "at most 100; at most 1,000 comparisons in all",
            "none: early adopters and the ramp decide",
            "rules on attributes, tried in order after the early adopters and before the ramp",
            "[{\"name\": \"staff\", \"when\": {\"attribute\": \"email\", \"ends_with\": \"@example.com\"}, \"serve\": \"new\"}]",
            r##"{"type":"array","maxItems":100,"items":{"$ref":"#/$defs/rule"}}"##
        }
        BucketBy "bucket_by" {
            "string", "the name of an attribute, at most 256 bytes",
            "absent: the key, so that each key moves by itself",
            "the attribute whose string or whole number is hashed instead of the key, so that all keys of a tenant move together",
            "\"tenant\"", r#"{"type":"string","minLength":1,"maxLength":256}"#
        }
        Interpolate "interpolate" {
            "boolean", "`true` needs two numbers",
            "`false`: each key has one of the two values",
            "every key gets the number between the two values, at the share's fraction of the way",
            "true", r#"{"type":"boolean"}"#
        }
        Rollback "rollback" {
            "object", "see below",
            "absent: the ramp never falls",
            "how the share falls again; the keys that got `new` last lose it first",
            "{\"start_time\": \"2026-12-20 00:00Z\", \"duration\": \"2h\"}", r##"{"$ref":"#/$defs/rollback"}"##
        }
        Lock "lock" {
            "string", "`stable` or `new`",
            "absent: the ramp decides",
            "every key has this variant, at once, whatever the ramp says",
            "\"stable\"", r#"{"enum":["stable","new"]}"#
        }
        Lease "lease" {
            "string, a duration", "above 0, to 10,000 years",
            "absent: the ramp is a pure function of time, so that every host agrees with every other",
            "how long the share may rise after the last successful poll of the source",
            "\"6h\"", r##"{"$ref":"#/$defs/duration"}"##
        }
        Hash "hash" {
            "string", "`sha1`, `xxh3` or `murmur3`",
            "`sha1` without a `salt`, because that is slowroll's; `xxh3` with one, because it is faster",
            "the algorithm that turns a key into its position",
            "\"xxh3\"", r#"{"enum":["sha1","xxh3","murmur3"]}"#
        }
        Salt "salt" {
            "string", "at most 64 KiB, may be empty",
            "absent: the same keys go first in every such flag, as in slowroll",
            "makes this flag's order of keys independent of flags with another salt",
            "\"checkout-2026\"", r#"{"type":"string"}"#
        }
        Enabled "enabled" {
            "boolean", "`true` or `false`",
            "`true`",
            "`false`: the flag answers the caller's default",
            "false", r#"{"type":"boolean"}"#
        }
        Description "description" {
            "string", "at most 64 KiB",
            "absent", "what the flag is for; carried and shown, no effect",
            "\"moves tools to /opt\"", r#"{"type":"string"}"#
        }
        Owner "owner" {
            "string", "at most 64 KiB",
            "absent", "who is responsible for the flag; carried and shown, no effect",
            "\"team-build\"", r#"{"type":"string"}"#
        }
        Tags "tags" {
            "list of strings", "each at most 64 KiB",
            "none", "words to find the flag by; carried and shown, no effect",
            "[\"ops\", \"2026\"]", r#"{"type":"array","items":{"type":"string"}}"#
        }
        Metadata "metadata" {
            "object", "strings, numbers and booleans, not nested; each at most 64 KiB",
            "none", "carried and shown, no effect",
            "{\"ticket\": \"OPS-1\", \"risk\": 2}",
            r#"{"type":"object","additionalProperties":{"type":["string","number","boolean"]}}"#
        }
        Visibility "visibility" {
            "string", "`client` or `server`",
            "`client`, because most flags are for everyone",
            "`server`: bulk answers of OFREP, which browsers and apps read, leave the flag out; decisions are the same",
            "\"server\"", r#"{"enum":["client","server"]}"#
        }
    }
}

fields! {
    /// A field of one of the `steps`.
    StepField STEP "The fields of one of the `steps`."
    Pct "pct" {
        "number", "0 to 100, at most six decimals; not below the step before",
        "required", "the share that the step reaches",
        "10", r##"{"$ref":"#/$defs/percent"}"##
    }
    Over "over" {
        "string, a duration", "0 to 10,000 years",
        "0: at once", "how long the way from the step before takes (from 0 at first)",
        "\"1d\"", r##"{"$ref":"#/$defs/duration"}"##
    }
    Hold "hold" {
        "string, a duration", "0 to 10,000 years",
        "0: the next step follows at once", "how long the share is then kept",
        "\"12h\"", r##"{"$ref":"#/$defs/duration"}"##
    }
}

fields! {
    /// A field of a pattern among the `early_adopters`.
    AdopterField ADOPTER "The fields of a pattern among the `early_adopters`."
    Regex "regex" {
        "string", "a regular expression without look-around and back-references",
        "required", "every key in which it matches has `new`; anywhere, unless anchored by `^` and `$`",
        "\"^ci-[0-9]+$\"", r#"{"type":"string"}"#
    }
}

fields! {
    /// A field of a `rollback`.
    RollbackField ROLLBACK "The fields of a `rollback`."
    StartTime "start_time" {
        "string, a time", "years 0001 to 9999, with a zone",
        "required", "the instant at which the share begins to fall from where it is",
        "\"2026-12-20 00:00Z\"", r##"{"$ref":"#/$defs/time"}"##
    }
    Duration "duration" {
        "string, a duration", "0 to 10,000 years",
        "0: at once, which is what an emergency needs", "how long the way down takes",
        "\"2h\"", r##"{"$ref":"#/$defs/duration"}"##
    }
    ToPct "to_pct" {
        "number", "0 to 100, at most six decimals",
        "0: everyone, early adopters last", "the share at the end; where it is already lower, it stays as it is",
        "5", r##"{"$ref":"#/$defs/percent"}"##
    }
}

fields! {
    /// A field of a rule.
    [strict] RuleField RULE "The fields of one of the `rules`."
    Name "name" {
        "string", "at most 256 bytes; no other rule of the flag has it",
        "required", "explanations name the rule by it",
        "\"staff\"", r#"{"type":"string","maxLength":256}"#
    }
    When "when" {
        "object, a condition", "see below",
        "required", "for whom the rule decides",
        "{\"attribute\": \"plan\", \"is\": \"premium\"}", r##"{"$ref":"#/$defs/condition"}"##
    }
    Serve "serve" {
        "string or object", "`stable`, `new`, or `{\"ramp\": ...}`; beside `variants` a name, a ramp or a split",
        "required", "what they have: a variant, the variant by a ramp of the rule's own, or one of several by a split",
        "\"new\"", r##"{"anyOf":[{"type":"string"},{"$ref":"#/$defs/serve"}]}"##
    }
}

fields! {
    /// A field of `serve`, and beside `variants` of `stable` and `new`, where it is an object.
    [strict] ServeField SERVE "The fields of `serve`, and beside `variants` of `stable` and `new`, where it is an object: one of the two."
    Split "split" {
        "object of numbers", "weights from 0 to 1,000,000, at most six decimals; at least one is above 0",
        "absent: it is a ramp", "the share of keys that have each variant, in proportion to the weights",
        "{\"blue\": 50, \"green\": 50}",
        r#"{"type":"object","minProperties":1,"additionalProperties":{"type":"number","minimum":0,"maximum":1000000}}"#
    }
    Ramp "ramp" {
        "object", "the fields of a window, or `steps`; see below; in a rule only",
        "absent: it is a split", "how the share on `new` of those for whom the rule decides moves over time",
        "{\"start_time\": \"2026-12-01 00:00Z\", \"duration\": \"14d\", \"end_pct\": 10}", r##"{"$ref":"#/$defs/ramp"}"##
    }
}

fields_with_window! {
    {
        /// A field of a rule's ramp.
        [strict] RampField RAMP "The fields of a rule's `ramp`; they mean what they mean in an entry."
    }
    {}
}

fields! {
    /// A field of a condition.
    [strict] ConditionField CONDITION "The fields of a condition: `attribute` with at least one test, or one of `all`, `any`, `not`, `segment` and `flag`."
    Attribute "attribute" {
        "string", "1 to 256 bytes",
        "absent: the condition is one of the other kinds",
        "the attribute that the tests beside it are about, which all have to pass; dots reach into objects, `$key` is the key",
        "\"address.country\"", r#"{"type":"string","minLength":1,"maxLength":256}"#
    }
    Is "is" {
        "string, number or boolean", "beside `flag`: the name of a variant, `stable` or `new` where it has no `variants`",
        "no such test",
        "it is this value; beside `flag`: the other flag has this variant",
        "\"premium\"", r#"{"type":["string","number","boolean"]}"#
    }
    In "in" {
        "list of strings, numbers and booleans", "1 to 1,000",
        "no such test", "it is one of these values",
        "[\"DE\", \"AT\"]", r#"{"type":"array","minItems":1,"maxItems":1000,"items":{"type":["string","number","boolean"]}}"#
    }
    Contains "contains" {
        "string, number or boolean", "at most 64 KiB",
        "no such test", "it is a string with this part, or a list with this element",
        "\"beta\"", r#"{"type":["string","number","boolean"]}"#
    }
    StartsWith "starts_with" {
        "string", "at most 64 KiB",
        "no such test", "it is a string that begins so",
        "\"eu-\"", r#"{"type":"string"}"#
    }
    EndsWith "ends_with" {
        "string", "at most 64 KiB",
        "no such test", "it is a string that ends so",
        "\"@example.com\"", r#"{"type":"string"}"#
    }
    Matches "matches" {
        "string", "a regular expression without look-around and back-references; limits as for `early_adopters`",
        "no such test", "it is a string in which this matches; anywhere, unless anchored by `^` and `$`",
        "\"^ci-[0-9]+$\"", r#"{"type":"string"}"#
    }
    Lt "lt" {
        "number, or string with a time", "any number; years 0001 to 9999, with a zone",
        "no such test", "it is a number below this one; or a string with a time before this one",
        "65", r#"{"type":["number","string"]}"#
    }
    Lte "lte" {
        "number, or string with a time", "as for `lt`",
        "no such test", "the same, or equal",
        "65", r#"{"type":["number","string"]}"#
    }
    Gt "gt" {
        "number, or string with a time", "as for `lt`",
        "no such test", "it is a number above this one; or a string with a time after this one",
        "\"2026-01-01 00:00Z\"", r#"{"type":["number","string"]}"#
    }
    Gte "gte" {
        "number, or string with a time", "as for `lt`",
        "no such test", "the same, or equal",
        "18", r#"{"type":["number","string"]}"#
    }
    Semver "semver" {
        "string", "a range of versions as Cargo writes it",
        "no such test", "it is a string with a version in this range",
        "\">=1.4, <2\"", r#"{"type":"string"}"#
    }
    Exists "exists" {
        "boolean", "`true` or `false`",
        "no such test", "`true`: it is there, whatever its type; `false`: it is absent or null",
        "true", r#"{"type":"boolean"}"#
    }
    InNetwork "in_network" {
        "string or list of strings", "1 to 1,000 networks in CIDR notation, IPv4 or IPv6",
        "no such test", "it is a string with an address in one of these networks",
        "[\"10.0.0.0/8\", \"2001:db8::/32\"]",
        r#"{"anyOf":[{"type":"string"},{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"string"}}]}"#
    }
    All "all" {
        "list of conditions", "at least one; nested at most 16 deep, segments included",
        "absent: the condition is of another kind", "all of them hold",
        "[{\"attribute\": \"plan\", \"is\": \"premium\"}]", r##"{"type":"array","minItems":1,"items":{"$ref":"#/$defs/condition"}}"##
    }
    Any "any" {
        "list of conditions", "at least one; nested at most 16 deep, segments included",
        "absent: the condition is of another kind", "one of them holds",
        "[{\"segment\": \"staff\"}]", r##"{"type":"array","minItems":1,"items":{"$ref":"#/$defs/condition"}}"##
    }
    Not "not" {
        "object, a condition", "nested at most 16 deep, segments included",
        "absent: the condition is of another kind", "it does not hold; so it holds where an attribute is absent",
        "{\"segment\": \"staff\"}", r##"{"$ref":"#/$defs/condition"}"##
    }
    Segment "segment" {
        "string", "the name of one of the `segments` of `$tidegate`",
        "absent: the condition is of another kind", "the condition of that segment holds",
        "\"staff\"", r#"{"type":"string"}"#
    }
    Flag "flag" {
        "string, a flag key", "`section/flag`; needs `is`; no circles",
        "absent: the condition is of another kind", "a prerequisite: the other flag has the variant `is` for the same subject at the same instant",
        "\"shop/checkout\"", r#"{"type":"string"}"#
    }
}

fields! {
    /// A field of the header, `$tidegate`.
    HeaderField HEADER "The fields of the header, the reserved object `$tidegate`."
    Environment "environment" {
        "string", "at most 64 KiB",
        "absent: the document is for anywhere, unless its reader has an environment, which then refuses it",
        "the environment that the document is for",
        "\"prod\"", r#"{"type":"string"}"#
    }
    Version "version" {
        "number", "whole, 0 to 2^53 - 1",
        "absent: a reader that takes signed documents only refuses it, because it could not tell old from new",
        "a signed document is refused where a higher version was seen before, or the same with other bytes",
        "42", r#"{"type":"integer","minimum":0,"maximum":9007199254740991}"#
    }
    Issued "issued" {
        "string, a time", "years 0001 to 9999, with a zone",
        "absent: the status does not show it",
        "when a signed document was made; shown, with a warning where it lies ahead",
        "\"2026-12-01 00:00Z\"", r##"{"$ref":"#/$defs/time"}"##
    }
    Expires "expires" {
        "string, a time", "years 0001 to 9999, with a zone",
        "absent: never, which suits documents that rarely change",
        "from then on a signed document is refused; one that is already active stays active, and the status reports it",
        "\"2026-12-15 00:00Z\"", r##"{"$ref":"#/$defs/time"}"##
    }
    Segments "segments" {
        "object of conditions", "at most 1,000, each under its name",
        "none", "conditions with a name, for the rules of all flags of the document",
        "{\"staff\": {\"attribute\": \"email\", \"ends_with\": \"@example.com\"}}",
        r##"{"type":"object","maxProperties":1000,"additionalProperties":{"$ref":"#/$defs/condition"}}"##
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<F: Names>() {
        for (index, field) in F::TABLE.iter().enumerate() {
            assert_eq!(F::from_name(field.name).map(F::index), Some(index), "{}", field.name);
            for json in [field.example, field.schema] {
                assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{}: {json}", field.name);
            }
        }
    }

    #[test]
    fn the_index_of_a_field_is_its_place_in_the_table() {
        check::<EntryField>();
        check::<StepField>();
        check::<AdopterField>();
        check::<RollbackField>();
        check::<HeaderField>();
        check::<RuleField>();
        check::<ServeField>();
        check::<RampField>();
        check::<ConditionField>();
    }
}
