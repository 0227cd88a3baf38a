//! Which documents are accepted where signatures are wanted: what is remembered for it, and what the status says.

use tidegate_engine::Micros;
use tidegate_engine::document::Header;

use crate::ingest::signature::{KeyId, Seen, SeenFile, SignatureError, Trust};
use crate::status::{CLOCKS_APART, RollbackAlarm, SignatureStatus};

/// Decides which documents may be activated, and remembers what it needs for that.
#[derive(Debug)]
pub(super) struct Admission {
    trust: Trust,
    /// The newest version that was active, here or in an earlier process.
    seen: Option<Seen>,
    /// Where it is kept; none: with this process.
    file: Option<SeenFile>,
    /// Whether the file is behind.
    is_behind: bool,
    status: SignatureStatus,
    /// Whether it was said that the active document is over.
    is_expiry_logged: bool,
}

impl Admission {
    /// Reads what an earlier process has remembered.
    pub(super) fn new(trust: Trust, file: Option<SeenFile>) -> Self {
        let file = file.filter(|_| trust.wants_signature());
        let path = file.as_ref().map(|file| file.path().display().to_string());
        let mut admission = Self {
            trust,
            seen: None,
            file,
            is_behind: false,
            status: SignatureStatus { file: path, ..SignatureStatus::default() },
            is_expiry_logged: false,
        };
        match admission.file.as_ref().map(SeenFile::load).transpose() {
            Ok(seen) => admission.seen = seen.flatten(),
            Err(error) => admission.report_problem(&error.to_string()),
        }
        admission.status.version_seen = admission.seen.map(|seen| seen.version);
        admission
    }

    /// Which key has signed these bytes; none where no key is trusted.
    pub(super) fn verify(&self, body: &[u8], signature: Option<&str>) -> Result<Option<KeyId>, SignatureError> {
        self.trust.verify(body, signature.map(str::as_bytes))
    }

    /// Whether a document that has come may be activated.
    pub(super) fn check_version(
        &self,
        header: Option<&Header>,
        digest: u128,
        now: Micros,
    ) -> Result<(), SignatureError> {
        self.trust.check_version(header, digest, self.seen, now)
    }

    /// Whether a document that was kept may be.
    pub(super) fn check_kept_version(&self, header: Option<&Header>, digest: u128) -> Result<(), SignatureError> {
        self.trust.check_kept_version(header, digest, self.seen)
    }

    /// A document is active that was verified and judged.
    pub(super) fn admit(&mut self, header: Option<&Header>, key: Option<KeyId>, digest: u128, now: Micros) {
        self.signed_by(key);
        let header = header.cloned().unwrap_or_default();
        self.status.environment = header.environment.map(Into::into);
        (self.status.version, self.status.issued, self.status.expires) =
            (header.version, header.issued, header.expires);
        self.is_expiry_logged = false;
        if let Some(version) = header.version.filter(|_| self.trust.wants_signature()) {
            self.is_behind |= self.seen.is_none_or(|seen| seen.version < version);
            self.seen = Some(Seen { version, digest });
            self.status.version_seen = Some(version);
        }
        if let Some(issued) = self.status.issued.filter(|issued| *issued > now.saturating_add(CLOCKS_APART)) {
            tracing::warn!("the document was issued at {issued}, which is yet to come; check this host's clock");
        }
    }

    /// The active document is signed by this key, perhaps another one than before.
    pub(super) fn signed_by(&mut self, key: Option<KeyId>) {
        self.status.key = key.map(|key| key.to_string());
    }

    /// Keeps the newest version on the disk, if it is not there yet. Called when the cache has the document, so
    /// that after a crash in between there is no cached document older than what is remembered.
    pub(super) fn remember(&mut self) {
        let (Some(file), Some(seen), true) = (&self.file, self.seen, self.is_behind) else { return };
        match file.store(seen) {
            Ok(()) => (self.is_behind, self.status.error) = (false, None),
            Err(error) => {
                let message = error.to_string();
                self.report_problem(&message);
            }
        }
    }

    /// A document was refused. Whether that is an alarm.
    pub(super) fn note_refusal(&mut self, error: &SignatureError, now: Micros) -> bool {
        let (SignatureError::Older { version, .. } | SignatureError::OtherBytes { version }) = error else {
            return false;
        };
        let earlier = self.status.rollback.as_ref();
        let (since, count) = earlier.map_or((now, 0), |alarm| (alarm.since, alarm.count));
        let seen = self.seen.map_or(*version, |seen| seen.version);
        self.status.rollback = Some(RollbackAlarm { version: *version, seen, since, at: now, count: count + 1 });
        true
    }

    /// Says once when the active document is over.
    pub(super) fn tick(&mut self, now: Micros) {
        let Some(expires) = self.status.expires.filter(|expires| now >= *expires && self.trust.wants_signature())
        else {
            return;
        };
        if !std::mem::replace(&mut self.is_expiry_logged, true) {
            tracing::warn!("the active document expired at {expires} and stays active; sign and publish a newer one");
        }
    }

    /// For the status; none where no signature is wanted.
    pub(super) fn status(&self) -> Option<SignatureStatus> {
        self.trust.wants_signature().then(|| self.status.clone())
    }

    fn report_problem(&mut self, message: &str) {
        if self.status.error.as_deref() != Some(message) {
            tracing::warn!("{message}; within this process it is known");
        }
        self.status.error = Some(message.to_owned());
    }
}
