//! The bodies of the fuzz targets. The engine's tests include the same files and run them over the corpus.

pub mod document;
pub mod duration;
pub mod evaluation;
pub mod percent;
pub mod time;
