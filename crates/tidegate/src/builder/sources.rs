//! Where the documents of an instance come from.

use std::path::PathBuf;

use super::Builder;
use crate::ingest::source::{BoxError, Fetched, Source, SourceError, Tag};

impl Builder {
    /// The document is at this URL, `http` or `https`. User name and password in it are sent to that origin
    /// only, and never shown.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().http("https://example.com/flags.json")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text is no URL, or one of another scheme.
    pub fn http(self, url: &str) -> Result<Self, SourceError> {
        Ok(self.source(Source::http(url)?))
    }

    /// The document is in this node of ZooKeeper, `zk://host:2181,host2:2181/path`, which is watched: a change is active at once.
    /// User and password for the scheme `digest` stand before the servers, `zk://user:password@…`, or are given by
    /// [`Builder::zookeeper_digest`]; they are never shown.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().zookeeper("zk://zk1:2181,zk2:2181/flags/checkout")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The text is no such URL.
    #[cfg(feature = "zookeeper")]
    pub fn zookeeper(self, url: &str) -> Result<Self, SourceError> {
        Ok(self.source(Source::zookeeper(url)?))
    }

    /// `user:password` for ZooKeeper's scheme `digest`, for nodes whose URL has none: of a file, say, that only this program may
    /// read. Default: none.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().zookeeper_digest("reader:secret")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It has no colon.
    #[cfg(feature = "zookeeper")]
    pub fn zookeeper_digest(mut self, credentials: impl Into<String>) -> Result<Self, SourceError> {
        let credentials = credentials.into();
        if !credentials.contains(':') {
            return Err(SourceError::ZooKeeperCredentials);
        }
        self.fetch.zookeeper_digest = Some(credentials);
        Ok(self)
    }

    /// The document is this file, looked at each second. Publish by renaming a complete file over it.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().file("/etc/tidegate/flags.json");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.source(Source::file(path))
    }

    /// The document comes from this function, which is given the tag of the document at hand.
    ///
    /// It runs on a thread of its own and may block for as long as [`Builder::timeout`]; a later answer is
    /// thrown away, and it is not called again before it has come back. A panic in it is caught.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().callback(|_tag| Ok(tidegate::Fetched::Unchanged));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn callback<F>(self, callback: F) -> Self
    where
        F: Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync + 'static,
    {
        self.source(Source::callback(callback))
    }

    /// The document is this text, for tests and for defaults that are part of a program.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().text(r#"{"flags": {"x": {"stable": 1}}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(self, text: impl Into<Vec<u8>>) -> Self {
        self.source(Source::text(text))
    }

    /// The document comes from this source. The last one named counts.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().source(tidegate::Source::text("{}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// An additional document comes from this source, beside those named before; it is asked on a schedule of its own, and
    /// has a cache and a [`Status`](crate::Status) of its own. All other settings count for all sources.
    ///
    /// Of a flag that several documents define, the first counts, in the order in which their sources are named here,
    /// whichever was loaded first. The entries of the others have no effect, which [`Status::shadowed`](crate::Status::shadowed)
    /// of their source tells.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// let builder = Tidegate::builder().text("{}").additional_source(tidegate::Source::file("/etc/tidegate/more.json"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn additional_source(mut self, source: Source) -> Self {
        if self.source.is_none() {
            return self.source(source);
        }
        self.additional_sources.push(source);
        self
    }
}
