//! The commands, one file each.

mod change;

pub(crate) mod activate;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod clear;
pub(crate) mod cluster;
pub(crate) mod completions;
pub(crate) mod deactivate;
pub(crate) mod define;
pub(crate) mod explain;
pub(crate) mod flags;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod hold;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod locks;
pub(crate) mod man;
pub(crate) mod on;
pub(crate) mod percentage;
pub(crate) mod plan;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod unlock;
pub(crate) mod watch;
pub(crate) mod when;
