//! An instance of the library, as a resource of the virtual machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustler::{Atom, Binary, Encoder, Env, NifResult, Resource, ResourceArc, Term};
use tidegate::{FlagKey, Tidegate};

use crate::handles::Handles;
use crate::served::{self, Shared};
use crate::{error, options};

/// The instance.
pub(crate) struct Instance(Shared);

#[rustler::resource_impl]
impl Resource for Instance {}

impl Instance {
    pub(crate) fn tide(&self) -> &Tidegate {
        &self.0.tide
    }
}

/// Does nothing: what a call costs by itself.
#[rustler::nif]
fn empty() -> bool {
    true
}

/// The same with as many arguments as a read for a key has, which it takes as they are.
#[rustler::nif(name = "empty")]
fn empty_with_two<'a>(env: Env<'a>, flag: Term<'a>, key: Term<'a>) -> Term<'a> {
    let _ = (flag, key);
    true.encode(env)
}

/// Panics, for a test.
#[cfg(feature = "testing")]
#[rustler::nif]
fn panic() -> bool {
    panic!("a panic for the test")
}

#[rustler::nif(schedule = "DirtyIo")]
fn connect<'a>(env: Env<'a>, given: Vec<(Atom, Term<'a>)>) -> Term<'a> {
    let connected =
        options::builder(given).and_then(|builder| builder.connect().map_err(|problem| error::connect(&problem)));
    match connected {
        Ok(tide) => {
            (rustler::types::atom::ok(), ResourceArc::new(Instance(Shared::new(Handles::new(tide))))).encode(env)
        }
        Err(problem) => problem.encode(env),
    }
}

#[rustler::nif(schedule = "DirtyIo")]
fn shutdown(env: Env<'_>, instance: ResourceArc<Instance>, timeout_ms: u64) -> Term<'_> {
    match instance.tide().shutdown(Duration::from_millis(timeout_ms)) {
        Ok(()) => rustler::types::atom::ok().encode(env),
        Err(problem) => error::Problem::new(error::timeout(), &problem).encode(env),
    }
}

/// From here on reads ask this instance.
#[rustler::nif]
fn serve(instance: ResourceArc<Instance>) -> bool {
    served::serve(&instance.0);
    true
}

/// Keeps a handle of the flag that an atom names.
#[rustler::nif]
fn keep_atom(term: Term<'_>, flag_key: &str) -> NifResult<bool> {
    let atom = Atom::from_term(term)?;
    Ok(served::read(|handles| handles.keep_atom(term, atom, flag_key)).is_some())
}

/// Keeps a handle of the flag that a text names for `Rollout`.
#[rustler::nif]
fn keep_name(name: Binary<'_>, flag_key: &str) -> bool {
    served::read(|handles| handles.keep_name(&name, flag_key)).is_some()
}

/// Whether the flag key of one more term may be kept: of a thousand, and none of them ever leaves.
#[rustler::nif]
fn may_keep_term() -> bool {
    static KEPT: AtomicUsize = AtomicUsize::new(0);
    KEPT.load(Ordering::Relaxed) < TERMS_MAX && KEPT.fetch_add(1, Ordering::Relaxed) < TERMS_MAX
}

/// Terms whose flag keys are kept.
const TERMS_MAX: usize = 1_024;

/// What is wrong with the name of a flag; `nil` for a name that a flag can have.
#[rustler::nif]
fn name_problem(section: &str, flag: &str) -> Option<String> {
    FlagKey::new(section, flag).check().err().map(|problem| problem.to_string())
}

/// The text of a flag key, from both names.
#[rustler::nif]
fn flag_key(section: &str, flag: &str) -> String {
    FlagKey::new(section, flag).to_string()
}
