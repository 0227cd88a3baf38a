//! The Redis through which nodes without links share their changes: a process in a network namespace of its own.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::system::{address, call};

/// A `redis-server` with an append-only file.
pub(super) struct Redis {
    space: usize,
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Redis {
    /// Starts one in this namespace.
    pub(super) fn start(space: usize, folder: PathBuf, log: PathBuf) -> Result<Self, String> {
        let mut redis = Self { space, folder, log, child: None };
        redis.restart()?;
        Ok(redis)
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    fn address(&self) -> Ipv4Addr {
        address(self.space)
    }

    /// Starts it with what is in its folder, and waits until it answers.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        let log = File::options().create(true).append(true).open(&self.log).map_err(|error| error.to_string())?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("s{}", self.space), "redis-server", "--protected-mode", "no"]);
        command.args(["--bind", &self.address().to_string(), "--save", "", "--appendonly", "yes", "--dir"]);
        command.arg(&self.folder).stdin(Stdio::null()).stdout(log);
        self.child = Some(command.spawn().map_err(|error| format!("Redis does not start: {error}"))?);
        let began = Instant::now();
        while self.ask(&["PING"]).as_deref() != Ok("PONG") {
            if began.elapsed() > START {
                return Err("Redis does not answer".to_owned());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends it as a crash does.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) fn signal(&self, signal: &str) -> Result<(), String> {
        let child = self.child.as_ref().ok_or("Redis does not run")?;
        call("kill", &[&format!("-{signal}"), &child.id().to_string()])
    }

    /// Removes all that it had. It does not run.
    pub(super) fn empty(&self) -> Result<(), String> {
        fs::remove_dir_all(&self.folder).map_err(|error| error.to_string())
    }

    /// Copies all that it has. It does not run.
    pub(super) fn save(&self, to: &Path) -> Result<(), String> {
        copy(&self.folder, to)
    }

    /// Puts a copy back. It does not run.
    pub(super) fn put_back(&self, from: &Path) -> Result<(), String> {
        self.empty()?;
        copy(from, &self.folder)
    }

    /// What `redis-cli` prints.
    pub(super) fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("redis-cli");
        command.args(["-h", &self.address().to_string(), "--raw"]).args(words);
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("no `redis-cli`: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| error.to_string())?;
    call("cp", &["-a", &format!("{}/.", from.display()), &to.display().to_string()])
}

/// The keys of the fleet in Redis.
pub(super) const REGISTERS: &str = "{tidegate:soak}:reg";
pub(super) const LOG: &str = "{tidegate:soak}:log";

/// Far above what a loaded machine needs.
const START: Duration = Duration::from_secs(30);
