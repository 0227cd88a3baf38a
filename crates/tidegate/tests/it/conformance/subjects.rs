//! The sources of the library, as the conformance suite controls them.

use std::sync::{Arc, Condvar, Mutex};

use tempfile::TempDir;
use tidegate::source::conformance::Subject;
use tidegate::{BoxError, Builder, Fetched, Tag};
use tidegate_origin::{Authority, Origin, Reply};

/// A file in a folder of its own.
pub(super) struct File {
    folder: TempDir,
    text: Vec<u8>,
    is_missing: bool,
}

impl File {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), text: Vec::new(), is_missing: false }
    }

    fn write(&self) {
        if !self.is_missing {
            let next = self.folder.path().join("next");
            std::fs::write(&next, &self.text).unwrap();
            std::fs::rename(next, self.folder.path().join("flags.json")).unwrap();
        }
    }
}

impl Subject for File {
    fn name(&self) -> String {
        "file".to_owned()
    }

    fn configure(&self, builder: Builder) -> Builder {
        builder.file(self.folder.path().join("flags.json"))
    }

    fn publish(&mut self, text: &[u8]) {
        self.text = text.to_vec();
        self.write();
    }

    fn make_unreachable(&mut self) {
        self.is_missing = true;
        std::fs::remove_file(self.folder.path().join("flags.json")).unwrap();
    }

    fn make_slow(&mut self) {
        unreachable!("a test cannot make a disk hang");
    }

    fn make_reachable(&mut self) {
        self.is_missing = false;
        self.write();
    }

    fn can_be_slow(&self) -> bool {
        false
    }
}

/// An origin with a password, a token in the query, and a header.
pub(super) struct Http {
    name: &'static str,
    origin: Origin,
    authority: Authority,
    reply: Reply,
    revision: u32,
}

impl Http {
    pub(super) fn plain() -> Self {
        Self::new("HTTP", Authority::new(), |_| Origin::start())
    }

    pub(super) fn secure() -> Self {
        Self::new("HTTPS", Authority::new(), |authority| Origin::start_tls(authority, &["127.0.0.1"]))
    }

    fn new(name: &'static str, authority: Authority, start: impl FnOnce(&Authority) -> Origin) -> Self {
        let origin = start(&authority);
        Self { name, origin, authority, reply: Reply::status(404), revision: 0 }
    }
}

impl Subject for Http {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn configure(&self, builder: Builder) -> Builder {
        let url = self.origin.url("/flags.json?token=tok-8d2f").replace("://", "://reader:word-51c7@");
        builder.http(&url).unwrap().header("X-Token", "head-9b3e").root_certificates(self.authority.pem())
    }

    fn publish(&mut self, text: &[u8]) {
        self.revision += 1;
        self.reply = Reply::document(text).tag(format!("\"revision {}\"", self.revision));
        self.origin.always(self.reply.clone());
    }

    fn make_unreachable(&mut self) {
        self.origin.go_down();
    }

    fn make_slow(&mut self) {
        self.origin.always(Reply::hang());
    }

    fn make_reachable(&mut self) {
        self.origin.always(self.reply.clone());
        self.origin.come_up();
    }

    fn secrets(&self) -> Vec<String> {
        ["reader:", "word-51c7", "tok-8d2f", "head-9b3e"].map(str::to_owned).to_vec()
    }
}

/// What a callback reads.
#[derive(Default)]
struct Row {
    text: Vec<u8>,
    revision: u64,
    is_away: bool,
    is_slow: bool,
}

/// A callback that reads one row of a table in memory.
#[derive(Default)]
pub(super) struct Callback(Arc<(Mutex<Row>, Condvar)>);

impl Callback {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn change(&self, change: impl FnOnce(&mut Row)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }
}

fn fetch(shared: &(Mutex<Row>, Condvar), have: Option<&Tag>) -> Result<Fetched, BoxError> {
    let row = shared.1.wait_while(shared.0.lock().unwrap(), |row| row.is_slow).unwrap();
    if row.is_away {
        return Err("the database is unreachable".into());
    }
    let tag = Tag::new(format!("revision {}", row.revision))?;
    if have == Some(&tag) {
        return Ok(Fetched::Unchanged);
    }
    Ok(Fetched::Changed { body: row.text.clone(), tag: Some(tag) })
}

impl Subject for Callback {
    fn name(&self) -> String {
        "callback".to_owned()
    }

    fn configure(&self, builder: Builder) -> Builder {
        let shared = Arc::clone(&self.0);
        builder.callback(move |have| fetch(&shared, have))
    }

    fn publish(&mut self, text: &[u8]) {
        self.change(|row| (row.text, row.revision) = (text.to_vec(), row.revision + 1));
    }

    fn make_unreachable(&mut self) {
        self.change(|row| row.is_away = true);
    }

    fn make_slow(&mut self) {
        self.change(|row| row.is_slow = true);
    }

    fn make_reachable(&mut self) {
        self.change(|row| (row.is_away, row.is_slow) = (false, false));
    }
}
