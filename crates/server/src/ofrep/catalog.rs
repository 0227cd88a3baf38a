//! The flags for clients of one version in the order of their keys, with what an answer says of each in every case: name and metadata.
//!
//! It is made when a bulk answer needs it and kept until another version is active, so that a bulk answer evaluates and
//! copies, and neither sorts nor escapes.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate::View;
use tidegate_engine::{Flag, FlagIndex, Snapshot};

use crate::api::Problem;

/// The catalog of the version that was asked for last.
#[derive(Debug, Default)]
pub(super) struct Catalogs {
    last: Mutex<Option<Arc<Catalog>>>,
}

/// The flags of one version, in the order of their keys.
#[derive(Debug)]
pub(super) struct Catalog {
    version: u64,
    flags: Vec<Listed>,
}

/// A flag in a catalog.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) index: FlagIndex,
    /// The name by which clients know the flag, as a JSON string.
    name: Box<str>,
    /// Where in it the name begins that the flag has within its section.
    bare_at: usize,
    /// `,"metadata":{...}`, or nothing.
    pub(super) metadata: Box<str>,
    /// The most bytes that its value can have.
    pub(super) value_bytes_max: usize,
}

impl Catalogs {
    /// The catalog of this view's version.
    pub(super) fn current(&self, view: &View) -> Result<Arc<Catalog>, Problem> {
        let is_current = |catalog: &&Arc<Catalog>| catalog.version == view.version();
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(catalog) = last().as_ref().filter(is_current) {
            return Ok(Arc::clone(catalog));
        }
        let made = Arc::new(Catalog::new(view)?);
        *last() = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Catalog {
    fn new(view: &View) -> Result<Self, Problem> {
        let mut flags: Vec<Flag<'_>> = view.snapshot().flags().filter(Flag::is_for_clients).collect();
        flags.sort_unstable_by(|one, other| (one.section(), one.name()).cmp(&(other.section(), other.name())));
        let flags = flags.iter().map(|flag| Listed::new(flag).map_err(|error| Problem::internal(&error)));
        Ok(Self { version: view.version(), flags: flags.collect::<Result<_, _>>()? })
    }

    /// The flags of one section, or all.
    pub(super) fn section(&self, snapshot: &Snapshot, section: Option<&str>) -> &[Listed] {
        let Some(section) = section else { return &self.flags };
        let name = |listed: &Listed| snapshot.flag(listed.index).section();
        let start = self.flags.partition_point(|listed| name(listed) < section);
        let (_, rest) = self.flags.split_at_checked(start).unwrap_or_default();
        let end = rest.partition_point(|listed| name(listed) <= section);
        rest.get(..end).unwrap_or_default()
    }
}

impl Listed {
    fn new(flag: &Flag<'_>) -> serde_json::Result<Self> {
        let bare = serde_json::to_string(flag.name())?;
        let name = serde_json::to_string(&flag.key().to_short())?;
        // The short form ends in the flag's name, and so does its JSON.
        let bare_at = name.len().saturating_sub(bare.len());
        let sides = [flag.stable(), flag.new_value()].into_iter().flatten().map(str::len);
        // A variant has a name beside its value.
        let named = flag.variants().into_iter().flat_map(|variants| &variants.values);
        let named = named.map(|one| one.value.as_str().len().saturating_add(one.name.len().saturating_mul(6)));
        let value_bytes_max = sides.chain(named).max().unwrap_or(0);
        // A subject without the attribute that is hashed gets a failure.
        let by_attribute = flag.targeting().is_some_and(|targeting| targeting.bucket_by.is_some());
        let value_bytes_max = if by_attribute { value_bytes_max.max(FAILURE_BYTES) } else { value_bytes_max };
        let metadata = metadata(flag)?.into();
        Ok(Self { index: flag.index(), name: name.into(), bare_at, metadata, value_bytes_max })
    }

    /// Appends the flag's name as a JSON string: the one within its section, or the one within all.
    pub(super) fn put_name(&self, is_bare: bool, into: &mut Vec<u8>) {
        let start = if is_bare { self.bare_at } else { 0 };
        into.push(b'"');
        into.extend_from_slice(self.name.as_bytes().get(start.saturating_add(1)..).unwrap_or_default());
    }

    pub(super) fn name_bytes(&self) -> usize {
        self.name.len()
    }
}

/// The member `metadata` of an answer, with a comma before it; empty for a flag that has none.
pub(super) fn metadata(flag: &Flag<'_>) -> serde_json::Result<String> {
    let Some(details) = flag.details().filter(|details| !details.metadata.is_empty()) else { return Ok(String::new()) };
    let mut text = String::from(",\"metadata\":");
    for (number, (name, value)) in details.metadata.iter().enumerate() {
        text.push(if number == 0 { '{' } else { ',' });
        text.push_str(&serde_json::to_string(name)?);
        text.push(':');
        text.push_str(value.as_str());
    }
    text.push('}');
    Ok(text)
}

/// More than the code and the text of a failure have.
pub(super) const FAILURE_BYTES: usize = 256;
