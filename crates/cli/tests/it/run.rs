//! Runs the program in a folder of its own and compares what it says.

use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A host: a home folder with documents in it, in which commands are run one after the other.
pub(crate) struct Host {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// One command that is about to be run.
#[must_use = "a command is run by `check` or `run`"]
pub(crate) struct Call<'h> {
    host: &'h Host,
    words: Vec<String>,
    stdin: Vec<u8>,
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), variables: Vec::new() }
    }

    /// A host with one document, `flags.json`.
    pub(crate) fn with(document: &str) -> Self {
        let host = Self::new();
        host.write("flags.json", document);
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file by renaming another one over it, as a publisher does.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let next = self.path(&format!("{name}.next"));
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path(name)).unwrap();
    }

    /// Sets a variable for all commands from here on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A command; words are parted by blanks.
    pub(crate) fn run(&self, line: &str) -> Call<'_> {
        let words = line.split_ascii_whitespace().map(str::to_owned).collect();
        Call { host: self, words, stdin: Vec::new(), stdout: String::new(), stderr: String::new(), code: None }
    }

    /// The program in this host's folder, without anything of the machine's own environment.
    pub(crate) fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("USER", "dana")
            .env("COLUMNS", "100")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Call<'_> {
    /// More words, parted by blanks.
    pub(crate) fn words(mut self, line: &str) -> Self {
        self.words.extend(line.split_ascii_whitespace().map(str::to_owned));
        self
    }

    /// One more word, which may hold blanks or be empty.
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.words.push(word.to_owned());
        self
    }

    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        text.as_ref().clone_into(&mut self.stdin);
        self
    }

    /// Expects this on standard output; nothing unless said.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdout);
        self
    }

    /// Expects this on standard error; nothing unless said.
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stderr);
        self
    }

    /// Expects this exit code. Unless said, [`Self::check`] expects 0, and [`Self::said`] takes any.
    pub(crate) fn code(mut self, code: i32) -> Self {
        self.code = Some(code);
        self
    }

    /// Runs it and compares everything.
    #[track_caller]
    pub(crate) fn check(self) {
        let (words, expected) =
            (self.words.join(" "), (self.stdout.clone(), self.stderr.clone(), self.code.unwrap_or(0)));
        let said = Self { code: None, ..self }.said();
        assert!(
            (&said.stdout, &said.stderr, said.code) == (&expected.0, &expected.1, expected.2),
            "tidegate {words}\n--- stdout\n{}--- instead of\n{}--- stderr\n{}--- instead of\n{}--- code {} instead of {}",
            said.stdout,
            expected.0,
            said.stderr,
            expected.1,
            said.code,
            expected.2
        );
    }

    /// Runs it and gives back what it said, for output that is not the same each time.
    #[track_caller]
    pub(crate) fn said(self) -> Said {
        let mut child = self
            .host
            .command(&self.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes it, which is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let (stdout, stderr) = (read_all(child.stdout.take().unwrap()), read_all(child.stderr.take().unwrap()));
        let deadline = Instant::now() + LONGEST_RUN;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("tidegate {}: does not end\n{}", self.words.join(" "), stderr.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let said =
            Said { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), code: status.code().unwrap_or(-1) };
        if let Some(expected) = self.code {
            let words = self.words.join(" ");
            assert!(said.code == expected, "tidegate {words}: {} instead of {expected}\n{}", said.code, said.stderr);
        }
        said
    }

    /// Starts it with a pipe at its output, for commands that stay.
    pub(crate) fn start(self) -> Child {
        self.host
            .command(&self.words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    }
}

/// Reads a pipe to its end while the process writes to it.
fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

impl Said {
    /// The lines of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }
}

/// Waits until it is so, and fails loudly if that takes too long.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// Far above what a loaded machine needs.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A command that runs longer is stuck; the longest restores thousands of definitions in a debug build.
const LONGEST_RUN: Duration = Duration::from_mins(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
