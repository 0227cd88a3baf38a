//! From a source to a compiled document: asking, verifying, caching, and the background thread that does it.

pub(crate) mod cache;
pub(crate) mod compile;
pub(crate) mod schedule;
pub(crate) mod signature;
pub(crate) mod source;
pub(crate) mod worker;
