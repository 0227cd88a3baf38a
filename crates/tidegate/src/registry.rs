//! Everything that is active in one instance: documents, definitions of single flags, locks, activations and the clocks
//! of leases.
//!
//! The parts change on threads of their own: each source has one, and so have live changes. The thread that changes a part
//! does it here, under one lock, and everything that depends on it is published before the lock is let go. Readers
//! know nothing of it: they see the snapshot before or the one after.
//!
//! A change of one flag costs the same whatever else there is: an activation is laid over what is compiled already, and
//! so is a lock; a definition is compiled by itself and stands beside the documents. Only a document costs as much as all
//! documents are large, because those of several sources stand in one table.

use std::collections::{BTreeMap, BTreeSet};
#[cfg(feature = "cluster")]
use std::sync::TryLockError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "cluster")]
use tidegate_engine::Activation;
use tidegate_engine::document::Document;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{CompileOptions, FlagKey, HostLock, Micros, Part, Snapshot, compile_all};
#[cfg(feature = "cluster")]
use tidegate_engine::{Share, Span};

use crate::instance::Instance;
use crate::read::publish::Publisher;
use crate::read::subscription::{ChangedFlags, LISTED_MAX};
use crate::source_status::SourceStatus;
use crate::status::Shadowed;

/// Everything that is active in one instance.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Its cells are rewritten with each publication.
    instance: Arc<Instance>,
    parts: Mutex<Parts>,
}

#[derive(Debug)]
struct Parts {
    publisher: Publisher,
    /// The documents, in the order of their sources.
    slots: Vec<Slot>,
    /// The flags that were defined one by one, each compiled by itself.
    definitions: BTreeMap<FlagKey, Snapshot>,
    /// Those of them that have no effect, because a document defines the flag.
    shadowed: BTreeSet<FlagKey>,
    locks: Vec<HostLock>,
    /// In the order of their flags.
    #[cfg(feature = "cluster")]
    defaults: Vec<(FlagKey, Share)>,
    /// The documents, without anything beside or over them.
    plain: Snapshot,
    /// The same with definitions, locks and activations.
    laid: Snapshot,
    clocks: Clocks,
}

/// The document of one source.
#[derive(Debug)]
struct Slot {
    source: String,
    options: CompileOptions,
    part: SourcePart,
    /// Which of its entries have no effect is told there.
    status: Arc<SourceStatus>,
    /// Whether a document is to be expected.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only live changes ask"))]
    has_source: bool,
}

/// What a source contributes to what is active.
#[derive(Debug)]
pub(crate) struct SourcePart {
    pub(crate) snapshot: Snapshot,
    /// Kept only where it may have to be compiled together with others.
    pub(crate) document: Option<Arc<Document>>,
    /// The clocks of its leases.
    pub(crate) clocks: Clocks,
    /// Whether it has a document at all.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only live changes ask"))]
    pub(crate) is_loaded: bool,
    /// The document as it came; kept only where followers get it.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only followers get it"))]
    pub(crate) text: Option<DocumentText>,
}

/// A document as it came from its source.
#[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only followers get it"))]
#[derive(Clone, Debug)]
pub(crate) struct DocumentText {
    pub(crate) body: Arc<[u8]>,
    /// Of its bytes.
    pub(crate) digest: u128,
    pub(crate) signature: Option<String>,
}

/// What names a document with all that decides what it means.
#[cfg(feature = "cluster")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DocumentId {
    pub(crate) source: String,
    /// Of its bytes.
    pub(crate) digest: u128,
    pub(crate) default_lease_us: Option<u64>,
    pub(crate) signature: Option<String>,
}

/// An active document, for followers.
#[cfg(feature = "cluster")]
#[derive(Clone, Debug)]
pub(crate) struct LoadedDocument {
    pub(crate) id: DocumentId,
    pub(crate) text: Arc<[u8]>,
    status: Arc<SourceStatus>,
}

#[cfg(feature = "cluster")]
impl LoadedDocument {
    /// The last successful poll of its source.
    pub(crate) fn polled_at(&self) -> Option<Micros> {
        self.status.lock().fresh_at
    }
}

/// A change to what is laid over the documents, or stands beside them.
#[cfg(feature = "cluster")]
#[derive(Debug)]
pub(crate) enum LiveChange {
    /// The activation of a flag was set or cleared.
    Activation(FlagKey, Option<Activation>),
    /// The definition of a flag was made, and compiled by itself, or removed.
    Definition(FlagKey, Option<Snapshot>),
}

impl Registry {
    /// An empty registry.
    pub(crate) fn new(instance: Arc<Instance>) -> Arc<Self> {
        let parts = Parts {
            publisher: Publisher::new(Arc::clone(&instance.board)),
            slots: Vec::new(),
            definitions: BTreeMap::new(),
            shadowed: BTreeSet::new(),
            locks: Vec::new(),
            #[cfg(feature = "cluster")]
            defaults: Vec::new(),
            plain: Snapshot::empty(),
            laid: Snapshot::empty(),
            clocks: Clocks::synced(),
        };
        Arc::new(Self { instance, parts: Mutex::new(parts) })
    }

    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// A place for the document of another source, or for none where `has_source` is false.
    ///
    /// The leases of its document count from the successful polls of this source, so the number goes into the options.
    pub(crate) fn add_source(
        &self,
        source: String,
        options: CompileOptions,
        status: Arc<SourceStatus>,
        has_source: bool,
    ) -> (usize, CompileOptions) {
        let mut parts = self.parts();
        let slot = parts.slots.len();
        let options = CompileOptions { source: u16::try_from(slot).unwrap_or(u16::MAX), ..options };
        let (snapshot, clocks) = (Snapshot::empty(), Clocks::synced());
        let part = SourcePart { snapshot, document: None, clocks, is_loaded: false, text: None };
        parts.slots.push(Slot { source, options: options.clone(), part, status, has_source });
        (slot, options)
    }

    /// The documents, without anything beside or over them.
    #[cfg(feature = "cluster")]
    pub(crate) fn documents(&self) -> Snapshot {
        self.parts().plain.clone()
    }

    /// The source of the document that defines a flag.
    #[cfg(feature = "cluster")]
    pub(crate) fn source_of(&self, flag: &FlagKey) -> Option<String> {
        let parts = self.parts();
        let mut slots = parts.slots.iter();
        let slot = slots.find(|slot| slot.part.snapshot.find(flag.section(), flag.flag()).is_some())?;
        Some(slot.source.clone())
    }

    /// Whether the document of any source has been loaded.
    #[cfg(feature = "cluster")]
    pub(crate) fn has_documents(&self) -> bool {
        self.parts().slots.iter().any(|slot| slot.part.is_loaded)
    }

    /// Whether the documents of all sources have been loaded, so that what none of them defines is defined nowhere.
    #[cfg(feature = "cluster")]
    pub(crate) fn are_documents_loaded(&self) -> bool {
        self.parts().slots.iter().all(|slot| slot.part.is_loaded || !slot.has_source)
    }

    /// Whether the program has a default for a flag that is not defined.
    #[cfg(feature = "cluster")]
    pub(crate) fn has_default(&self, flag: &FlagKey) -> bool {
        self.parts().defaults.binary_search_by(|(found, _)| found.cmp(flag)).is_ok()
    }

    /// The flags that documents define, each with its source; of two that define one, the first counts.
    #[cfg(feature = "cluster")]
    pub(crate) fn defined(&self) -> Vec<(FlagKey, String)> {
        // A snapshot is cheap to clone, and the lock is not for long work.
        let slots: Vec<(String, Snapshot)> = {
            let parts = self.parts();
            parts.slots.iter().map(|slot| (slot.source.clone(), slot.part.snapshot.clone())).collect()
        };
        let keys = |(source, snapshot): &(String, Snapshot)| {
            snapshot.flags().map(|flag| (flag.key(), source.clone())).collect::<Vec<_>>()
        };
        slots.iter().flat_map(keys).collect()
    }

    /// The active documents in the order of their sources, where their texts are kept.
    #[cfg(feature = "cluster")]
    pub(crate) fn loaded_documents(&self) -> Vec<LoadedDocument> {
        let parts = self.parts();
        let document = |slot: &Slot| {
            let DocumentText { body, digest, signature } = slot.part.text.clone()?;
            let default_lease_us = slot.options.default_lease.map(Span::get);
            let id = DocumentId { source: slot.source.clone(), digest, default_lease_us, signature };
            Some(LoadedDocument { id, text: body, status: Arc::clone(&slot.status) })
        };
        parts.slots.iter().filter_map(document).collect()
    }

    /// The place of a source is for another one now, whose documents are compiled with these options.
    #[cfg(feature = "cluster")]
    pub(crate) fn rename_source(&self, slot: usize, source: &str, options: &CompileOptions) {
        if let Some(slot) = self.parts().slots.get_mut(slot) {
            source.clone_into(&mut slot.source);
            slot.options.clone_from(options);
        }
    }

    /// Removes the document of a source, which has none any more.
    #[cfg(feature = "cluster")]
    pub(crate) fn uninstall(&self, slot: usize) -> ChangedFlags {
        let (snapshot, clocks) = (Snapshot::empty(), Clocks::synced());
        self.install(slot, SourcePart { snapshot, document: None, clocks, is_loaded: false, text: None })
    }

    /// Activates the document of a source, with the clocks of its leases.
    /// The flags that it has changed, for those who subscribe.
    pub(crate) fn install(&self, slot: usize, part: SourcePart) -> ChangedFlags {
        let mut parts = self.parts();
        if let Some(slot) = parts.slots.get_mut(slot) {
            slot.part = part;
        }
        let before = parts.plain.clone();
        parts.compile();
        parts.lay_over_documents();
        self.publish(&mut parts);
        let (after, laid) = (parts.plain.clone(), parts.laid.clone());
        drop(parts);
        // One that subscribes only now learns that any flag may have changed.
        if !self.instance.notifier.has_subscriptions() {
            return ChangedFlags::any();
        }
        let changed = after.changed_flags(&before, LISTED_MAX);
        changed.map_or_else(ChangedFlags::any, |changed| ChangedFlags::with_dependents(changed, &laid))
    }

    /// The clocks of a source's leases have moved on.
    pub(crate) fn set_clocks(&self, slot: usize, clocks: Clocks) {
        let mut parts = self.parts();
        if let Some(slot) = parts.slots.get_mut(slot) {
            slot.part.clocks = clocks;
        }
        self.publish(&mut parts);
    }

    /// Activates these locks of this host, and no others.
    /// The flags whose lock is another now.
    pub(crate) fn set_locks(&self, locks: Vec<HostLock>) -> ChangedFlags {
        let mut parts = self.parts();
        let changed = parts.set_locks(locks);
        self.publish_of(&mut parts, &changed);
        ChangedFlags::with_dependents(changed, &parts.laid)
    }

    /// The shares of flags that are not defined.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_defaults(&self, mut defaults: Vec<(FlagKey, Share)>) {
        // In the order of their flags, so that one is found without a look at all; of two the later stays the later.
        defaults.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut parts = self.parts();
        parts.set_defaults(defaults);
        self.publish(&mut parts);
    }

    /// Activates live changes, all at once.
    #[cfg(feature = "cluster")]
    pub(crate) fn apply(&self, changes: Vec<LiveChange>) -> ChangedFlags {
        let mut parts = self.parts();
        let mut flags = Vec::with_capacity(changes.len());
        for change in changes {
            flags.push(match change {
                LiveChange::Activation(flag, activation) => parts.activate(flag, activation),
                LiveChange::Definition(flag, definition) => parts.define(flag, definition),
            });
        }
        self.publish_of(&mut parts, &flags);
        ChangedFlags::with_dependents(flags, &parts.laid)
    }

    /// Whether another thread is compiling, so that a change would wait.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.parts.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Definitions that have no effect here, because a document defines the flag.
    #[cfg(feature = "cluster")]
    pub(crate) fn shadowed(&self) -> Vec<FlagKey> {
        self.parts().shadowed.iter().cloned().collect()
    }

    /// Does what is due by time alone. The next instant at which a handle's words no longer hold, and how many
    /// publications some reader still holds.
    pub(crate) fn tick(&self) -> (Option<Micros>, usize) {
        // Before the lock: what is told of an event may be code of the program.
        let published = self.instance.board.load();
        published.reader_state.misreads.log(&published.snapshot);
        drop(published);
        let mut parts = self.parts();
        let published = self.instance.board.load();
        published.look_at(self.instance.board.clock());
        let next = self.instance.cells.rewrite_due(&published, &self.instance.board);
        drop(published);
        (next, parts.publisher.collect())
    }

    fn publish(&self, parts: &mut Parts) {
        parts.combine_clocks();
        parts.publisher.publish(parts.laid.clone(), parts.clocks.clone());
        self.instance.cells.rewrite(&self.instance.board.load(), &self.instance.board);
        parts.publisher.collect();
    }

    /// Publishes what has changed in these flags and in no other.
    fn publish_of(&self, parts: &mut Parts, flags: &[FlagKey]) {
        parts.publisher.publish(parts.laid.clone(), parts.clocks.clone());
        self.instance.cells.rewrite_of(flags, &self.instance.board.load(), &self.instance.board);
        parts.publisher.collect();
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    /// Compiles what has to stand in one table.
    fn compile(&mut self) {
        let mut filled = self.slots.iter().filter(|slot| !slot.part.snapshot.is_empty());
        let (first, second) = (filled.next(), filled.next());
        if second.is_none() {
            self.plain = first.map_or_else(Snapshot::empty, |slot| slot.part.snapshot.clone());
            return self.shadow();
        }
        let parts = self.slots.iter().filter_map(|slot| {
            let document = slot.part.document.as_deref()?;
            Some(Part { document, options: &slot.options })
        });
        self.plain = compile_all(&parts.collect::<Vec<_>>());
        self.shadow();
    }

    /// Finds the entries of documents that have no effect, because the document of an earlier source defines the flag,
    /// whichever of them was loaded first.
    fn shadow(&self) {
        for (number, slot) in self.slots.iter().enumerate() {
            let mut shadowed = Shadowed::default();
            let earlier: Vec<&Slot> =
                self.slots.iter().take(number).filter(|earlier| !earlier.part.snapshot.is_empty()).collect();
            if !earlier.is_empty() {
                for flag in slot.part.snapshot.flags() {
                    let is_there = |earlier: &&&Slot| earlier.part.snapshot.find(flag.section(), flag.name()).is_some();
                    if let Some(earlier) = earlier.iter().find(is_there) {
                        shadowed.add(flag.key(), &earlier.source);
                    }
                }
            }
            slot.status.set_shadowed(shadowed, &slot.source);
        }
    }

    /// Lays over the documents what lay over those before. The cost is that of the documents: a definition changes only where
    /// a document has its flag, or had it.
    fn lay_over_documents(&mut self) {
        self.laid = self.laid.with_documents(&self.plain);
        let definitions = &self.definitions;
        for flag in std::mem::take(&mut self.shadowed) {
            let definition = definitions.get(&flag);
            if definition.is_some() && !self.laid.set_definition(&flag, definition) {
                self.shadowed.insert(flag);
            }
        }
        if !definitions.is_empty() {
            let defined = self.plain.flags().map(|flag| flag.key());
            self.shadowed.extend(defined.filter(|flag| definitions.contains_key(flag)));
        }
    }

    /// Replaces all defaults. A program has a few, and sets them once.
    #[cfg(feature = "cluster")]
    fn set_defaults(&mut self, defaults: Vec<(FlagKey, Share)>) {
        for (flag, _) in std::mem::take(&mut self.defaults) {
            self.laid.set_default(&flag, None);
        }
        for (flag, share) in &defaults {
            self.laid.set_default(flag, Some(*share));
        }
        self.defaults = defaults;
    }

    #[cfg(feature = "cluster")]
    fn activate(&mut self, flag: FlagKey, activation: Option<Activation>) -> FlagKey {
        self.laid.set_activation(&flag, activation);
        flag
    }

    #[cfg(feature = "cluster")]
    fn define(&mut self, flag: FlagKey, definition: Option<Snapshot>) -> FlagKey {
        let is_beside = self.laid.set_definition(&flag, definition.as_ref());
        if is_beside || definition.is_none() {
            self.shadowed.remove(&flag);
        } else {
            self.shadowed.insert(flag.clone());
        }
        match definition {
            Some(definition) => self.definitions.insert(flag.clone(), definition),
            None => self.definitions.remove(&flag),
        };
        flag
    }

    /// Replaces the locks, and says of which flags they are others now.
    fn set_locks(&mut self, locks: Vec<HostLock>) -> Vec<FlagKey> {
        let by_flag = |locks: &[HostLock]| -> BTreeMap<FlagKey, HostLock> {
            locks.iter().map(|lock| (lock.flag.clone(), lock.clone())).collect()
        };
        let (before, after) = (by_flag(&self.locks), by_flag(&locks));
        let flags: BTreeSet<FlagKey> = before.keys().chain(after.keys()).cloned().collect();
        let changed: Vec<FlagKey> = flags.into_iter().filter(|flag| before.get(flag) != after.get(flag)).collect();
        for flag in &changed {
            self.laid.set_lock(flag, after.get(flag).cloned());
        }
        self.locks = locks;
        changed
    }

    /// The clocks of all sources: each lease counts from the last successful poll of its own.
    fn combine_clocks(&mut self) {
        let mut clocks = self.slots.iter().map(|slot| slot.part.clocks.clone());
        let first = clocks.next().unwrap_or(const { Clocks::synced() });
        self.clocks = Clocks { additional: clocks.collect(), ..first };
    }
}

#[cfg(test)]
mod tests;
