//! A server in a process of its own, which is spoken to in lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Outcome;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program as a server; see [`crate::server::run`].
    pub(crate) fn start(words: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err("a process has no pipes".into()) };
        let address = SocketAddr::from(([0; 4], 0));
        let mut server = Self { child, input, output: BufReader::new(output), address };
        server.address = server.line()?.parse()?;
        Ok(server)
    }

    /// The processor time that the process has taken so far, user and system.
    pub(crate) fn cpu(&mut self) -> Outcome<Duration> {
        Ok(Duration::from_nanos(self.ask("cpu")?.parse()?))
    }

    /// Says something, and reads the answer.
    pub(crate) fn ask(&mut self, word: &str) -> Outcome<String> {
        writeln!(self.input, "{word}")?;
        self.input.flush()?;
        self.line()
    }

    /// A line of `/proc/PID/status`, in MiB.
    pub(crate) fn memory(&self, name: &str) -> Outcome<usize> {
        Ok(self.memory_kib(name)? / 1024)
    }

    /// The same in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> Outcome<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
        Ok(kib.parse()?)
    }

    /// How many files the process has open.
    pub(crate) fn files(&self) -> Outcome<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// The next line that the server says.
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a server has ended".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
