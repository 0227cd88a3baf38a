//! `Explanation` of the engine, as it serializes.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// The answer of a flag for a subject, and everything that led to it.
#[derive(Debug, ToSchema)]
pub(crate) struct Decision {
    /// The flag key.
    flag: String,
    /// The value, as the document writes it; absent where the caller's default is the answer.
    #[schema(required = false)]
    value: Option<Value>,
    /// The variant: the name of one of the flag's `variants`, or `stable`, `new` or `interpolated` for a flag without; null for the
    /// caller's default and for the value of a lock.
    #[schema(required)]
    variant: Option<String>,
    /// Of a flag with `variants`: the side that decided, `stable`, `new` or, for another variant that a rule serves, `named`.
    side: Option<String>,
    /// The weights of the split that gave the variant.
    split: Option<BTreeMap<String, f64>>,
    /// The reason, in the words of OpenFeature.
    reason: String,
    /// What was wrong with the request, in the words of OpenFeature.
    error_code: Option<String>,
    /// The step that decided, such as `ramp`, `targeting` or `activation`.
    rule: String,
    /// The position of the key among 2^32; null where none was needed.
    #[schema(required)]
    position: Option<u32>,
    /// The name of the program's own hash, where it computed the position.
    hash: Option<String>,
    /// How many percent of the keys have `new`; null where a lock or `enabled` decided.
    #[schema(required)]
    share: Option<f64>,
    /// The next flip of this key; without one, the last flip before now.
    #[schema(required, format = DateTime)]
    flip: Option<String>,
    /// When this key gets `new` and when it loses it, by ramp and rollback alone.
    flips: Flips,
    /// Before this instant the answer for this key does not change by itself; null: it never does.
    #[schema(required, format = DateTime)]
    valid_until: Option<String>,
    /// The instant on the ramp's own clock, for a flag with a lease.
    #[schema(format = DateTime)]
    ramp_instant: Option<String>,
    /// The early adopter that the key matches: a key, or `{"regex"}`.
    adopter: Option<Value>,
    /// The lock of the host that decided.
    lock: Option<HostLock>,
    /// The rule of the entry that decided.
    targeting: Option<Tried>,
    /// The steps that were looked at before and did not decide, in their order.
    passed: Vec<Passed>,
}

/// The flips of a key.
#[derive(Debug, ToSchema)]
pub(crate) struct Flips {
    /// When it gets `new`.
    #[schema(required, format = DateTime)]
    on: Option<String>,
    /// When it loses it.
    #[schema(required, format = DateTime)]
    off: Option<String>,
}

/// A lock of the host that answers.
#[derive(Debug, ToSchema)]
pub(crate) struct HostLock {
    /// The flag key.
    flag: String,
    /// The variant that is pinned.
    variant: Option<String>,
    /// The value that is pinned instead.
    #[schema(required = false)]
    value: Option<Value>,
    /// Who locked it.
    actor: String,
    /// Why.
    reason: String,
    /// When the lock ends.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// A rule of the entry that was tried.
#[derive(Debug, ToSchema)]
pub(crate) struct Tried {
    /// Its name.
    name: String,
    /// Its place among the rules of the flag, from 1.
    number: u64,
    /// The parts of its condition that were looked at, in their order.
    conditions: Vec<TriedCondition>,
}

/// A part of a condition.
#[derive(Debug, ToSchema)]
pub(crate) struct TriedCondition {
    /// The condition, as the document writes it.
    condition: Value,
    /// The segment that it is part of.
    segment: Option<String>,
    /// Whether it held.
    held: bool,
    /// What the subject has there.
    #[schema(required = false)]
    found: Option<Value>,
}

/// A step that did not decide.
#[derive(Debug, ToSchema)]
pub(crate) struct Passed {
    /// What would have decided.
    step: String,
    /// Why it did not.
    why: String,
    /// The rule that was tried, where the step is one.
    targeting: Option<Tried>,
}
