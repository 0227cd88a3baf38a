//! Why a document is refused although it may be a good one.

use tidegate_engine::Micros;

use super::KeyId;

/// A document is not taken because of its signature, or of what its header says. What was active stays.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature. The publisher's fault, or an attacker has removed it.
    #[error("the document is not signed, and only signed ones are taken; publish its `.minisig` beside it")]
    Missing,
    /// What came as a signature is none.
    #[error("the signature is not one of minisign; make it with `minisign -S`")]
    Unreadable,
    /// The signature is of the old kind, which is not taken so that there is one kind only.
    #[error("the signature is in the legacy format of minisign; make it with minisign 0.10 or later, without `-l`")]
    Legacy,
    /// None of the trusted keys has made the signature.
    #[error("the signature was made by key {key}, which is not trusted here; sign with another, or trust this one")]
    UnknownKey {
        /// The key that it claims.
        key: KeyId,
    },
    /// The signature is not of these bytes: they were changed, or the two files do not belong together.
    #[error("the signature by key {key} is not of this document; sign the very bytes that are published")]
    Wrong {
        /// The key that it claims.
        key: KeyId,
    },
    /// The document is for elsewhere.
    #[error(
        "the document is for {}, but this is `{expected}`; publish the right one here",
        found.as_ref().map_or("no environment".to_owned(), |found| format!("`{found}`"))
    )]
    Environment {
        /// The environment of this instance.
        expected: String,
        /// The document's.
        found: Option<String>,
    },
    /// The header has no version, so that an old document could not be told from a new one.
    #[error("the signed document has no version; write `\"$tidegate\": {{\"version\": 1}}`, and one more each time")]
    NoVersion,
    /// The document is older than one that was taken before: a rollback, by mistake or by an attacker.
    #[error(
        "the document has version {version}, but {seen} was seen before; publish the older content as a newer version"
    )]
    Older {
        /// The document's version.
        version: u64,
        /// The newest one that was taken.
        seen: u64,
    },
    /// The same version was taken with another content: two documents were signed as one.
    #[error("version {version} was seen before with another content; give each document a version of its own")]
    OtherBytes {
        /// The version of both.
        version: u64,
    },
    /// The document was over when it came.
    #[error("the document expired at {at}; sign and publish a newer one, or check this host's clock")]
    Expired {
        /// When it expired.
        at: Micros,
    },
}

impl SignatureError {
    /// Whether an old document came in place of a newer one, or two documents claim one version.
    pub fn is_rollback(&self) -> bool {
        matches!(self, Self::Older { .. } | Self::OtherBytes { .. })
    }
}
