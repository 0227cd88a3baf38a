//! The shared tables of a snapshot while they grow: names, values, corners, and the index by name.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::Digest;
use crate::Point;
use crate::snapshot::{Core, Extra, Names, Record, Section, Values, hash_flag, hash_section};

/// The tables of a snapshot under construction.
pub(super) struct Tables {
    names: Names,
    sections: Vec<Section>,
    section_index: HashTable<u32>,
    records: Vec<Record>,
    values: Values,
    value_ids: HashTable<u32>,
    points: Vec<Point>,
    extras: Vec<Extra>,
    flag_index: HashTable<u32>,
}

impl Tables {
    pub(super) fn with_capacity(flags: usize) -> Self {
        let mut tables = Self {
            names: Names::default(),
            sections: Vec::new(),
            section_index: HashTable::new(),
            records: Vec::with_capacity(flags),
            values: Values::default(),
            value_ids: HashTable::new(),
            points: Vec::new(),
            extras: Vec::new(),
            flag_index: HashTable::with_capacity(flags),
        };
        // The first two numbers are promised to readers: see `Values`.
        for value in ["false", "true"] {
            tables.value(value);
        }
        tables
    }

    /// Enters a section and gives its number.
    pub(super) fn section(&mut self, name: &str) -> u32 {
        let hash = hash_section(name);
        let id = number(self.sections.len());
        self.sections.push(Section { name: self.names.push(name), hash });
        let sections = &self.sections;
        self.section_index.insert_unique(hash, id, |&id| sections.get(id as usize).map_or(0, |section| section.hash));
        id
    }

    /// Enters a flag under its name.
    pub(super) fn flag(&mut self, name: &str, mut record: Record) {
        record.name = self.names.push(name);
        let id = number(self.records.len());
        self.records.push(record);
        let (records, names, sections) = (&self.records, &self.names, &self.sections);
        let hash_of = |id: &u32| {
            let record = records.get(*id as usize);
            record.map_or(0, |record| {
                let section = sections.get(record.section as usize).map_or(0, |section| section.hash);
                hash_flag(section, names.get(record.name))
            })
        };
        self.flag_index.insert_unique(hash_of(&id), id, hash_of);
    }

    /// Enters a salt and gives its place.
    pub(super) fn salt(&mut self, salt: &str) -> (u32, u32) {
        self.names.push(salt)
    }

    /// The number of a value; equal texts share one.
    pub(super) fn value(&mut self, text: &str) -> u32 {
        let values = &mut self.values;
        let hash = xxh3_64(text.as_bytes());
        if let Some(id) = self.value_ids.find(hash, |&id| values.get(id) == text) {
            return *id;
        }
        let id = values.push(text);
        self.value_ids.insert_unique(hash, id, |&id| xxh3_64(values.get(id).as_bytes()));
        id
    }

    /// Enters the corners of a ramp and gives their place.
    pub(super) fn points(&mut self, points: &[Point]) -> (u32, u32) {
        let first = number(self.points.len());
        self.points.extend_from_slice(points);
        (first, number(points.len()))
    }

    pub(super) fn extra(&mut self, extra: Extra) -> u32 {
        self.extras.push(extra);
        number(self.extras.len()).saturating_sub(1)
    }

    pub(super) fn into_core(self, digest: Digest) -> Core {
        Core {
            names: self.names.into_boxed(),
            sections: self.sections.into(),
            records: self.records.into(),
            values: self.values.into_boxed(),
            points: self.points.into(),
            extras: self.extras.into(),
            section_index: self.section_index,
            flag_index: self.flag_index,
            digest,
        }
    }
}

/// A count as a table number. Documents are limited to 16 MiB, so no table comes near 2^32 entries.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
