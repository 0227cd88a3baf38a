//! What conditions name, with its place: segments and other flags, which are looked for when the whole text has been read.

use std::ops::Range;

use super::members::At;
use crate::FlagKey;
use crate::diagnostic::{Path, Segment};

/// The segments and flags that the conditions of a document name.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// The segments of the document, also those with errors.
    pub(crate) defined: Vec<Place>,
    pub(crate) segments: Vec<(Owner, Place)>,
    /// Flags, each with its place, and the variant that it has to have with that one's place.
    pub(crate) flags: Vec<(FlagKey, Place, Place)>,
    /// The flags that have rules.
    pub(crate) ruled: Vec<Place>,
    owner: Owner,
}

/// Whose condition names something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Owner {
    /// A flag.
    #[default]
    Flag,
    /// The segment with this number.
    Segment(usize),
}

/// A part of the text.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The name that stands there.
    pub(crate) name: Box<str>,
    pub(crate) path: Path,
    pub(crate) span: Range<usize>,
}

impl Place {
    fn new(name: &str, at: At<'_, '_>) -> Self {
        Self { name: name.into(), path: at.trail.to_path(), span: at.token.span() }
    }

    /// The flag in whose entry it is.
    pub(crate) fn flag(&self) -> FlagKey {
        let mut names = self.path.segments().iter().map(|segment| match segment {
            Segment::Name(name) => &**name,
            Segment::Index(_) => "",
        });
        FlagKey::new(names.next().unwrap_or_default(), names.next().unwrap_or_default())
    }
}

impl Uses {
    pub(crate) fn begin_segment(&mut self, name: &str, at: At<'_, '_>) {
        self.owner = Owner::Segment(self.defined.len());
        self.defined.push(Place::new(name, at));
    }

    pub(crate) fn end_segments(&mut self) {
        self.owner = Owner::Flag;
    }

    /// An entry has rules at this place.
    pub(crate) fn add_rules(&mut self, at: At<'_, '_>) {
        self.ruled.push(Place::new("", at));
    }

    pub(crate) fn add_segment(&mut self, name: &str, at: At<'_, '_>) {
        self.segments.push((self.owner, Place::new(name, at)));
    }

    /// Another flag that has to have this variant.
    pub(crate) fn add_flag(&mut self, flag: &FlagKey, at: At<'_, '_>, is: &str, is_at: At<'_, '_>) {
        self.flags.push((flag.clone(), Place::new(is, at), Place::new(is, is_at)));
    }

    /// How many segments there are so far.
    pub(crate) fn segments(&self) -> usize {
        self.defined.len()
    }
}
