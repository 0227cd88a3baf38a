//! A server as a process of its own.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::run::{Host, LONGEST_WAIT, until};

/// A server, and where it listens.
pub(crate) struct ServerProcess {
    process: Child,
    pub(crate) url: String,
    words: std::sync::mpsc::Receiver<String>,
    /// What it has said since it listens, as far as somebody has asked.
    logged: RefCell<Vec<String>>,
}

impl ServerProcess {
    pub(crate) fn start(host: &Host, options: &str) -> Self {
        Self::start_as(host, &format!("serve --listen 127.0.0.1:0 {options}"))
    }

    /// Starts it by a whole command line.
    pub(crate) fn start_as(host: &Host, line: &str) -> Self {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Self::spawn(&mut host.command(&words))
    }

    /// Starts it by a command that becomes it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_until(command, "listening on ")
    }

    /// The same for one that has a listener for health, at whose URL the server is then; it may still be starting.
    pub(crate) fn starting(host: &Host, options: &str) -> Self {
        let line = format!("serve --listen 127.0.0.1:0 --health-listen 127.0.0.1:0 {options}");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Self::spawn_until(&mut host.command(&words), "answering health checks on ")
    }

    fn spawn_until(command: &mut Command, beginning: &str) -> Self {
        let null = Stdio::null;
        let mut process = command.stdin(null()).stdout(null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, words) = std::sync::mpsc::channel();
        let lines = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || lines.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut serving = Self { process, url: String::new(), words, logged: RefCell::default() };
        loop {
            let line = serving.words.recv_timeout(LONGEST_WAIT).expect("it says where it listens");
            if let Some(url) = line.strip_prefix(beginning) {
                url.clone_into(&mut serving.url);
                return serving;
            }
            serving.logged.get_mut().push(line);
        }
    }

    /// The next line that it has logged, or logs, of which this holds.
    pub(crate) fn logged(&self, is_it: impl Fn(&str) -> bool) -> String {
        let mut logged = self.logged.borrow_mut();
        if let Some(line) = logged.iter().find(|line| is_it(line)) {
            return line.clone();
        }
        loop {
            let Ok(line) = self.words.recv_timeout(LONGEST_WAIT) else {
                panic!("it is not logged, but:\n{}", logged.join("\n"));
            };
            logged.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// All that it has said until now.
    pub(crate) fn said_so_far(&self) -> Vec<String> {
        let mut logged = self.logged.borrow_mut();
        logged.extend(self.words.try_iter());
        logged.clone()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it by a signal.
    pub(crate) fn end(mut self, signal: &str) -> Option<i32> {
        let kill = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().unwrap();
        assert!(kill.success());
        until("it ends", || self.process.try_wait().unwrap()).code()
    }
}

/// The same command, under a limit of the shell's `ulimit`.
pub(crate) fn limited(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$@\"");
    limited.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    limited.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
