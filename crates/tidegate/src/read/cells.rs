//! The cells that have been handed out, so that the background thread can rewrite them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tidegate_engine::{FlagKey, Micros};

use crate::read::cell::FlagCell;
use crate::read::publish::{Board, Published};

/// One cell per flag that somebody has a handle of.
#[derive(Debug, Default)]
pub(crate) struct Cells(Mutex<Registry>);

#[derive(Debug, Default)]
struct Registry {
    by_flag: HashMap<FlagKey, Weak<FlagCell>>,
    /// Size at which cells that nobody has any more are looked for.
    prune_at: usize,
}

impl Cells {
    /// The cell of a flag: the one that others have, or a new one. It is up to date.
    pub(crate) fn of(&self, flag: FlagKey, board: &Board) -> Arc<FlagCell> {
        let mut registry = self.lock();
        if let Some(cell) = registry.by_flag.get(&flag).and_then(Weak::upgrade) {
            return cell;
        }
        let cell = Arc::new(FlagCell::new(flag));
        // Written under the lock: whoever publishes after this look at the board will find the cell.
        cell.write(&board.load(), board.clock());
        registry.insert(&cell);
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
        let registry = self.lock();
        for cell in flags.iter().filter_map(|flag| registry.by_flag.get(flag)?.upgrade()) {
            cell.write(published, board.clock());
        }
    }

    /// Rewrites the cells that do not hold any more because time has passed, or was set back. The next
    /// instant at which one of them will not hold.
    pub(crate) fn rewrite_due(&self, published: &Published, board: &Board) -> Option<Micros> {
        let now = board.clock().coarse();
        let registry = self.lock();
        let cells = registry.by_flag.values().filter_map(Weak::upgrade);
        cells
            .filter_map(|cell| {
                if !cell.holds_at(now) {
                    cell.write(published, board.clock());
                }
                cell.until()
            })
            .min()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn insert(&mut self, cell: &Arc<FlagCell>) {
        if self.by_flag.len() >= self.prune_at {
            self.by_flag.retain(|_, cell| cell.strong_count() > 0);
            self.prune_at = self.by_flag.len().saturating_mul(2).max(PRUNE_MIN);
        }
        self.by_flag.insert(cell.flag().clone(), Arc::downgrade(cell));
    }
}

/// Below this size nobody looks.
const PRUNE_MIN: usize = 64;
