//! A service: connects once, reads flags in every request, and acts on changes.
//!
//!     cargo run -p tidegate --example service
//!
//! The document is a file here, so that the example runs by itself; a service would say `.http("https://…")?`.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tidegate::{FlagHandle, Tidegate};

/// What the service keeps for its whole life.
#[derive(Clone)]
struct Service {
    tide: Tidegate,
    /// Asked in every request, so it is looked up in advance.
    fast_search: FlagHandle,
}

impl Service {
    fn new(document: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        // `without_locks`: what this host pins is left out of an example; a service should want it.
        let tide = Tidegate::builder().file(document).without_locks().connect()?;
        let fast_search = tide.flag("search", "fast");
        Ok(Self { tide, fast_search })
    }

    /// One request. Its reads belong together: the view pins one document and one instant.
    fn answer(&self, user: &str) -> String {
        let view = self.tide.view();
        let flags = view.for_key(user);
        let results: u32 = flags.get("search", "results", 10);
        let engine = if view.flag(&self.fast_search).is_active_for(user) { "fast" } else { "proven" };
        format!("{results} results from the {engine} search")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let document = folder.path().join("flags.json");
    fs::write(&document, BEFORE)?;
    let service = Service::new(&document)?;

    // A subscription tells of changes; reads need none.
    let mut changes = service.tide.subscribe();
    let watching = {
        let tide = service.tide.clone();
        thread::spawn(move || match changes.recv_timeout(Duration::from_secs(10)) {
            Ok(changes) if !changes.flags.contains("search/fast") => say("changed: other flags"),
            Ok(_) => say(&format!("changed: {} flags, digest {}", tide.status().flags, tide.status().digest)),
            Err(error) => say(&format!("no change: {error}")),
        })
    };

    say(&count(&service));
    // Publishing is renaming a complete file over the old one.
    let new = folder.path().join("flags.json.new");
    fs::write(&new, AFTER)?;
    fs::rename(&new, &document)?;
    watching.join().map_err(|_| "the watching thread panicked")?;
    say(&count(&service));

    assert!(service.tide.is_ready(), "what a readiness probe answers");
    let status = service.tide.status();
    say(&format!("health: {}, {} polls, source {}", status.health.as_str(), status.polls, status.source));
    // Reads go on afterwards; the process can let its last requests end.
    service.tide.shutdown(Duration::from_secs(5))?;
    Ok(())
}

/// Serves requests of a thousand users, and counts what they got.
fn count(service: &Service) -> String {
    let before = Instant::now();
    let users = 1_000;
    let fast = (0..users).filter(|user| service.answer(&format!("user-{user}")).contains("fast")).count();
    format!("{fast} of {users} users have the fast search ({:?}); {}", before.elapsed(), service.answer("user-7"))
}

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn say(line: &str) {
    println!("{line}");
}

const BEFORE: &str = r#"{"search": {
    "fast": {"stable": false, "new": true, "salt": "search", "start_time": "2020-01-01 00:00Z", "duration": "0s", "end_pct": 10},
    "results": {"stable": 10}
}}"#;

/// The share is raised: each key that had the fast search keeps it.
const AFTER: &str = r#"{"search": {
    "fast": {"stable": false, "new": true, "salt": "search", "start_time": "2020-01-01 00:00Z", "duration": "0s", "end_pct": 50},
    "results": {"stable": 20}
}}"#;
