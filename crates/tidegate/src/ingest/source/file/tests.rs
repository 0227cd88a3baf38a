use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A reader at `flags.json` in a folder of its own.
struct Watched {
    folder: tempfile::TempDir,
    reader: FileReader,
    have: Option<Tag>,
}

impl Watched {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reader = FileReader::new(folder.path().join("flags.json"), 1_000, false);
        Self { folder, reader, have: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// What the next look says; its document is then the one at hand.
    fn look(&mut self) -> String {
        match self.reader.poll(self.have.as_ref()) {
            Ok(Fetched::Unchanged) => "unchanged".to_owned(),
            Ok(Fetched::Changed { body, tag }) => {
                assert!(tag.is_some());
                self.have = tag;
                String::from_utf8(body).unwrap()
            }
            Ok(Fetched::Signed { .. }) => panic!("no signature was requested"),
            Err(error) => {
                let text = error.to_string();
                text.strip_prefix(&format!("file `{}` ", self.path("flags.json").display())).unwrap().to_owned()
            }
        }
    }

    fn check(&mut self, expected: &str) {
        let found = self.look();
        assert!(found.starts_with(expected), "`{found}` is not `{expected}`");
    }
}

#[test]
fn a_file_is_read_when_it_changes() {
    let mut file = Watched::new();
    file.check("does not exist");
    file.write("flags.json", "one");
    file.check("one");
    file.check("unchanged");
    file.check("unchanged");
    file.write("flags.json", "two");
    file.check("two");
    // Again within the same tick of the file system's clock, with the same size.
    file.write("flags.json", "six");
    file.check("six");
    file.check("unchanged");
    fs::remove_file(file.path("flags.json")).unwrap();
    file.check("does not exist");
    file.write("flags.json", "six");
    file.check("unchanged");
    file.write("flags.json", "");
    file.check("");
}

#[test]
fn a_file_replaced_by_a_rename_is_seen() {
    let mut file = Watched::new();
    for content in ["one", "two", "six", "ten"] {
        file.write("new", content);
        fs::rename(file.path("new"), file.path("flags.json")).unwrap();
        file.check(content);
        file.check("unchanged");
        file.check("unchanged");
    }
}

#[test]
fn a_link_that_is_moved_is_seen() {
    let mut file = Watched::new();
    for name in ["a", "b"] {
        fs::create_dir(file.path(name)).unwrap();
        file.write(&format!("{name}/flags.json"), name);
    }
    // As mounted configuration is replaced: a link to a folder, exchanged by a rename.
    symlink("a", file.path("data")).unwrap();
    symlink(Path::new("data/flags.json"), file.path("flags.json")).unwrap();
    file.check("a");
    file.check("unchanged");
    symlink("b", file.path("data.new")).unwrap();
    fs::rename(file.path("data.new"), file.path("data")).unwrap();
    file.check("b");
    fs::remove_file(file.path("data")).unwrap();
    file.check("does not exist");
    symlink("flags.json", file.path("data")).unwrap();
    fs::remove_file(file.path("flags.json")).unwrap();
    symlink("data", file.path("flags.json")).unwrap();
    file.check("cannot be read");
}

#[test]
fn touching_a_file_does_not_change_it() {
    let mut file = Watched::new();
    file.write("flags.json", "one");
    file.check("one");
    file.check("unchanged");
    file.write("flags.json", "one");
    file.check("unchanged");
}

#[test]
fn a_restart_with_the_same_content_changes_nothing() {
    let mut file = Watched::new();
    file.write("flags.json", "one");
    file.check("one");
    file.reader = FileReader::new(file.path("flags.json"), 1_000, false);
    file.check("unchanged");
    file.have = Tag::new("of another document").ok();
    file.check("one");
}

#[test]
fn what_is_no_document_file_is_refused() {
    let mut file = Watched::new();
    fs::create_dir(file.path("flags.json")).unwrap();
    file.check("is a folder");
    fs::remove_dir(file.path("flags.json")).unwrap();

    // The pipe has no writer: reading it would block for ever.
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, file.path("flags.json"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    file.check("is a named pipe (FIFO)");
    fs::remove_file(file.path("flags.json")).unwrap();

    symlink("/dev/zero", file.path("flags.json")).unwrap();
    file.check("is a device");
    fs::remove_file(file.path("flags.json")).unwrap();

    file.write("flags.json", &"x".repeat(1_001));
    file.check("has 1001 bytes, more than the limit of 1000");
    file.write("flags.json", &"x".repeat(1_000));
    file.check("xxx");
    file.reader = FileReader::new(file.path("flags.json/in/a/file"), 1_000, false);
    assert!(matches!(file.reader.poll(None), Err(FetchError::File { problem: FileProblem::NotFound, .. })));
}
