//! Handles of the flags that are read, found by what names them: an atom, a flag key, or a text of `Rollout`.

use std::hash::{Hash as _, Hasher};
use std::sync::OnceLock;

use rustler::{Atom, Term};
use tidegate::{ErrorCode, FlagHandle, FlagKey, Subject, Tidegate};

/// An instance, and the handles that its reads have found so far.
pub(crate) struct Handles {
    pub(crate) tide: Tidegate,
    atoms: Table<Atom>,
    flag_keys: Table<Box<[u8]>>,
    names: Table<Box<[u8]>>,
}

impl Handles {
    pub(crate) fn new(tide: Tidegate) -> Self {
        Self { tide, atoms: Table::new(), flag_keys: Table::new(), names: Table::new() }
    }

    /// The handle of an atom that was [kept](Self::keep_atom). Any other term has none.
    #[inline]
    pub(crate) fn of_atom(&self, atom: Term<'_>) -> Option<&FlagHandle> {
        self.atoms.find(place_of_atom(atom), |kept| *kept == atom)
    }

    /// The handle of a flag key that [`Handles::read`] has kept.
    #[inline]
    pub(crate) fn of_flag_key(&self, text: &[u8]) -> Option<&FlagHandle> {
        self.flag_keys.find(place_of_text(text), |kept| **kept == *text)
    }

    /// The handle of a text of `Rollout` that was [kept](Self::keep_name).
    #[inline]
    pub(crate) fn of_name(&self, text: &[u8]) -> Option<&FlagHandle> {
        self.names.find(place_of_text(text), |kept| **kept == *text)
    }

    /// Keeps a handle of the flag that this atom names.
    pub(crate) fn keep_atom(&self, term: Term<'_>, atom: Atom, flag_key: &str) {
        self.atoms.keep(place_of_atom(term), atom, || self.handle(flag_key));
    }

    /// Keeps a handle of the flag that this text names for `Rollout`.
    pub(crate) fn keep_name(&self, name: &[u8], flag_key: &str) {
        self.names.keep(place_of_text(name), name.into(), || self.handle(flag_key));
    }

    /// A read by a flag key that has no handle yet.
    #[cold]
    pub(crate) fn read(&self, flag_key: &str, read: impl FnOnce(&Tidegate) -> bool) -> bool {
        let (text, flag) = (flag_key.as_bytes(), FlagKey::parse(flag_key));
        let place = place_of_text(text);
        // The library counts reads of unknown flags by their keys, and does not by their handles.
        let is_known = || {
            let decision = self.tide.view().decide(flag.section(), flag.flag(), Subject::absent()).error;
            decision != Some(ErrorCode::FlagNotFound)
        };
        if self.flag_keys.has_room(place) && is_known() {
            self.flag_keys.keep(place, text.into(), || self.handle(flag_key));
        }
        read(&self.tide)
    }

    fn handle(&self, flag_key: &str) -> FlagHandle {
        let flag = FlagKey::parse(flag_key);
        self.tide.flag(flag.section(), flag.flag())
    }
}

/// Handles by names. It is never emptied, and each place is written once, so that a read takes no lock. A flag whose places are
/// all taken is read by its flag key.
struct Table<N> {
    places: Vec<OnceLock<(N, FlagHandle)>>,
}

impl<N: PartialEq> Table<N> {
    fn new() -> Self {
        Self { places: (0..HANDLES_MAX).map(|_| OnceLock::new()).collect() }
    }

    #[inline]
    fn find(&self, place: usize, is_it: impl Fn(&N) -> bool) -> Option<&FlagHandle> {
        self.places_from(place).map_while(OnceLock::get).find(|(name, _)| is_it(name)).map(|(_, handle)| handle)
    }

    fn has_room(&self, place: usize) -> bool {
        self.places_from(place).any(|place| place.get().is_none())
    }

    fn keep(&self, place: usize, name: N, handle: impl FnOnce() -> FlagHandle) {
        if self.find(place, |kept| *kept == name).is_some() || !self.has_room(place) {
            return;
        }
        let mut entry = (name, handle());
        for place in self.places_from(place) {
            match place.set(entry) {
                Ok(()) => return,
                Err(back) => entry = back,
            }
        }
    }

    /// The places where a name may be.
    #[inline]
    fn places_from(&self, place: usize) -> impl Iterator<Item = &OnceLock<(N, FlagHandle)>> {
        (place..place.wrapping_add(PROBES_MAX)).filter_map(|index| self.places.get(index % HANDLES_MAX))
    }
}

/// The lowest bits of an atom tell it from other terms; the rest is its index in the table of atoms.
#[inline]
fn place_of_atom(atom: Term<'_>) -> usize {
    let mut word = Word(0);
    atom.as_c_arg().hash(&mut word);
    word.0 >> 6
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

/// Texts of flags are short: eight bytes at a time are multiplied by an odd number.
#[inline]
fn place_of_text(text: &[u8]) -> usize {
    let (chunks, rest) = text.as_chunks::<8>();
    let last = rest.iter().fold(rest.len() as u64, |word, byte| (word << 8) | u64::from(*byte));
    let words = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    let hash = words.chain([last]).fold(0_u64, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(ODD));
    usize::try_from(hash >> 40).unwrap_or_default()
}

/// Near 2^64 divided by the golden ratio: its multiples are spread evenly.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Handles of each kind of name: more than a program has flags, and 64 KiB.
const HANDLES_MAX: usize = 1024;

/// Places that are looked at for one name.
const PROBES_MAX: usize = 8;
