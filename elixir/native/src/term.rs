//! Terms that come in, and what the library serializes on its way out.

use rustler::types::atom;
use rustler::{Encoder, Env, Term, TermType};
use serde_json::{Map, Number, Value};
use tidegate::{Answer, JsonAttributes};

use crate::error::Problem;

/// The value of an answer; none where the caller's default is due.
#[inline]
pub(crate) fn answered<'a>(env: Env<'a>, answer: Answer<'_>) -> Option<Term<'a>> {
    if let Some(value) = answer.as_bool() {
        return Some(value.encode(env));
    }
    if let Some(text) = answer.as_text() {
        return Some(text.encode(env));
    }
    let scalar = answer.scalar()?;
    if let Some(integer) = scalar.as_u64() {
        return Some(integer.encode(env));
    }
    if let Some(integer) = scalar.as_negative() {
        return Some(integer.encode(env));
    }
    from_json(env, &answer.to_json()?)
}

/// JSON text as a term: objects are maps with texts as keys, and `null` is `nil`.
pub(crate) fn from_json<'a>(env: Env<'a>, json: &str) -> Option<Term<'a>> {
    rustler::serde::to_term(env, serde_json::from_str::<Value>(json).ok()?).ok()
}

/// What the library serializes as JSON.
pub(crate) fn serialized<'a>(env: Env<'a>, value: &impl serde::Serialize) -> Term<'a> {
    let term = serde_json::to_value(value).map_err(|problem| Problem::invalid(&problem));
    match term.and_then(|value| rustler::serde::to_term(env, value).map_err(|problem| Problem::invalid(&problem))) {
        Ok(term) => (atom::ok(), term).encode(env),
        Err(problem) => problem.encode(env),
    }
}

/// Attributes, as a map of Elixir; none where there are none.
pub(crate) fn attributes(given: Term<'_>) -> Result<Option<JsonAttributes>, Problem> {
    if is_nil(given) {
        return Ok(None);
    }
    let json = json_of(given)?.to_string();
    JsonAttributes::parse(&json).map(Some).map_err(|problem| Problem::invalid(&problem))
}

/// A term as JSON: atoms are texts apart from `true`, `false` and `nil`; keys of maps are texts or atoms.
pub(crate) fn json_of(given: Term<'_>) -> Result<Value, Problem> {
    let wrong = || Problem::invalid(&format!("{given:?} has no form in JSON"));
    Ok(match given.get_type() {
        TermType::Atom if is_nil(given) => Value::Null,
        TermType::Atom => match given.decode::<bool>() {
            Ok(value) => Value::Bool(value),
            Err(_) => Value::String(given.atom_to_string().map_err(|_| wrong())?),
        },
        TermType::Binary => Value::String(given.decode().map_err(|_| wrong())?),
        TermType::Integer => {
            let unsigned = given.decode::<u64>().map(Number::from);
            Value::Number(unsigned.or_else(|_| given.decode::<i64>().map(Number::from)).map_err(|_| wrong())?)
        }
        TermType::Float => {
            let number = given.decode().map_err(|_| wrong())?;
            Value::Number(Number::from_f64(number).ok_or_else(wrong)?)
        }
        TermType::List => {
            let items: Vec<Term<'_>> = given.decode().map_err(|_| wrong())?;
            Value::Array(items.into_iter().map(json_of).collect::<Result<_, _>>()?)
        }
        TermType::Map => {
            let entries = rustler::MapIterator::new(given).ok_or_else(wrong)?;
            let mut object = Map::new();
            for (name, value) in entries {
                let Value::String(name) = json_of(name)? else { return Err(wrong()) };
                object.insert(name, json_of(value)?);
            }
            Value::Object(object)
        }
        _ => return Err(wrong()),
    })
}

pub(crate) fn is_nil(given: Term<'_>) -> bool {
    atom::nil() == given
}
