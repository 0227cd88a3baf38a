//! Reads: they look at memory, on the scheduler that asks.

use rustler::types::atom;
use rustler::{Binary, Encoder, Env, Error, NifResult, ResourceArc, Term};
use tidegate::{FlagHandle, FlagKey, Subject, Tidegate};

use crate::handles::Handles;
use crate::instance::Instance;
use crate::{served, term};

rustler::atoms! {
    /// No instance was started.
    stopped,
    /// The atom or the text has no handle yet.
    unnamed,
}

/// Whether the flag of an atom is on for this call.
#[rustler::nif]
fn is_atom_active<'a>(env: Env<'a>, atom: Term<'a>) -> Term<'a> {
    by_handle(env, |handles| handles.of_atom(atom), FlagHandle::is_active)
}

/// Whether the flag that a text names for `Rollout` is on for this call.
#[rustler::nif]
fn is_name_active<'a>(env: Env<'a>, name: Binary<'a>) -> Term<'a> {
    by_handle(env, |handles| handles.of_name(&name), FlagHandle::is_active)
}

/// Whether the flag of an atom is on for a key.
#[rustler::nif]
fn is_atom_active_for<'a>(env: Env<'a>, atom: Term<'a>, key: &str) -> Term<'a> {
    by_handle(env, |handles| handles.of_atom(atom), |handle| handle.is_active_for(key))
}

/// Whether the flag of a flag key is on for this call.
#[rustler::nif]
fn is_active<'a>(env: Env<'a>, flag_key: Binary<'a>) -> NifResult<Term<'a>> {
    by_flag_key(env, flag_key, FlagHandle::is_active, Tidegate::is_active)
}

/// Whether the flag of a flag key is on for a key.
#[rustler::nif]
fn is_active_for<'a>(env: Env<'a>, flag_key: Binary<'a>, key: &str) -> NifResult<Term<'a>> {
    by_flag_key(env, flag_key, |handle| handle.is_active_for(key), |tide, flag_key| tide.is_active_for(flag_key, key))
}

#[inline]
fn by_handle(
    env: Env<'_>,
    find: impl FnOnce(&Handles) -> Option<&FlagHandle>,
    ask: impl FnOnce(&FlagHandle) -> bool,
) -> Term<'_> {
    match served::read(|handles| find(handles).map(ask)) {
        Some(Some(active)) => active.encode(env),
        Some(None) => unnamed().encode(env),
        None => stopped().encode(env),
    }
}

#[inline]
fn by_flag_key<'a>(
    env: Env<'a>,
    flag_key: Binary<'a>,
    ask: impl FnOnce(&FlagHandle) -> bool,
    read: impl FnOnce(&Tidegate, &str) -> bool,
) -> NifResult<Term<'a>> {
    let answer = served::read(|handles| {
        if let Some(handle) = handles.of_flag_key(&flag_key) {
            return Ok(ask(handle));
        }
        let flag_key = str::from_utf8(flag_key.as_slice()).map_err(|_| Error::BadArg)?;
        Ok(handles.read(flag_key, |tide| read(tide, flag_key)))
    });
    answer.map_or_else(|| Ok(stopped().encode(env)), |answer| answer.map(|active| active.encode(env)))
}

/// The same for a key, or none, with attributes.
#[rustler::nif]
fn is_active_to<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: &str,
    key: Option<&str>,
    attributes: Term<'a>,
) -> Term<'a> {
    for_subject(env, key, attributes, |subject| instance.tide().is_active_for(flag_key, subject).encode(env))
}

/// The value of a flag for a key, or the default of the caller.
#[rustler::nif]
fn get<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: &str,
    default: Term<'a>,
    key: Option<&str>,
    attributes: Term<'a>,
) -> Term<'a> {
    for_subject(env, key, attributes, |subject| {
        let (view, flag) = (instance.tide().view(), FlagKey::parse(flag_key));
        let decision = view.decide(flag.section(), flag.flag(), subject.clone());
        let value = term::answered(env, decision.answer).unwrap_or_else(|| {
            // The library counts reads of unknown flags there.
            view.raw(flag.section(), flag.flag(), subject);
            default
        });
        (atom::ok(), value).encode(env)
    })
}

/// What a flag answers, and everything that led to it.
#[rustler::nif]
fn explain<'a>(
    env: Env<'a>,
    instance: ResourceArc<Instance>,
    flag_key: &str,
    key: Option<&str>,
    attributes: Term<'a>,
) -> Term<'a> {
    for_subject(env, key, attributes, |subject| {
        let flag = FlagKey::parse(flag_key);
        term::serialized(env, &instance.tide().explain(flag.section(), flag.flag(), subject))
    })
}

/// What is answered for a key, or none, with attributes; or what is wrong with the attributes.
fn for_subject<'a>(
    env: Env<'a>,
    key: Option<&str>,
    attributes: Term<'a>,
    answer: impl FnOnce(Subject<'_>) -> Term<'a>,
) -> Term<'a> {
    let subject = Subject::from(key);
    match term::attributes(attributes) {
        Ok(Some(attributes)) => answer(subject.with_attributes(&attributes)),
        Ok(None) => answer(subject),
        Err(problem) => problem.encode(env),
    }
}
