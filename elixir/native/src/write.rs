//! Changes, and questions about the cluster: they wait, so they run on dirty schedulers.

use std::str::FromStr;
use std::time::Duration;

use rustler::{Atom, Encoder, Env, ResourceArc, Term};
use tidegate::{Change, Cluster, Level, Micros, Percentage, Stamp};

use crate::error::{self, Problem};
use crate::instance::Instance;
use crate::term;

rustler::atoms! {
    activate,
    clear,
    define,
    remove,
}

/// Makes a change, and waits for its acknowledgements.
#[rustler::nif(schedule = "DirtyIo")]
fn change<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: &str,
    operation: (Atom, Term<'a>),
    options: Vec<(Atom, Term<'a>)>,
) -> Term<'a> {
    let change = begin(&instance, flag_key, operation)
        .and_then(|change| options.into_iter().try_fold(change, |change, (name, value)| set(change, name, value)));
    match change.and_then(|change| change.send().map_err(|problem| error::change(&problem))) {
        Ok(receipt) => term::serialized(env, &receipt),
        Err(problem) => problem.encode(env),
    }
}

fn begin(instance: &Instance, flag_key: &str, (operation, operand): (Atom, Term<'_>)) -> Result<Change, Problem> {
    let tide = instance.tide();
    Ok(if operation == activate() {
        tide.activate_percentage(flag_key, percentage(operand))
    } else if operation == clear() {
        tide.clear(flag_key)
    } else if operation == define() {
        tide.define(flag_key, &term::json_of(operand)?.to_string())
    } else if operation == remove() {
        tide.remove(flag_key)
    } else {
        return Err(Problem::invalid(&format!("there is no operation {:?}", operation.to_term(operand.get_env()))));
    })
}

fn set(change: Change, name: Atom, value: Term<'_>) -> Result<Change, Problem> {
    let name = name.to_term(value.get_env()).atom_to_string().unwrap_or_default();
    let wrong = |what: &str| Problem::invalid(&format!("`{name}` is {value:?}; it has to be {what}"));
    let text = || value.decode::<String>().map_err(|_| wrong("a text"));
    let is_set = || value.decode::<bool>().map_err(|_| wrong("`true` or `false`"));
    Ok(match name.as_str() {
        "actor" => change.actor(text()?),
        "reason" => change.reason(text()?),
        "until" => change.until(Micros::new(value.decode().map_err(|_| wrong("a DateTime"))?)),
        "ack" => {
            let level = value.atom_to_string().map_err(|_| wrong("an atom"))?;
            change.ack(Level::from_str(&level).map_err(|problem| Problem::invalid(&problem))?)
        }
        "timeout" => {
            change.timeout(Duration::from_millis(value.decode().map_err(|_| wrong("a number of milliseconds"))?))
        }
        "existing" => {
            if is_set()? {
                change.existing()
            } else {
                change
            }
        }
        "elsewhere" => {
            if is_set()? {
                change.elsewhere()
            } else {
                change
            }
        }
        "if_stamp" if term::is_nil(value) => change.if_stamp(None),
        "if_stamp" => change.if_stamp(Some(stamp(&text()?)?)),
        _ => return Err(Problem::invalid(&format!("a change has no option `{name}`"))),
    })
}

/// A percentage: a number, or its text.
pub(crate) fn percentage(given: Term<'_>) -> Percentage {
    let integer = given.decode::<i64>().map(|number| number.to_string());
    if let Ok(text) = integer.or_else(|_| given.decode::<String>()) {
        return Percentage::from(text);
    }
    // The library says what is wrong with anything else.
    given.decode::<f64>().map_or_else(|_| Percentage::from(format!("{given:?}")), Percentage::from)
}

fn stamp(text: &str) -> Result<Stamp, Problem> {
    text.parse().map_err(|problem| Problem::invalid(&problem))
}

/// The history of a flag, or of all flags, newest first.
#[rustler::nif(schedule = "DirtyIo")]
fn history<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> Term<'a> {
    let page = before.map(stamp).transpose().and_then(|before| {
        ask(&instance, |cluster| match flag_key {
            Some(flag_key) => cluster.history(flag_key, before, limit),
            None => cluster.history_of_all(before, limit),
        })
    });
    answer(env, page)
}

/// What is served, from where, how old it is, and what is wrong.
#[rustler::nif(schedule = "DirtyIo")]
fn status(env: Env<'_>, instance: ResourceArc<Instance>) -> Term<'_> {
    term::serialized(env, &instance.tide().status())
}

/// How this node, its peers and its disk are doing; `nil` for a follower.
#[rustler::nif(schedule = "DirtyIo")]
fn cluster_status(env: Env<'_>, instance: ResourceArc<Instance>) -> Term<'_> {
    match instance.tide().follower() {
        Some(_) => answer(env, Ok(())),
        None => answer(env, ask(&instance, Cluster::status)),
    }
}

/// Whom this process follows, and whether it agrees with that server; `nil` for a node.
#[rustler::nif(schedule = "DirtyIo")]
fn follower_status(env: Env<'_>, instance: ResourceArc<Instance>) -> Term<'_> {
    answer(env, Ok(instance.tide().follower().map(|follower| follower.status())))
}

/// What live changes say of a flag on this node.
#[rustler::nif(schedule = "DirtyIo")]
fn record<'a>(env: Env<'a>, instance: ResourceArc<Instance>, flag_key: &str) -> Term<'a> {
    answer(env, ask(&instance, |cluster| cluster.flag(flag_key)))
}

/// Waits until this node has what was written with a stamp on another one.
#[rustler::nif(schedule = "DirtyIo")]
fn wait<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: &str,
    stamp_text: &str,
    timeout_ms: u64,
) -> Term<'a> {
    let timeout = Duration::from_millis(timeout_ms);
    answer(env, stamp(stamp_text).and_then(|stamp| ask(&instance, |cluster| cluster.wait(flag_key, stamp, timeout))))
}

fn ask<T>(
    instance: &Instance,
    question: impl FnOnce(&Cluster) -> Result<T, tidegate::ClusterError>,
) -> Result<T, Problem> {
    let cluster = instance.tide().cluster().ok_or_else(|| error::change(&tidegate::ChangeError::NotLive))?;
    question(&cluster).map_err(|problem| error::cluster(&problem))
}

fn answer(env: Env<'_>, answered: Result<impl serde::Serialize, Problem>) -> Term<'_> {
    match answered {
        Ok(value) => term::serialized(env, &value),
        Err(problem) => problem.encode(env),
    }
}
