//! Parses the decision of a server back into the explanation that the engine wrote.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_engine::document::{Adopter, Choice, parse_percent, parse_split, parse_time};
use tidegate_engine::{
    ConditionPart, ErrorCode, Explanation, FlagKey, Flips, HashName, HostLock, Micros, Passed, Pin, Position, Reason,
    Rule, Tried, Variant,
};

use super::Server;
use crate::exit::{Exit, Failure};

/// The JSON of a decision. Absent fields do not apply.
#[derive(Debug, Deserialize)]
struct DecisionBody {
    flag: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    variant: Option<String>,
    /// Of a flag with named variants the side that decided.
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    split: Option<Box<RawValue>>,
    reason: String,
    #[serde(default)]
    error_code: Option<String>,
    rule: String,
    #[serde(default)]
    position: Option<u32>,
    hash: Option<String>,
    #[serde(default)]
    share: Option<Box<RawValue>>,
    #[serde(default)]
    flip: Option<String>,
    #[serde(default)]
    flips: FlipsBody,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default)]
    ramp_instant: Option<String>,
    #[serde(default)]
    adopter: Option<Value>,
    #[serde(default)]
    lock: Option<LockBody>,
    #[serde(default)]
    targeting: Option<TriedBody>,
    #[serde(default)]
    passed: Vec<PassedBody>,
}

/// A rule that was tried.
#[derive(Debug, Deserialize)]
struct TriedBody {
    name: String,
    number: usize,
    #[serde(default)]
    conditions: Vec<PartBody>,
}

#[derive(Debug, Deserialize)]
struct PartBody {
    condition: Box<RawValue>,
    segment: Option<String>,
    held: bool,
    found: Option<Box<RawValue>>,
}

/// A step that did not decide.
#[derive(Debug, Deserialize)]
struct PassedBody {
    step: String,
    why: String,
    targeting: Option<TriedBody>,
}

/// When the key comes to `new`, and when it leaves it.
#[derive(Debug, Default, Deserialize)]
struct FlipsBody {
    on: Option<String>,
    off: Option<String>,
}

/// A lock of the server's host.
#[derive(Debug, Deserialize)]
struct LockBody {
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    /// Older servers write `who`.
    #[serde(alias = "who")]
    actor: String,
    /// Older servers write `why`.
    #[serde(alias = "why")]
    reason: String,
    #[serde(default)]
    until: Option<String>,
}

impl Server {
    /// The decision of the server for a key, now or at an instant. An unknown flag is not an error.
    pub(crate) fn decide(
        &self,
        flag: &FlagKey,
        key: &str,
        attributes: Option<&str>,
        at: Option<Micros>,
    ) -> Result<Explanation, Failure> {
        let at = at.map(|at| at.to_string());
        let mut query = vec![("key", key)];
        query.extend(attributes.map(|attributes| ("attributes", attributes)));
        query.extend(at.as_deref().map(|at| ("at", at)));
        match self.ask(self.flag_request(flag, Method::GET, &["decision"], &query)?) {
            Ok(reply) => explanation(&reply.body).map_err(|error| self.invalid_response(&error)),
            Err(Failure::Reported(report)) if report.exit == Exit::NoFlag => Ok(unknown_flag(flag)),
            Err(failure) => Err(failure),
        }
    }
}

/// The explanation for a flag that does not exist.
fn unknown_flag(flag: &FlagKey) -> Explanation {
    Explanation {
        flag: flag.clone(),
        value: None,
        variant: None,
        name: None,
        split: None,
        reason: Reason::Error,
        error: Some(ErrorCode::FlagNotFound),
        rule: Rule::UnknownFlag,
        position: None,
        hash: None,
        share: None,
        flips: Flips::default(),
        flip: None,
        valid_until: None,
        ramp_instant: None,
        adopter: None,
        lock: None,
        targeting: None,
        passed: Vec::new(),
    }
}

/// Parses the JSON of a decision; the error says what is unexpected.
fn explanation(json: &[u8]) -> Result<Explanation, String> {
    let body: DecisionBody = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let rule = one_of(&RULES, Rule::as_str, &body.rule, "rule")?;
    let null = |value: &RawValue| value.get() == "null" && matches!(rule, Rule::UnknownFlag | Rule::Disabled);
    let share = body.share.as_deref().filter(|share| share.get() != "null");
    let flag = FlagKey::parse(&body.flag);
    Ok(Explanation {
        lock: body.lock.map(|lock| lock.read(&flag)).transpose()?,
        flag,
        value: body.value.filter(|value| !null(value)).map(|value| value.get().to_owned()),
        variant: body.side.as_deref().or(body.variant.as_deref()).map(variant).transpose()?,
        name: body.variant.filter(|_| body.side.is_some()),
        split: body.split.map(|split| split_of(&split)).transpose()?,
        reason: one_of(&REASONS, Reason::as_str, &body.reason, "reason")?,
        error: body.error_code.as_deref().map(|code| one_of(&ERRORS, ErrorCode::as_str, code, "error")).transpose()?,
        rule,
        position: body.position.map(Position::new),
        hash: body.hash.map(|name| HashName::Custom(name.into())),
        share: share.map(|share| parse_percent(share.get()).map_err(|error| error.to_string())).transpose()?,
        flips: Flips { on: instant(body.flips.on.as_deref())?, off: instant(body.flips.off.as_deref())? },
        flip: instant(body.flip.as_deref())?,
        valid_until: instant(body.valid_until.as_deref())?,
        ramp_instant: instant(body.ramp_instant.as_deref())?,
        adopter: body.adopter.as_ref().and_then(adopter),
        targeting: body.targeting.map(TriedBody::read),
        passed: body.passed.into_iter().map(PassedBody::read).collect::<Result<_, _>>()?,
    })
}

impl TriedBody {
    fn read(self) -> Tried {
        let part = |part: PartBody| ConditionPart {
            condition: part.condition.get().to_owned(),
            segment: part.segment,
            held: part.held,
            found: part.found.map(|found| found.get().to_owned()),
        };
        Tried { name: self.name, number: self.number, parts: self.conditions.into_iter().map(part).collect() }
    }
}

impl PassedBody {
    fn read(self) -> Result<Passed, String> {
        let step = one_of(&RULES, Rule::as_str, &self.step, "step")?;
        Ok(Passed { step, why: self.why.into(), tried: self.targeting.map(TriedBody::read) })
    }
}

impl LockBody {
    fn read(self, flag: &FlagKey) -> Result<HostLock, String> {
        let pin = match (self.variant, self.value) {
            (Some(word), _) => Pin::Variant(variant(&word)?),
            (None, Some(value)) => Pin::Value(value.get().into()),
            (None, None) => return Err("a lock pins to nothing".to_owned()),
        };
        let until = instant(self.until.as_deref())?;
        Ok(HostLock { flag: flag.clone(), pin, actor: self.actor, reason: self.reason, until })
    }
}

fn instant(text: Option<&str>) -> Result<Option<Micros>, String> {
    text.map(|text| parse_time(text).map_err(|error| format!("`{text}` {error}"))).transpose()
}

fn variant(word: &str) -> Result<Variant, String> {
    one_of(&VARIANTS, Variant::as_str, word, "variant")
}

/// The weights that gave a key its variant.
fn split_of(json: &RawValue) -> Result<Choice, String> {
    parse_split(json.get()).ok_or_else(|| format!("`{}` is no split", json.get()))
}

/// The early adopter, as documents write it: a text or `{"regex": text}`.
fn adopter(body: &Value) -> Option<Adopter> {
    match body {
        Value::String(key) => Some(Adopter::Key(key.as_str().into())),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            text("regex")
                .map(|regex| Adopter::Pattern(regex.into()))
                .or_else(|| text("key").map(|key| Adopter::Key(key.into())))
        }
        _ => None,
    }
}

fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str, body: &str, what: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| word(*one) == body);
    found.ok_or_else(|| format!("there is no {what} `{body}`"))
}

const RULES: [Rule; 12] = [
    Rule::HostLock,
    Rule::UnknownFlag,
    Rule::Activation,
    Rule::DocumentLock,
    Rule::Disabled,
    Rule::NoNew,
    Rule::EarlyAdopter,
    Rule::Targeting,
    Rule::Interpolation,
    Rule::Ramp,
    Rule::Rollback,
    Rule::KeyMissing,
];
const REASONS: [Reason; 5] = [Reason::Static, Reason::TargetingMatch, Reason::Split, Reason::Disabled, Reason::Error];
const ERRORS: [ErrorCode; 3] = [ErrorCode::FlagNotFound, ErrorCode::TargetingKeyMissing, ErrorCode::TypeMismatch];
const VARIANTS: [Variant; 4] = [Variant::Stable, Variant::New, Variant::Interpolated, Variant::Named];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_of_the_engine_is_parsed_back() {
        let part = |segment: Option<&str>, found: Option<&str>| ConditionPart {
            condition: r#"{"attribute": "plan", "is": "premium"}"#.to_owned(),
            segment: segment.map(str::to_owned),
            held: segment.is_some(),
            found: found.map(str::to_owned),
        };
        let parts = vec![part(None, None), part(Some("paying"), Some("\"premium\""))];
        let tried = Tried { name: "staff".to_owned(), number: 2, parts };
        let whole = Explanation {
            flag: FlagKey::new("a/b", "c"),
            value: Some("1.50".to_owned()),
            variant: Some(Variant::New),
            name: Some("blue \"light\"".to_owned()),
            split: parse_split(r#"{"blue \"light\"": 33.3, "green": 50}"#),
            reason: Reason::Split,
            error: Some(ErrorCode::TypeMismatch),
            rule: Rule::Ramp,
            position: Some(Position::new(7)),
            hash: Some(HashName::Custom("own".into())),
            share: tidegate_engine::Share::from_millionths(12_500_001),
            flips: Flips { on: Some(Micros::new(0)), off: Some(Micros::new(9)) },
            flip: Some(Micros::new(9)),
            valid_until: Some(Micros::new(9)),
            ramp_instant: Some(Micros::new(3)),
            adopter: Some(Adopter::Pattern("^ci-".into())),
            lock: Some(HostLock {
                flag: FlagKey::new("a/b", "c"),
                pin: Pin::Value("[1]".into()),
                actor: "ops".to_owned(),
                reason: "a trial".to_owned(),
                until: Some(Micros::new(1)),
            }),
            targeting: Some(tried.clone()),
            passed: vec![
                Passed { step: Rule::Activation, why: "there is none".into(), tried: None },
                Passed { step: Rule::Targeting, why: "its condition does not hold".into(), tried: Some(tried) },
            ],
        };
        let mut bare = whole.clone();
        (bare.value, bare.variant, bare.error, bare.position, bare.share) = (None, None, None, None, None);
        (bare.hash, bare.name, bare.split) = (None, None, None);
        (bare.flips, bare.flip, bare.valid_until, bare.ramp_instant) = (Flips::default(), None, None, None);
        (bare.targeting, bare.passed) = (None, Vec::new());
        (bare.adopter, bare.lock, bare.rule) = (Some(Adopter::Key("k".into())), None, Rule::UnknownFlag);
        for explanation in [whole, bare] {
            let json = serde_json::to_vec(&explanation).unwrap();
            assert_eq!(super::explanation(&json), Ok(explanation));
        }
    }

    #[test]
    fn a_lock_of_an_older_server_has_other_names() {
        let lock = r#"{"flag":"x","variant":"new","who":"ops","why":"a trial"}"#;
        let json = format!(r#"{{"flag":"x","reason":"STATIC","rule":"host_lock","lock":{lock}}}"#);
        let lock = explanation(json.as_bytes()).unwrap().lock.unwrap();
        assert_eq!((lock.actor.as_str(), lock.reason.as_str()), ("ops", "a trial"));
    }

    #[test]
    fn unexpected_json_is_an_error() {
        for json in [
            "{}",
            "[]",
            r#"{"flag":"x","reason":"SPLIT","rule":"whim"}"#,
            r#"{"flag":"x","reason":"SPLIT","rule":"ramp","flip":"noon"}"#,
            r#"{"flag":"x","reason":"SPLIT","rule":"ramp","share":101}"#,
            r#"{"flag":"x","reason":"SPLIT","rule":"host_lock","lock":{"actor":"a","reason":"b"}}"#,
        ] {
            assert!(explanation(json.as_bytes()).is_err(), "{json}");
        }
    }
}
