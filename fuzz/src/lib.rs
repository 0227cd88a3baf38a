//! The bodies of the fuzz targets. The tests of the engine and the replica include the same files and run them over the
//! corpus.

pub mod document;
pub mod duration;
pub mod evaluation;
pub mod message;
pub mod percent;
pub mod time;
