//! What the steps of one scenario share: a provider, a context, and the last evaluation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gherkin::Step;
use open_feature::provider::{FeatureProvider as _, ProviderStatus};
use open_feature::{
    Client, EvaluationContext, EvaluationDetails, EvaluationErrorCode, EvaluationReason, EvaluationResult,
    FlagMetadata, FlagMetadataValue, OpenFeature, StructValue, Value,
};
use tidegate::{Builder, Fetched, Tag, Tidegate};
use tidegate_openfeature::TidegateProvider;

use crate::pattern::words;

/// The state of one scenario.
#[derive(Default)]
pub(crate) struct World {
    provider: Option<(TidegateProvider, Client)>,
    flag: Option<Flag>,
    context: EvaluationContext,
    last: Option<EvaluationDetails<Value>>,
    error: Option<(String, String)>,
}

/// What is asked for, and the default of the program.
struct Flag {
    kind: String,
    key: String,
    default: Value,
}

/// What differs between the files of scenarios: the metadata of `metadata-flag`.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) metadata: &'static str,
}

impl World {
    /// Does what a step says, or checks it.
    pub(crate) async fn take(&mut self, step: &Step, expected: Expected, scenario: &str) {
        let text = step.value.as_str();
        let is = |pattern: &str| words(text, pattern);
        if ["a stable provider", "a stable flagd provider", "a provider is registered"].contains(&text) {
            self.provider = Some(provider(Some(expected)).await);
        } else if text == "a not ready provider" {
            self.provider = Some(provider(None).await);
        } else if text == "a stale provider" {
            self.provider = Some(stale_provider().await);
        } else if is("an option \"{}\" of type \"{}\" with value \"{}\"").is_some() {
            // Options are those of another provider.
        } else if let Some(words) = is("a {}-flag with key \"{}\" and a {} value \"{}\"") {
            // The test bed says `default`, the specification `fallback`.
            self.ask_for(words[0], words[1], words[3]);
        } else if let Some(words) = is("a context containing a key \"{}\", with type \"{}\" and with value \"{}\"") {
            self.set_field(words[0], value_of(words[1], words[2]));
        } else if is("a context containing a key \"{}\" with null value").is_some() {
            // The SDK has no null in a context: a field is absent.
        } else if ["the flag was evaluated with details", "the flag was evaluated with details asynchronously"]
            .contains(&text)
        {
            // Each evaluation of this SDK is asynchronous.
            self.evaluate().await;
        } else if text == "the evaluation should complete without blocking" {
            self.last();
        } else if let Some(words) = is("the resolved details value should be \"{}\"") {
            let flag = self.flag.as_ref().unwrap();
            assert_eq!(self.last().value, value_of(&flag.kind, words[0]), "{scenario}");
        } else if let Some(words) = is("the reason should be \"{}\"") {
            assert_eq!(self.reason(), words[0], "{scenario}");
        } else if let Some(words) = is("the error-code should be \"{}\"") {
            assert_eq!(self.error.as_ref().map_or("", |error| &error.0), words[0], "{scenario}");
        } else if let Some(words) = is("the error message should contain \"{}\"") {
            let message = &self.error.as_ref().unwrap().1;
            assert!(message.contains(words[0]), "{scenario}: {message}");
        } else if let Some(words) = is("the flag key should be \"{}\"") {
            assert_eq!(self.last().flag_key, words[0], "{scenario}");
        } else if let Some(words) = is("the variant should be \"{}\"") {
            assert_eq!(self.last().variant.as_deref(), Some(words[0]), "{scenario}");
        } else if let Some(words) = is("the provider status should be \"{}\"") {
            assert_eq!(status(&self.provider.as_ref().unwrap().0), words[0], "{scenario}");
        } else if text == "the resolved metadata is empty" {
            assert_eq!(self.last().flag_metadata, FlagMetadata::default(), "{scenario}");
        } else if text == "the resolved metadata should contain" {
            self.check_metadata(&step.table.as_ref().unwrap().rows, scenario);
        } else {
            panic!("{scenario}: no meaning is known for the step `{text}`");
        }
    }

    fn ask_for(&mut self, kind: &str, key: &str, default: &str) {
        let default = value_of(kind, default);
        self.flag = Some(Flag { kind: kind.to_owned(), key: key.to_owned(), default });
    }

    fn set_field(&mut self, name: &str, value: Value) {
        match value {
            Value::Bool(value) => self.context.add_custom_field(name, value),
            Value::Int(value) => self.context.add_custom_field(name, value),
            Value::Float(value) => self.context.add_custom_field(name, value),
            Value::String(value) => self.context.add_custom_field(name, value),
            Value::Array(_) | Value::Struct(_) => panic!("a structure in a context: `{name}`"),
        }
    }

    /// Evaluates as a program does: where the SDK has an error, the program takes its own default.
    async fn evaluate(&mut self) {
        let (flag, (_, client)) = (self.flag.as_ref().unwrap(), self.provider.as_ref().unwrap());
        let (key, context) = (flag.key.as_str(), Some(&self.context));
        let result = match flag.kind.as_str() {
            "Boolean" => any(client.get_bool_details(key, context, None).await),
            "Integer" => any(client.get_int_details(key, context, None).await),
            "Float" => any(client.get_float_details(key, context, None).await),
            "String" => any(client.get_string_details(key, context, None).await),
            "Object" => any(client.get_struct_details::<StructValue>(key, context, None).await),
            kind => panic!("no type `{kind}` is known"),
        };
        self.error = None;
        self.last = Some(result.unwrap_or_else(|error| {
            // The SDK has no way to say that a flag is disabled but an error.
            let is_disabled = error.code == EvaluationErrorCode::General("DISABLED".to_owned());
            let reason = if is_disabled { EvaluationReason::Disabled } else { EvaluationReason::Error };
            let default = EvaluationDetails {
                reason: Some(reason),
                ..EvaluationDetails::error_reason(key, flag.default.clone())
            };
            self.error = Some((error.code.to_string(), error.message.unwrap_or_default())).filter(|_| !is_disabled);
            default
        }));
    }

    fn last(&self) -> &EvaluationDetails<Value> {
        self.last.as_ref().expect("a flag was evaluated before")
    }

    fn reason(&self) -> String {
        self.last().reason.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn check_metadata(&self, rows: &[Vec<String>], scenario: &str) {
        let found = &self.last().flag_metadata.values;
        for row in &rows[1..] {
            let expected = match value_of(&row[1], &row[2]) {
                Value::Bool(value) => FlagMetadataValue::Bool(value),
                Value::Int(value) => FlagMetadataValue::Int(value),
                Value::Float(value) => FlagMetadataValue::Float(value),
                Value::String(value) => FlagMetadataValue::String(value),
                Value::Array(_) | Value::Struct(_) => panic!("a structure in metadata"),
            };
            assert_eq!(found.get(&row[0]), Some(&expected), "{scenario}: `{}`", row[0]);
        }
        assert_eq!(found.len(), rows.len() - 1, "{scenario}");
    }
}

/// A provider of its own for each scenario; one without a document if nothing is expected.
async fn provider(expected: Option<Expected>) -> (TidegateProvider, Client) {
    let builder = Tidegate::builder().without_locks().without_cache();
    let builder = match expected {
        Some(Expected { metadata }) => {
            builder.text(include_str!("../../flags.jsonc").replace("METADATA}", &format!("{metadata}}}")))
        }
        None => builder.file("/nowhere/flags.json").startup_wait(Duration::ZERO),
    };
    registered(builder).await
}

/// A provider whose source has answered once and no longer does.
async fn stale_provider() -> (TidegateProvider, Client) {
    let asked = AtomicU32::new(0);
    let source = move |_: Option<&Tag>| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(Fetched::Changed { body: b"{}".to_vec(), tag: None }),
        _ => Err("out of reach".into()),
    };
    let builder = Tidegate::builder().without_locks().without_cache().callback(source);
    let (provider, client) = registered(builder.poll_interval(Duration::from_millis(20))).await;
    let end = Instant::now() + Duration::from_secs(20);
    while provider.status() == ProviderStatus::Ready && Instant::now() < end {
        std::thread::yield_now();
    }
    (provider, client)
}

async fn registered(builder: Builder) -> (TidegateProvider, Client) {
    let provider = TidegateProvider::new(builder.connect().unwrap());
    let mut api = OpenFeature::default();
    api.set_provider(provider.clone()).await;
    (provider, api.create_client())
}

fn any<T: Into<Value>>(result: EvaluationResult<EvaluationDetails<T>>) -> EvaluationResult<EvaluationDetails<Value>> {
    result.map(EvaluationDetails::into_value)
}

fn status(provider: &TidegateProvider) -> &'static str {
    match provider.status() {
        ProviderStatus::NotReady => "NOT_READY",
        ProviderStatus::Ready => "READY",
        ProviderStatus::Error => "ERROR",
        ProviderStatus::STALE => "STALE",
    }
}

/// A value as scenarios write it.
fn value_of(kind: &str, text: &str) -> Value {
    match kind {
        "Boolean" => Value::Bool(text.parse().unwrap()),
        "Integer" => Value::Int(text.parse().unwrap()),
        "Float" | "Double" => Value::Float(text.parse().unwrap()),
        "String" => Value::String(text.to_owned()),
        "Object" => {
            let json: serde_json::Value = serde_json::from_str(&text.replace("\\\"", "\"")).unwrap();
            Value::try_from(json).unwrap()
        }
        kind => panic!("no type `{kind}` is known"),
    }
}
