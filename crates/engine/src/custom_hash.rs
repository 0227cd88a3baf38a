//! A hash of the program's own, for flags that name neither a hash nor a salt.
//!
//! slowroll has a `hasher` argument, and a fleet that uses it has to keep its positions when it moves over. It takes the place of
//! `sha1` where a document leaves the choice to the reader; what a document says explicitly stands, and so do flags with a salt.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::{HashAlgorithm, Position};

/// A hash of the program's own, with the name under which explanations show it; for [`CompileOptions`](crate::CompileOptions).
///
/// The function is called in the middle of a read. It has to be pure (the same key, the same number, on every host), and must
/// neither block nor panic: a panic unwinds through the read to its caller and leaves the snapshot as it was.
#[derive(Clone)]
pub struct CustomHash {
    name: Arc<str>,
    function: Arc<dyn Fn(&str) -> u32 + Send + Sync>,
}

impl CustomHash {
    /// A hash by its name and its function.
    pub fn new(name: impl Into<Arc<str>>, function: impl Fn(&str) -> u32 + Send + Sync + 'static) -> Self {
        Self { name: name.into(), function: Arc::new(function) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position of `key`.
    pub(crate) fn position(&self, key: &str) -> Position {
        Position::new((self.function)(key))
    }

    pub(crate) fn to_name(&self) -> HashName {
        HashName::Custom(Arc::clone(&self.name))
    }
}

impl fmt::Debug for CustomHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CustomHash({:?})", self.name)
    }
}

// A panic in the function passes through code of ours that has changed nothing by then.
impl UnwindSafe for CustomHash {}
impl RefUnwindSafe for CustomHash {}

/// What places a flag's keys: an algorithm that documents can name, or a hash of the program's own.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HashName {
    /// An algorithm that has a name in documents.
    Algorithm(HashAlgorithm),
    /// The program's own, by its name.
    Custom(Arc<str>),
}

impl HashName {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Algorithm(algorithm) => algorithm.as_str(),
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for HashName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The same in a record; the function stands in the table that the record belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordHash {
    Algorithm(HashAlgorithm),
    Custom,
    /// The flag names an attribute in the place of the key; its hash stands beside its rules, so that the flag takes the path
    /// that looks there.
    ByAttribute,
}
