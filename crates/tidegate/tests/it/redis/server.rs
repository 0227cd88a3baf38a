//! A `redis-server` of a test: a process of its own, on loopback, in a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::until;

/// A Redis that ends with the test.
pub(super) struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// One that keeps what it is given in an append-only file.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(super) fn start_with(options: &[&str]) -> Self {
        let mut server = Self::stopped();
        server.options = options.iter().map(|option| (*option).to_owned()).collect();
        server.restart();
        server
    }

    /// A place for one that does not run yet.
    pub(super) fn stopped() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), port: free_port(), options: Vec::new(), child: None }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it with what is in its folder.
    pub(super) fn restart(&mut self) {
        fs::create_dir_all(self.data()).unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--dir"]).arg(self.data());
        command
            .args(["--save", "", "--appendonly", "yes", "--daemonize", "no", "--logfile", "log"])
            .args(&self.options);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("the tests need `redis-server`; install the package `redis-server`"));
        until("Redis answers", || {
            let answer = self.ask(&["PING"]);
            answer == "PONG" || answer.starts_with("NOAUTH")
        });
    }

    /// Ends it as a crash does.
    pub(super) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What `redis-cli` prints.
    pub(super) fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw"]).args(words);
        let output = command.stdin(Stdio::null()).output().expect("the tests need `redis-cli`; install `redis-tools`");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The process does nothing until it goes on.
    pub(super) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port on which nothing listens at the moment.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// Longer than a session takes to notice that Redis does not answer, and to connect again.
pub(super) const STALL: Duration = Duration::from_secs(10);
