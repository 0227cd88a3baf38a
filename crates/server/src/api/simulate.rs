//! How many keys of a population have which variant of a flag.

use std::fmt::Write as _;

use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate::Micros;
use tidegate_engine::document::parse_duration;
use tidegate_engine::population::{self, Counts, StepsError, Tally};
use tidegate_engine::{Flag, JsonAttributes, Subject};
use utoipa::ToSchema;

use super::ask::Fields;
use super::decision::subject;
use super::given::{self, Given, instant};
use super::problem::Problem;
use super::work::Ends;
use super::{Answer, Kind, Shared};
use crate::limits;
use crate::openapi::schemas;

/// Simulate a flag of a document
///
/// How many keys have which variant: now, at an instant, or in steps. Each element of `counts` is a line of
/// `tidegate simulate --format json`. Locks, activations and leases have no part in it. Nothing is stored.
///
/// The keys are `0` to `population - 1`, or those of `keys`, or subjects with attributes. Subjects times instants are at most
/// 10,000,000.
#[utoipa::path(
    post, path = "/api/v1/simulate", tag = "decisions", operation_id = "simulateDocument",
    request_body(content = SimulateRequest, example = json!({
        "entry": {"stable": "blue", "new": "green", "start_time": "2040-01-01 00:00Z", "duration": "14d"},
        "flag": "shop/banner", "population": 1000, "every": "7d",
    })),
    responses((status = 200, description = "the counts", body = schemas::Simulation)),
    extensions(("x-problems" = json!("busy ended refused unknown-flag work-timeout"))),
)]
pub(super) async fn simulate(State(api): Shared, request: Request) -> Answer {
    let now = api.tide.view().now();
    let known = &["document", "entry", "flag", "population", "keys", "subjects", "at", "every", "from", "to"];
    given::answer(&api, request, Kind::Forecast, known, move |fields, ends, output| {
        let population = Population::read(fields)?;
        let given = Given::read(fields)?;
        let (key, flag) = given.named()?;
        if flag.lock().is_none() && !flag.is_enabled() {
            let detail = "the flag is disabled: every key has the caller's default, and there is nothing to count";
            return Err(Problem::invalid("flag", detail, "simulate a flag without `\"enabled\": false`"));
        }
        let instants = instants(flag, fields, now)?;
        if population.len().saturating_mul(instants.len() as u64) > limits::SIMULATED_MAX {
            let detail = format!("subjects times instants are more than {}", limits::SIMULATED_MAX);
            return Err(Problem::invalid(population.field(), detail, "send fewer subjects, or longer steps"));
        }
        let mut tally = Tally::new(&given.snapshot, flag, instants);
        population.add_to(&mut tally, ends)?;
        output.json(&Simulated { flag: key.to_string(), counts: tally.counts() })
    })
    .await
}

#[derive(Serialize)]
struct Simulated {
    flag: String,
    counts: Vec<Counts>,
}

/// When to count.
fn instants(flag: Flag<'_>, fields: &Fields, now: Micros) -> Result<Vec<Micros>, Problem> {
    let (at, from, to) = (instant(fields, "at")?, instant(fields, "from")?, instant(fields, "to")?);
    let Some(every) = fields.text("every")? else {
        if from.or(to).is_some() {
            return Err(Problem::invalid("every", "`every` is missing", "send a step, such as `1d`, or only `at`"));
        }
        return Ok(vec![at.unwrap_or(now)]);
    };
    let help = "send a duration, such as `1d`";
    let every = parse_duration(&every).map_err(|error| Problem::invalid("every", format!("`every` {error}"), help))?;
    if at.is_some() {
        return Err(Problem::invalid("at", "`at` and `every` exclude each other", "leave one of them out"));
    }
    population::steps(flag, every, from, to, limits::INSTANTS_MAX).map_err(|error| match error {
        StepsError::Zero => Problem::invalid("every", error.to_string(), help),
        StepsError::NeverMoves => Problem::invalid("from", error.to_string(), "send `from` and `to`, or `at`"),
        StepsError::Backwards { .. } => Problem::invalid("from", error.to_string(), "send `from` before `to`"),
        StepsError::TooMany { count } => {
            let detail = format!("{count} instants are more than the limit of {}", limits::INSTANTS_MAX);
            Problem::invalid("every", detail, "use longer steps, or a shorter time")
        }
    })
}

/// Whom to count.
enum Population {
    /// The keys `0` to the number below this one.
    Numbers(u64),
    Keys(Vec<String>),
    Subjects(Vec<(Option<String>, JsonAttributes)>),
}

impl Population {
    fn read(fields: &Fields) -> Result<Self, Problem> {
        let found = ["population", "keys", "subjects"].map(|name| fields.raw(name));
        let population = match found {
            [Some(number), None, None] => {
                let help = format!("send a whole number from 1 to {}", limits::POPULATION_MAX);
                let wrong = || Problem::invalid("population", "`population` is not such a number", help);
                Self::Numbers(whole(number).ok_or_else(wrong)?)
            }
            [None, Some(keys), None] => {
                let wrong = |error| {
                    Problem::invalid("keys", format!("`keys` cannot be read: {error}"), "send an array of texts")
                };
                Self::Keys(serde_json::from_str(keys).map_err(wrong)?)
            }
            [None, None, Some(subjects)] => Self::Subjects(read_subjects(subjects)?),
            _ => {
                let help = "send `population`, `keys` or `subjects`, one of the three";
                return Err(Problem::invalid("population", "there is not exactly one population", help));
            }
        };
        match population.len() {
            0 => Err(Problem::invalid(population.field(), "the population is empty", "send at least one key")),
            count if count > limits::POPULATION_MAX => {
                let detail = format!("{count} keys are more than the limit of {}", limits::POPULATION_MAX);
                Err(Problem::invalid(population.field(), detail, "send fewer"))
            }
            _ => Ok(population),
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Numbers(count) => *count,
            Self::Keys(keys) => keys.len() as u64,
            Self::Subjects(subjects) => subjects.len() as u64,
        }
    }

    const fn field(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "population",
            Self::Keys(_) => "keys",
            Self::Subjects(_) => "subjects",
        }
    }

    fn add_to(&self, tally: &mut Tally<'_>, ends: &Ends) -> Result<(), Problem> {
        let mut add = |number: usize, subject: &Subject<'_>| {
            tally.add(subject);
            if number.is_multiple_of(SUBJECTS_BETWEEN_CHECKS) { ends.check() } else { Ok(()) }
        };
        match self {
            Self::Numbers(count) => {
                let mut key = String::new();
                for number in 0..usize::try_from(*count).unwrap_or(usize::MAX) {
                    key.clear();
                    // Writing to a text cannot fail.
                    let _ = write!(key, "{number}");
                    add(number, &Subject::key(&key))?;
                }
                Ok(())
            }
            Self::Keys(keys) => keys.iter().enumerate().try_for_each(|(number, key)| add(number, &Subject::key(key))),
            Self::Subjects(subjects) => subjects
                .iter()
                .enumerate()
                .try_for_each(|(number, (key, attributes))| add(number, &subject(key.as_deref(), attributes))),
        }
    }
}

/// A whole number as JSON writes it: schemas count `1.0` among them.
fn whole(number: &str) -> Option<u64> {
    number.strip_suffix(".0").unwrap_or(number).parse().ok()
}

fn read_subjects(text: &str) -> Result<Vec<(Option<String>, JsonAttributes)>, Problem> {
    let help = "send an array of objects, such as `[{\"$key\": \"ann\", \"plan\": \"premium\"}]`";
    let wrong = |error: String| Problem::invalid("subjects", format!("`subjects` cannot be read: {error}"), help);
    let subjects: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let read = |subject: &RawValue| {
        let attributes = JsonAttributes::parse(subject.get()).map_err(|error| wrong(error.to_string()))?;
        Ok((attributes.text("$key").map(str::to_owned), attributes))
    };
    subjects.into_iter().map(read).collect()
}

/// A flag to be simulated. Exactly one of `population`, `keys` and `subjects` is given.
#[derive(Debug, ToSchema)]
#[schema(as = SimulateRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct SimulateRequest {
    /// The document: an object, or a string with its text, which may have comments.
    #[schema(value_type = Option<schemas::DocumentOrText>)]
    document: Option<Value>,
    /// Instead of a document: the entry of the flag, as a definition has it.
    #[schema(value_type = Option<schemas::EntryObject>)]
    entry: Option<Value>,
    /// The flag key, `section/flag`.
    flag: String,
    /// The keys `0` to `population - 1`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    population: Option<u64>,
    /// These keys.
    keys: Option<Vec<String>>,
    /// These subjects: each the attributes of one, with the key as `$key`.
    #[schema(value_type = Option<Vec<schemas::AttributesObject>>)]
    subjects: Option<Vec<Value>>,
    /// An instant; by default the clock of the server.
    at: Option<String>,
    /// Count in steps of this duration, at most 1,000.
    every: Option<String>,
    /// The first instant of the steps; by default when the share begins to move.
    from: Option<String>,
    /// The last instant of the steps; by default when the share ceases to move.
    to: Option<String>,
}

/// A look at the clock costs about as much as a key.
const SUBJECTS_BETWEEN_CHECKS: usize = 64;
