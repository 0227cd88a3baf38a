//! What programs read: published snapshots, answers of single flags, views, typed values, and notifications of changes.

pub(crate) mod cell;
pub(crate) mod cell_table;
pub(crate) mod misreads;
pub(crate) mod publish;
pub(crate) mod reader_state;
pub(crate) mod subscription;
pub(crate) mod typed;
pub(crate) mod view;
pub(crate) mod wants;
