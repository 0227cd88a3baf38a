//! All cells that have handles, so that the background thread can rewrite them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tidegate_engine::{FlagKey, Micros};

use crate::read::cell::FlagCell;
use crate::read::publish::{Board, Published};

/// One cell for each flag that has a handle.
#[derive(Debug, Default)]
pub(crate) struct CellTable(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_flag: HashMap<FlagKey, Weak<FlagCell>>,
    /// The size at which cells without a handle are looked for and removed.
    prune_at: usize,
}

impl CellTable {
    /// The cell of a flag, up to date: the one that other handles share, or a new one.
    pub(crate) fn get_or_create(&self, flag: FlagKey, board: &Board) -> Arc<FlagCell> {
        let mut entries = self.lock();
        if let Some(cell) = entries.by_flag.get(&flag).and_then(Weak::upgrade) {
            return cell;
        }
        let cell = Arc::new(FlagCell::new(flag));
        // Written under the lock: a thread that publishes after the board was read here finds the cell in the table.
        cell.write(&board.load(), board.clock());
        entries.insert(&cell);
        cell
    }

    /// Rewrites every cell, after something was published.
    pub(crate) fn rewrite(&self, published: &Published, board: &Board) {
        for cell in self.lock().by_flag.values().filter_map(Weak::upgrade) {
            cell.write(published, board.clock());
        }
    }

    /// Rewrites the cells of these flags, after a change that no other flag has a part in.
    pub(crate) fn rewrite_of(&self, flags: &[FlagKey], published: &Published, board: &Board) {
        let entries = self.lock();
        for cell in flags.iter().filter_map(|flag| entries.by_flag.get(flag)?.upgrade()) {
            cell.write(published, board.clock());
        }
    }

    /// Rewrites the cells that do not hold any more because time has passed, or was set back. The next
    /// instant at which one of them will not hold.
    pub(crate) fn rewrite_due(&self, published: &Published, board: &Board) -> Option<Micros> {
        let now = board.clock().coarse();
        let entries = self.lock();
        let cells = entries.by_flag.values().filter_map(Weak::upgrade);
        cells
            .filter_map(|cell| {
                if !cell.holds_at(now) {
                    cell.write(published, board.clock());
                }
                cell.until()
            })
            .min()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn insert(&mut self, cell: &Arc<FlagCell>) {
        if self.by_flag.len() >= self.prune_at {
            self.by_flag.retain(|_, cell| cell.strong_count() > 0);
            self.prune_at = self.by_flag.len().saturating_mul(2).max(PRUNE_MIN);
        }
        self.by_flag.insert(cell.flag().clone(), Arc::downgrade(cell));
    }
}

/// Smaller tables are not pruned.
const PRUNE_MIN: usize = 64;
