//! The tables of a snapshot under construction: names, values, points, and the indexes by name.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::Digest;
use crate::Point;
use crate::custom_hash::CustomHash;
use crate::ends::{self, Ends};
use crate::flag_key::write_section;
use crate::snapshot::{
    BARE, CompiledSegment, Core, Dependents, Extra, NameIndex, Names, Record, Section, Values, hash_key,
};

/// The tables of a snapshot under construction.
pub(super) struct Tables {
    names: Names,
    sections: Vec<Section>,
    records: Vec<Record>,
    values: Values,
    value_ids: HashTable<u32>,
    points: Vec<Point>,
    extras: Vec<Extra>,
    segments: Vec<CompiledSegment>,
    salts: Vec<(u32, u32)>,
    key_index: NameIndex,
    flag_index: NameIndex,
    has_escapes: bool,
    /// The text with which the flag keys of the current section begin.
    prefix: String,
    custom_hash: Option<CustomHash>,
}

impl Tables {
    pub(super) fn with_capacity(flags: usize, custom_hash: Option<CustomHash>) -> Self {
        let mut tables = Self {
            names: Names::default(),
            sections: Vec::new(),
            records: Vec::with_capacity(flags),
            values: Values::default(),
            value_ids: HashTable::new(),
            points: Vec::new(),
            extras: Vec::new(),
            segments: Vec::new(),
            salts: Vec::new(),
            key_index: NameIndex::with_capacity(flags),
            flag_index: NameIndex::with_capacity(flags),
            has_escapes: false,
            prefix: String::new(),
            custom_hash,
        };
        // The first two numbers are promised to readers: see `Values`.
        for value in ["false", "true"] {
            tables.value(value);
        }
        tables
    }

    /// Adds a section and returns its number.
    pub(super) fn section(&mut self, name: &str) -> u32 {
        let id = number(self.sections.len());
        self.prefix.clear();
        // Writing to a string cannot fail.
        let _ = write_section(name, &mut self.prefix);
        self.prefix.push('/');
        let prefix = number(self.prefix.len());
        self.has_escapes |= self.prefix.contains('%');
        self.sections.push(Section { name: self.names.push(&[name]), prefix, ends: Ends::new(name) });
        id
    }

    /// Adds a flag of the current section under its name.
    pub(super) fn flag(&mut self, name: &str, mut record: Record) {
        record.key = self.names.push(&[&self.prefix, name]);
        let id = number(self.records.len());
        let section = self.sections.last().map_or("", |section| self.names.get(section.name));
        let hash = ends::hash(section, name);
        self.key_index.insert(hash_key(self.names.get(record.key)), id);
        // A name with a `/` in it would be read as a section and a flag.
        if self.prefix == "flags/" && !name.contains('/') {
            self.key_index.insert(hash_key(name), id | BARE);
        }
        self.flag_index.insert(hash, id);
        self.records.push(record);
    }

    /// Adds a salt and returns its number.
    pub(super) fn salt(&mut self, salt: &str) -> u32 {
        self.salts.push(self.names.push(&[salt]));
        number(self.salts.len()).saturating_sub(1)
    }

    /// The number of a value; equal texts share one.
    pub(super) fn value(&mut self, text: &str) -> u32 {
        // Most values are one of the first two.
        if let Some(id) = Values::id_of_bool(text).filter(|&id| self.values.get(id) == text) {
            return id;
        }
        let values = &mut self.values;
        let hash = xxh3_64(text.as_bytes());
        if let Some(id) = self.value_ids.find(hash, |&id| values.get(id) == text) {
            return *id;
        }
        let id = values.push(text);
        self.value_ids.insert_unique(hash, id, |&id| xxh3_64(values.get(id).as_bytes()));
        id
    }

    /// Adds the points of a ramp and returns their place.
    pub(super) fn points(&mut self, points: &[Point]) -> (u32, u32) {
        let first = number(self.points.len());
        self.points.extend_from_slice(points);
        (first, number(points.len()))
    }

    pub(super) fn extra(&mut self, extra: Extra) -> u32 {
        self.extras.push(extra);
        number(self.extras.len()).saturating_sub(1)
    }

    /// The number of the segment that is added next.
    pub(super) fn next_segment(&self) -> u32 {
        number(self.segments.len())
    }

    pub(super) fn segment(&mut self, segment: CompiledSegment) {
        self.segments.push(segment);
    }

    pub(super) fn into_core(self, digest: Digest) -> Core {
        let dependents = Dependents::new(&self.records, &self.extras);
        Core {
            names: self.names.into_boxed(),
            sections: self.sections.into(),
            records: self.records.into(),
            values: self.values.into_boxed(),
            points: self.points.into(),
            extras: self.extras.into(),
            segments: self.segments.into(),
            dependents,
            salts: self.salts.into(),
            key_index: self.key_index,
            has_escapes: self.has_escapes,
            flag_index: self.flag_index,
            digest,
            custom_hash: self.custom_hash,
        }
    }
}

/// A count as a table number. Documents are limited to 16 MiB, so no table comes near 2^32 entries.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
