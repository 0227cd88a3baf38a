//! Whose documents are taken: signatures over the exact bytes, and the header that they protect.
//!
//! Where keys are trusted, a document is read only after one of them has signed its bytes, and taken only if
//! it is for this environment, is not over, and is not older than one that was taken before. Where no key is
//! trusted, everything is as if there were no signatures. All of it is pure: what was seen and what time it
//! is are arguments.

mod error;
mod key;
mod seen;

use minisign_verify::{Error, Signature};
use tidegate_engine::Micros;
use tidegate_engine::document::Header;

pub use error::SignatureError;
use key::TrustedKey;
pub use key::{KeyId, TrustedKeyError};
pub(crate) use seen::SeenFile;

/// Whose documents are taken, and for which environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    keys: Vec<TrustedKey>,
    environment: Option<String>,
}

/// The newest version that was taken, and which bytes it had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) version: u64,
    /// [`crate::ingest::source::body_digest`] of the document.
    pub(crate) digest: u128,
}

impl Trust {
    pub(crate) fn add_key(&mut self, text: &str) -> Result<(), TrustedKeyError> {
        let key = TrustedKey::parse(text)?;
        if !self.keys.contains(&key) {
            if self.keys.len() == KEYS_MAX {
                return Err(TrustedKeyError::TooMany);
            }
            self.keys.push(key);
        }
        Ok(())
    }

    pub(crate) fn set_environment(&mut self, name: String) {
        self.environment = Some(name);
    }

    pub(crate) fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Whether a document needs a signature.
    pub(crate) fn wants_signature(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Which key has signed exactly these bytes; none where no key is trusted.
    pub(crate) fn verify(&self, body: &[u8], signature: Option<&[u8]>) -> Result<Option<KeyId>, SignatureError> {
        if !self.wants_signature() {
            return Ok(None);
        }
        let text = signature.ok_or(SignatureError::Missing)?;
        let text = std::str::from_utf8(text).map_err(|_| SignatureError::Unreadable)?;
        let text = text.strip_prefix(key::BYTE_ORDER_MARK).unwrap_or(text);
        let signature = Signature::decode(text).map_err(|_| SignatureError::Unreadable)?;
        let id = KeyId::from_second_line(text).ok_or(SignatureError::Unreadable)?;
        let mut outcome = Err(SignatureError::UnknownKey { key: id });
        // Two keys may have the same number: it is no secret, and chosen by the maker of the key.
        for key in self.keys.iter().filter(|key| key.id() == id) {
            outcome = match key.as_key().verify(body, &signature, false) {
                Ok(()) => return Ok(Some(id)),
                Err(Error::UnexpectedAlgorithm) => Err(SignatureError::Legacy),
                Err(_) => Err(SignatureError::Wrong { key: id }),
            };
        }
        outcome
    }

    /// Whether a document with this header may be taken, after `seen` and at `now`.
    ///
    /// The environment counts wherever one is set; the rest of the header only under a signature, because
    /// without one anybody may write it.
    pub(crate) fn check_version(
        &self,
        header: Option<&Header>,
        digest: u128,
        seen: Option<Seen>,
        now: Micros,
    ) -> Result<(), SignatureError> {
        self.check_kept_version(header, digest, seen)?;
        match header.and_then(|header| header.expires) {
            Some(at) if self.wants_signature() && now >= at => Err(SignatureError::Expired { at }),
            _ => Ok(()),
        }
    }

    /// The same for a document that was taken before and kept: that it is over by now is no reason to answer
    /// nothing.
    pub(crate) fn check_kept_version(
        &self,
        header: Option<&Header>,
        digest: u128,
        seen: Option<Seen>,
    ) -> Result<(), SignatureError> {
        if let Some(expected) = &self.environment {
            let found = header.and_then(|header| header.environment.as_deref());
            if found != Some(expected.as_str()) {
                let (expected, found) = (expected.clone(), found.map(str::to_owned));
                return Err(SignatureError::Environment { expected, found });
            }
        }
        if !self.wants_signature() {
            return Ok(());
        }
        let version = header.and_then(|header| header.version).ok_or(SignatureError::NoVersion)?;
        match seen {
            Some(seen) if version < seen.version => Err(SignatureError::Older { version, seen: seen.version }),
            Some(seen) if version == seen.version && digest != seen.digest => {
                Err(SignatureError::OtherBytes { version })
            }
            _ => Ok(()),
        }
    }
}

/// Keys that may be trusted at once: two for a rotation, and room for a few teams. Each is tried in turn.
pub(crate) const KEYS_MAX: usize = 16;

#[cfg(test)]
mod tests;
