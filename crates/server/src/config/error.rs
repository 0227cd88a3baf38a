//! What is wrong with a configuration.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Key, Origin};

/// The configuration is not one; its writer's fault. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{}` cannot be read: {error}; name a file that this user may read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}:{column}: {message}; the file is TOML, such as `listen = \"127.0.0.1:8080\"`", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The file has an unknown key.
    #[error("{}:{line}: there is no key `{}`; {help}", path.display(), key.escape_debug())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The keys that there are.
        help: String,
    },
    /// A value is not what its key wants.
    #[error("`{key}` is `{}` by {origin}: {problem}; {help}", value.escape_debug())]
    Value {
        /// The key.
        key: Key,
        /// The value as it was said.
        value: String,
        /// Where.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        help: String,
    },
    /// HTTP would be served to other hosts.
    #[error(
        "`listen` is `{address}` by {origin}, which other hosts can reach, and there is no authentication yet: every client that reaches \
         it can change every flag; listen on 127.0.0.1 behind a gateway that asks who it is, or say \
         `listen_unprotected = true` (--listen-unprotected) if all clients there may"
    )]
    Unprotected {
        /// The address.
        address: SocketAddr,
        /// Where it was said.
        origin: Origin,
    },
}

impl ConfigError {
    pub(super) fn value(key: Key, value: &str, origin: Origin, problem: &str, help: &str) -> Self {
        let (value, problem, help) = (value.to_owned(), problem.to_owned(), help.to_owned());
        Self::Value { key, value, origin, problem, help }
    }
}
