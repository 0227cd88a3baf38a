//! Why live changes could not be started.

use std::io;
use std::time::Duration;

use super::network::NetworkError;
use super::{MAX_DRIFT_RANGE, NAME_BYTES_MAX};
use crate::store::{OpenError, StoreError};

/// Live changes could not be started. Nothing was changed, but that a data folder may have been made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The data folder cannot be used; the reason says what to do.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The name of the node or of the cluster is none. The program's fault, or its configuration's.
    #[error("`{}` is no name for a node or a cluster; use 1 to {NAME_BYTES_MAX} bytes without control characters", .name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// The drift that clocks may have is out of range. The program's fault, or its configuration's.
    #[error("a drift of {given:?} is out of range; say something from {:?} to {:?}", MAX_DRIFT_RANGE.start(), MAX_DRIFT_RANGE.end())]
    MaxDrift {
        /// What was asked for.
        given: Duration,
    },
    /// The URL of Redis is none. It is not shown: it may hold a password. The program's fault, or its configuration's.
    #[error(
        "the URL of Redis cannot be used: {problem}; write `redis://[user[:password]@]host[:port][/database]`, `rediss://` for TLS, or `redis+sentinel://host[:port]/name`"
    )]
    RedisUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// The certificates for Redis cannot be read. The program's fault, or its configuration's.
    #[error("the certificates for Redis cannot be used: {problem}; give certificates and a key in PEM")]
    RedisCertificates {
        /// What is wrong with them.
        problem: String,
    },
    /// The network between the nodes cannot be used; the reason says what to do.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A thread could not be started. The system is short of something; retrying may help.
    #[error("the thread of live changes could not be started: {0}")]
    Thread(#[source] io::Error),
}

impl From<StoreError> for LiveError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}
