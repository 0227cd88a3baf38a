//! Feature ramps for services.

mod atomic_file;
mod cache;
mod paths;
mod schedule;
mod source;

pub use cache::{CacheError, FileError};
pub use source::{
    BoxError, FetchError, Fetched, FileProblem, Phase, RedirectError, Source, SourceError, Tag, TagError, TlsProblem,
};
