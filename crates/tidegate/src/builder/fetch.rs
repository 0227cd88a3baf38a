//! The text of a source, for tools that look at a document rather than use it.

use std::{io, thread};

use tokio::runtime;

use super::Builder;
use crate::files::paths;
use crate::ingest::cache::{Cache, CacheError};
use crate::ingest::source::{Fetcher, body_digest};
use crate::ingest::worker::CachePlace;
use crate::{FetchError, Fetched, KeyId, SignatureError, Source, SourceError};

impl Builder {
    /// The text of the source as it is now, fetched once with the headers and times named here. Nothing is
    /// checked, cached or started: this is for tools that say what is wrong with a document. Of a source that
    /// is to be left alone ([`Builder::offline`]) it is the text in the cache.
    ///
    /// It blocks for as long as one fetch may take, whatever else is configured about waiting.
    ///
    /// ```
    /// use tidegate::Tidegate;
    ///
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), "{")?;
    /// # let path = file.path();
    /// assert_eq!(Tidegate::builder().file(path).fetch_text()?, b"{");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text could not be fetched; see [`TextError`].
    pub fn fetch_text(self) -> Result<Vec<u8>, TextError> {
        self.fetch_signed_text().map(|(body, _)| body)
    }

    /// The same with its signature, if it has one and a key is trusted. It is not verified; see
    /// [`Builder::verify`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let (body, signature) = Tidegate::builder().text("{}").fetch_signed_text()?;
    /// assert_eq!((body.as_slice(), signature), (&b"{}"[..], None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text could not be fetched; see [`TextError`].
    pub fn fetch_signed_text(self) -> Result<(Vec<u8>, Option<String>), TextError> {
        let source = self.source.clone().ok_or(TextError::NoSource)?;
        if let Some(text) = source.as_text() {
            return Ok((text.body.to_vec(), text.signature.as_deref().map(str::to_owned)));
        }
        if self.is_offline && source.is_remote() {
            return self.cached_text(&source);
        }
        let mut fetcher = Fetcher::new(source, self.fetch_options())?;
        // A thread of its own, because this one may belong to a runtime, where another must not be entered.
        let fetching = thread::Builder::new().name("tidegate-fetch".to_owned()).spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(TextError::Thread)?;
            let answer = runtime.block_on(fetcher.fetch(None));
            // Name look-ups may hang in the system; they are never waited for.
            runtime.shutdown_background();
            match answer?.fetched {
                Fetched::Changed { body, .. } => Ok((body, None)),
                Fetched::Signed { body, signature, .. } => Ok((body, Some(signature))),
                Fetched::Unchanged => Err(TextError::Fetch(FetchError::NotModifiedUnasked)),
            }
        });
        let fetching = fetching.map_err(TextError::Thread)?;
        fetching.join().unwrap_or_else(|_| Err(TextError::Thread(io::Error::other("the fetching thread panicked"))))
    }

    /// Whether a new instance would take a document with this signature now, as far as keys, environment and
    /// times go; and which key has signed it, where one is trusted. What is wrong with the document itself, and
    /// which versions were seen, is not looked at.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// assert_eq!(Tidegate::builder().text("{}").verify(b"{}", None)?, None, "no key is trusted");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It would be refused.
    pub fn verify(&self, body: &[u8], signature: Option<&str>) -> Result<Option<KeyId>, SignatureError> {
        let key = self.trust.verify(body, signature.map(str::as_bytes))?;
        if let Ok((document, _)) = tidegate_engine::read(body) {
            self.trust.check_version(document.header.as_ref(), body_digest(body), None, self.clock.now())?;
        }
        Ok(key)
    }

    fn cached_text(&self, source: &Source) -> Result<(Vec<u8>, Option<String>), TextError> {
        let CachePlace::Under(name, folder) = self.cache_place(source, self.cache_name.clone()) else {
            return Err(TextError::NotCached);
        };
        let folder = folder.or_else(paths::cache_dir).ok_or(TextError::NotCached)?;
        let record = Cache::open(&folder, &name)?.load()?.ok_or(TextError::NotCached)?;
        Ok((record.body, record.signature))
    }
}

/// The text of a source could not be fetched. Nothing was changed anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// No source was named. The program's fault; name one.
    #[error("no source was named; call `http`, `file`, `callback` or `text` first")]
    NoSource,
    /// The source cannot be used, whatever its origin does. The program's fault, or its configuration's.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source did not give it. Retry.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The source is left alone by request, and the cache has nothing of it.
    #[error("nothing is cached, and the source is not asked")]
    NotCached,
    /// The source is left alone by request, and the cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A thread could not be started. The system is short of something; retrying may help.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] io::Error),
}
