//! For those who write a source: what every source has to do, as tests.

pub mod conformance;
