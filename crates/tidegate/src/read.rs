//! What programs read: published snapshots, flag handles, views, typed values, and notifications of changes.

pub(crate) mod cell;
pub(crate) mod cell_table;
pub(crate) mod handle;
pub(crate) mod misreads;
pub(crate) mod publish;
pub(crate) mod reader_state;
pub(crate) mod subscription;
pub(crate) mod typed;
pub(crate) mod view;
