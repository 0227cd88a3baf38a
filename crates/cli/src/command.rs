//! The commands, one file each: they ask the library, and write what it says.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod locks;
pub(crate) mod man;
pub(crate) mod on;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod simulate;
pub(crate) mod unlock;
pub(crate) mod watch;
pub(crate) mod when;
