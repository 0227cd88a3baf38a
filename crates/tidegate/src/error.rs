//! Why an instance could not be made.

use std::io;

use tidegate_engine::{Diagnostic, FlagKey};

use crate::first_error::first_error;
use crate::{SignatureError, SourceError};

/// An instance could not be made, because of what the program itself configured. That a source is unreachable, slow or
/// wrong is no reason: it is in the [`Status`](crate::Status). Nothing was started or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No source was named. The program's fault; name one.
    #[error("no source was named; call `http`, `file`, `callback` or `text` first")]
    NoSource,
    /// The source cannot be used, whatever its origin does. The program's fault, or its configuration's.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The document that is part of the program is refused. The program's fault; the diagnostics say why.
    #[error("the document given as text is refused: {}", first_error(.0))]
    Text(Vec<Diagnostic>),
    /// The document that is part of the program is not signed as it has to be where keys are trusted. The program's
    /// fault; see [`Source::signed_text`](crate::Source::signed_text).
    #[error("the document given as text is refused: {0}")]
    Signature(#[source] SignatureError),
    /// A flag cannot have that default. The program's fault.
    #[cfg(feature = "cluster")]
    #[error("`{flag}` cannot have this default: {problem}")]
    Default {
        /// The flag.
        flag: FlagKey,
        /// What is wrong.
        problem: String,
    },
    /// Live changes could not be started; the reason says what to do.
    #[cfg(feature = "cluster")]
    #[error(transparent)]
    Live(#[from] crate::LiveError),
    /// A follower cannot be what else was configured. The program's fault.
    #[cfg(feature = "cluster")]
    #[error("a follower cannot be configured so: {problem}")]
    Follow {
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// A flag cannot be pinned by [`Builder::pin`](crate::Builder::pin) to that. The program's fault.
    #[error("`{flag}` cannot be pinned: {problem}")]
    Pin {
        /// The flag.
        flag: FlagKey,
        /// What is wrong.
        problem: String,
    },
    /// The name of the program's own hash is empty, too long, or that of an algorithm which documents name. The program's fault.
    #[error("`{}` cannot name a hash; call `hasher` with 1 to 64 bytes other than `sha1`, `xxh3` and `murmur3`", .name.escape_debug())]
    HasherName {
        /// As it was given.
        name: String,
    },
    /// The cache name is empty. The program's fault: leave it out, or name the application.
    #[error("the cache name is empty; leave it out, or name the application")]
    CacheName,
    /// The background thread could not be started. The system is short of something; retrying may help.
    #[error("the background thread could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// The threads of an instance have not ended within the time that [`Tidegate::shutdown`](crate::Tidegate::shutdown) was given,
/// because a disk or a callback is slow. They were told to and end by themselves; reads go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the background threads have not ended in time; they end by themselves, or call `shutdown` again with more time"
)]
pub struct ShutdownError;
