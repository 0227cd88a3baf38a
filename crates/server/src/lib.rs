//! The HTTP face of Tidegate: flags, live changes and decisions under `/api/v1`, for any language.
//!
//! It holds no logic of its own about flags: it reads requests, asks the library, and writes answers. What a mistake is
//! answered with, its HTTP status first, stands in one file, `api/problem.rs`.
#![warn(missing_docs)]

mod api;
pub mod config;
pub mod limits;
mod options;
mod serve;
mod stop;

pub use config::{Arguments, Config, ConfigError};
pub use options::Options;
pub use serve::{Listeners, Server, serve};
