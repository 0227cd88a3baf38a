//! An instance of the library, as a resource of the virtual machine.

use std::hash::{Hash as _, Hasher};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustler::{Atom, Encoder, Env, Resource, ResourceArc, Term};
use tidegate::{FlagHandle, FlagKey, Tidegate};

use crate::{error, options};

/// The instance, and handles of the flags that atoms name.
pub(crate) struct Instance {
    pub(crate) tide: Tidegate,
    handles: Vec<OnceLock<Handle>>,
}

struct Handle {
    atom: Atom,
    flag: FlagHandle,
}

#[rustler::resource_impl]
impl Resource for Instance {}

impl Instance {
    fn new(tide: Tidegate) -> Self {
        Self { tide, handles: (0..HANDLES_MAX).map(|_| OnceLock::new()).collect() }
    }

    /// The handle of an atom that was [remembered](Self::remember).
    #[inline]
    pub(crate) fn handle(&self, atom: Atom) -> Option<&FlagHandle> {
        self.slots(atom).map_while(OnceLock::get).find(|handle| handle.atom == atom).map(|handle| &handle.flag)
    }

    /// Keeps a handle of the flag that this atom names. Where all its places are taken, the flag is read by its key.
    fn remember(&self, atom: Atom, flag_key: &str) {
        let key = FlagKey::parse(flag_key);
        for slot in self.slots(atom) {
            let handle = || Handle { atom, flag: self.tide.flag(key.section(), key.flag()) };
            if slot.get_or_init(handle).atom == atom {
                return;
            }
        }
    }

    /// The places where the handle of an atom may be.
    #[inline]
    fn slots(&self, atom: Atom) -> impl Iterator<Item = &OnceLock<Handle>> {
        let mut word = Word(0);
        atom.as_c_arg().hash(&mut word);
        // The lowest bits of an atom tell it from other terms, the rest is its index in the table of atoms.
        let first = word.0 >> 6;
        (first..first.wrapping_add(PROBES_MAX)).filter_map(|index| self.handles.get(index % HANDLES_MAX))
    }
}

/// The one machine word that is hashed.
struct Word(usize);

impl Hasher for Word {
    fn finish(&self) -> u64 {
        self.0 as u64
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ usize::from(*byte);
        }
    }
}

impl Drop for Instance {
    /// The last handle waits for its threads, and the scheduler that collects the resource must not.
    fn drop(&mut self) {
        let last = (self.tide.clone(), std::mem::take(&mut self.handles));
        // Without a thread it waits here: `Tidegate.Node` has ended the threads before, unless it was killed.
        let _ = thread::Builder::new().name("tidegate-drop".to_owned()).spawn(move || drop(last));
    }
}

/// Atoms with a handle: more than a program has flags, and 64 KiB.
const HANDLES_MAX: usize = 1024;

/// Places that are looked at for one atom.
const PROBES_MAX: usize = 8;

/// Does nothing: what a call costs by itself.
#[rustler::nif]
fn empty() -> bool {
    true
}

/// Panics, for a test.
#[cfg(feature = "panic")]
#[rustler::nif]
fn panic() -> bool {
    panic!("a panic for the test")
}

#[rustler::nif(schedule = "DirtyIo")]
fn connect<'a>(env: Env<'a>, given: Vec<(Atom, Term<'a>)>) -> Term<'a> {
    let connected =
        options::builder(given).and_then(|builder| builder.connect().map_err(|problem| error::connect(&problem)));
    match connected {
        Ok(tide) => (rustler::types::atom::ok(), ResourceArc::new(Instance::new(tide))).encode(env),
        Err(problem) => problem.encode(env),
    }
}

#[rustler::nif(schedule = "DirtyIo")]
fn shutdown(env: Env<'_>, instance: ResourceArc<Instance>, timeout_ms: u64) -> Term<'_> {
    match instance.tide.shutdown(Duration::from_millis(timeout_ms)) {
        Ok(()) => rustler::types::atom::ok().encode(env),
        Err(problem) => error::Problem::new(error::timeout(), &problem).encode(env),
    }
}

#[rustler::nif]
fn remember(instance: ResourceArc<Instance>, atom: Atom, flag_key: &str) -> bool {
    instance.remember(atom, flag_key);
    true
}

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
