//! Nodes as processes that are spoken to in lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate::authority::Authority;

use crate::Outcome;

/// A process of this program, or of another build of it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a build of this program.
    pub(crate) fn start(program: &Path, words: &[String]) -> Outcome<Self> {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err("a process has no pipes".into()) };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    pub(crate) fn say(&mut self, line: &str) -> Outcome {
        writeln!(self.input, "{line}")?;
        Ok(self.input.flush()?)
    }

    pub(crate) fn hear(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a process has ended".into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn ask(&mut self, line: &str) -> Outcome<String> {
        self.say(line)?;
        self.hear()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with certificates for this number of nodes, and a free port for each, in order.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) ports: Vec<u16>,
}

impl Place {
    pub(crate) fn new(name: &str, count: usize) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("tidegate-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let authority = Authority::create(&folder.join("certs"), "bench", now)?;
        for index in 0..count {
            authority.issue(&format!("n{index}"), &["127.0.0.1".to_owned()], now)?;
        }
        let listeners: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let mut ports: Vec<u16> =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Outcome<_>>()?;
        ports.sort_unstable();
        Ok(Self { folder, ports })
    }

    /// What a node is told: its folder, its certificates, its port, and the ports of all.
    pub(crate) fn words(&self, kind: &str, index: usize) -> Vec<String> {
        let text = |path: PathBuf| path.display().to_string();
        let mut words = vec![kind.to_owned(), text(self.folder.join(format!("n{index}")))];
        words.push(text(self.certificates(index)));
        words.push(self.ports[index].to_string());
        words.extend(self.ports.iter().map(u16::to_string));
        words
    }

    fn certificates(&self, index: usize) -> PathBuf {
        Path::new(&self.folder).join("certs").join(format!("n{index}"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
