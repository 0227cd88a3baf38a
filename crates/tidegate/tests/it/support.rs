//! A host of its own for each test, and a reader that never stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate::{Builder, Tidegate};
use tidegate_origin::{Origin, Reply};

/// Folders for the cache and the locks of one host.
pub(crate) struct Host {
    folder: TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.path("state/locks.json")
    }

    /// A builder that polls often and keeps everything here.
    pub(crate) fn builder(&self) -> Builder {
        Tidegate::builder()
            .cache_dir(self.cache())
            .locks_file(self.locks())
            .state_dir(self.path("state"))
            .poll_interval(Duration::from_millis(100))
            .timeout(Duration::from_secs(5))
    }

    pub(crate) fn builder_of(&self, origin: &Origin) -> Builder {
        self.builder().http(&origin.url("/flags.json")).unwrap()
    }
}

/// A document in which the flag `features/version` has this value for everybody, and `features/half` half of
/// all keys.
pub(crate) fn document(version: u32) -> String {
    format!(
        r#"{{"features": {{
            "version": {{"stable": {version}}},
            "on": {{"stable": true}},
            "half": {{"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}}
        }}}}"#
    )
}

/// That document from an origin that tags it.
pub(crate) fn reply(version: u32) -> Reply {
    Reply::document(document(version)).tag(format!("\"v{version}\""))
}

/// The active version; 0: none.
pub(crate) fn version(tide: &Tidegate) -> u32 {
    tide.get("features", "version", "anybody", 0)
}

/// Waits until something holds, which it is certain to do soon.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain for {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(3));
    }
}

/// Reads by name, by handle and by view, all the time, and expects good values.
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// `versions` are those that may be active.
    pub(crate) fn start(tide: &Tidegate, versions: &'static [u32]) -> Self {
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (stop, reads, tide) = (Arc::clone(&stop), Arc::clone(&reads), tide.clone());
            thread::spawn(move || {
                let handle = tide.flag("features", "on");
                let half = tide.flag("features", "half");
                let has_new = tide.is_active_for("features/half", "user-1");
                while !stop.load(Ordering::Relaxed) {
                    let seen = version(&tide);
                    assert!(versions.contains(&seen), "a reader saw version {seen}");
                    assert!(handle.is_active_for("user-1"), "a reader saw the flag off");
                    assert_eq!(half.is_active_for("user-1"), has_new, "by handle");
                    assert_eq!(tide.is_active_for("features/half", "user-1"), has_new, "by name");
                    let view = tide.view();
                    let seen: u32 = view.get("features", "version", "anybody", 0);
                    assert!(versions.contains(&seen), "a view saw version {seen}");
                    reads.fetch_add(1, Ordering::Relaxed);
                    // One processor is left for the others.
                    thread::sleep(Duration::from_micros(200));
                }
            })
        };
        Self { stop, reads, thread: Some(thread) }
    }

    /// Ends it, and passes on what it has to complain of.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        let thread = self.thread.as_ref().unwrap();
        until("a read", || thread.is_finished() || self.reads.load(Ordering::Relaxed) > 0);
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.thread.take().unwrap().join().is_ok(), "the reader saw something else than good values");
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The longest wait for anything that is certain to happen.
const PATIENCE: Duration = Duration::from_secs(30);
