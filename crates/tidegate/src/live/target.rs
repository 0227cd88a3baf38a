//! Which flags a change may be about, and what it did.

use serde::Serialize;
use tidegate_engine::Share;

/// Which flags an activation may be set for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Target {
    /// Any flag. One that this node does not know becomes a bare boolean flag.
    #[default]
    Create,
    /// A flag that this node knows.
    Existing,
    /// Any flag. Of one that this node does not know, other nodes have the definition.
    Elsewhere,
}

/// What a change did on the node that made it: the share of keys with `new`, before and after.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Effect {
    /// Immediately before the change; none where the flag was unknown here, so that each caller had its own default.
    pub from: Option<Share>,
    /// When the receipt was written: it shows, too, whether another change has been active since. None where each caller has
    /// its own default: the flag has no definition here (any more), or is disabled.
    pub to: Option<Share>,
}
