//! Reads: they look at memory, on the scheduler that asks.

use rustler::types::atom;
use rustler::{Atom, Encoder, Env, Error, NifResult, ResourceArc, Term};
use tidegate::{FlagKey, Subject};

use crate::instance::Instance;
use crate::term;

rustler::atoms! {
    /// The atom has no handle yet.
    unnamed,
}

/// Whether a flag is on for this call. The flag is an atom or a flag key.
#[rustler::nif]
fn is_active<'a>(env: Env<'a>, instance: Term<'a>, flag: Term<'a>) -> NifResult<Term<'a>> {
    let instance = borrowed(instance)?;
    if let Ok(atom) = Atom::from_term(flag) {
        return Ok(instance
            .handle(atom)
            .map_or_else(|| unnamed().encode(env), |handle| handle.is_active().encode(env)));
    }
    Ok(instance.tide.is_active(flag.decode()?).encode(env))
}

/// Whether a flag is on for a key. The flag is an atom or a flag key.
#[rustler::nif]
fn is_active_for<'a>(env: Env<'a>, instance: Term<'a>, flag: Term<'a>, key: &str) -> NifResult<Term<'a>> {
    let instance = borrowed(instance)?;
    if let Ok(atom) = Atom::from_term(flag) {
        let active = instance.handle(atom).map(|handle| handle.is_active_for(key));
        return Ok(active.map_or_else(|| unnamed().encode(env), |active| active.encode(env)));
    }
    Ok(instance.tide.is_active_for(flag.decode()?, key).encode(env))
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
    for_subject(env, key, attributes, |subject| instance.tide.is_active_for(flag_key, subject).encode(env))
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
        let (view, flag) = (instance.tide.view(), FlagKey::parse(flag_key));
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
        term::serialized(env, &instance.tide.explain(flag.section(), flag.flag(), subject))
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

/// The instance without a count of its own: the term keeps it alive as long as the call lasts.
#[inline]
fn borrowed(instance: Term<'_>) -> NifResult<&Instance> {
    instance.try_get_resource().ok_or(Error::BadArg)
}
