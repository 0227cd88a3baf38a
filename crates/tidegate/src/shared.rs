//! What the background thread and its readers share besides the board.

use crate::cells::Cells;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) cells: Cells,
}
