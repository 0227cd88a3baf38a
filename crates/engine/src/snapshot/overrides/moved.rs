//! The same overrides over other documents.
//!
//! What is stored for a flag depends on whether a document defines it: then its overrides stand under its number in the table
//! of the documents, else under a number of their own. Only the flags of the documents before and after can change from one
//! to the other, so no other flag is looked at.

use std::sync::Arc;

use super::{Core, NONE, OverrideNumber, Overrides, Undocumented};
use crate::FlagKey;
use crate::snapshot::Snapshot;
use crate::snapshot::chunks::Chunks;

impl Snapshot {
    /// The documents of another snapshot under the locks, activations, defaults and definitions of this one. Definitions of
    /// flags that those documents define are left out; so are locks and the like of the other snapshot.
    ///
    /// The cost is that of the flags of both snapshots' documents, however many flags have overrides or definitions.
    ///
    /// ```
    /// use tidegate_engine::{Activation, CompileOptions, FlagKey, Share, Snapshot, compile, read};
    ///
    /// let mut snapshot = Snapshot::empty();
    /// snapshot.set_activation(&FlagKey::parse("shop/x"), Some(Activation { share: Share::FULL, until: None, defined: true }));
    /// let (document, _) = read(br#"{"shop": {"x": {"stable": 1}, "y": {"stable": 2}}}"#).unwrap();
    /// let changed = snapshot.with_documents(&compile(&document, &CompileOptions::default()));
    /// let activation = |flag| changed.flag(changed.find("shop", flag).unwrap()).activation().is_some();
    /// assert_eq!((changed.len(), activation("x"), activation("y")), (2, true, false));
    /// ```
    #[must_use]
    pub fn with_documents(&self, documents: &Self) -> Self {
        let core = Arc::clone(&documents.core);
        let overrides = self.overrides.as_ref().map(|overrides| Arc::new(overrides.moved(&self.core, &core)));
        Self { core, overrides }
    }
}

impl Overrides {
    fn moved(&self, before: &Core, after: &Core) -> Self {
        let mut moved = Self { of_flag: Chunks::of_defaults(after.records.len()), ..self.clone() };
        for (number, record) in before.records.iter().enumerate() {
            let Some(override_number) = self.of_flag.get(number).copied().filter(|number| number.0 != NONE) else {
                continue;
            };
            let (section, name) = (before.section_name(record.section), before.flag_name(record));
            if let Some(place) = after.find(section, name) {
                put_at(&mut moved.of_flag, place as usize, override_number);
            } else {
                let id = moved.add_undocumented(&FlagKey::new(section, name));
                put_at(&mut moved.of_undocumented, id as usize, override_number);
            }
        }
        for (number, record) in after.records.iter().enumerate() {
            let (section, name) = (after.section_name(record.section), after.flag_name(record));
            if let Some(id) = moved.find(section, name) {
                let override_number = moved.document(id);
                put_at(&mut moved.of_flag, number, override_number);
            }
        }
        moved
    }

    /// Removes a flag that a document defines now, with its definition. Returns the number of its overrides, which stay.
    fn document(&mut self, id: u32) -> OverrideNumber {
        let override_number = self.of_undocumented.get(id as usize).copied().unwrap_or_default();
        put_at(&mut self.of_undocumented, id as usize, OverrideNumber::default());
        let Some(undocumented) = self.undocumented(id) else { return override_number };
        if let Some(definition) = undocumented.definition.clone() {
            let without = Undocumented { definition: None, ..undocumented.clone() };
            self.count(id, &definition, false);
            if let Some(place) = self.undocumented_flags.get_mut(id as usize) {
                *place = Some(Arc::new(without));
            }
        }
        self.remove_empty(id);
        override_number
    }
}

fn put_at(table: &mut Chunks<OverrideNumber>, number: usize, override_number: OverrideNumber) {
    if override_number.0 == NONE && table.get(number).is_none_or(|before| before.0 == NONE) {
        return;
    }
    if let Some(place) = table.get_mut(number) {
        *place = override_number;
    }
}
