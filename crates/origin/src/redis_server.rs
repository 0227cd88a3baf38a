//! Debian's `redis-server` as a process of a test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::Authority;
use crate::process::{PATIENCE, PAUSE, end, free_port, signal};

/// A Redis on a free loopback port, in a folder of its own, until it is dropped. It keeps what it is given in an append-only file.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
    tls_port: Option<u16>,
    /// Where the nodes of a cluster reach each other.
    bus_port: Option<u16>,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// It does not start: the package `redis-server` is not installed.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with these options of its command line.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_with(options: &[&str]) -> Self {
        let mut server = Self::stopped_with(options);
        server.restart();
        server
    }

    /// Starts one that takes TLS connections, too, with a certificate of this authority. Whether clients have to show one.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_with_tls(authority: &Authority, wants_certificates: bool) -> Self {
        let mut server = Self::stopped();
        let (certificate, key) = authority.issue(&["127.0.0.1"]);
        let port = free_port();
        let file = |name: &str, content: &[u8]| {
            let path = server.folder.path().join(name);
            fs::write(&path, content).expect("a file can be written");
            path.display().to_string()
        };
        let clients = if wants_certificates { "yes" } else { "no" };
        let options = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file("server.pem", certificate.as_bytes())),
            ("--tls-key-file", file("server.key", key.as_bytes())),
            ("--tls-ca-cert-file", file("ca.pem", &authority.pem())),
            ("--tls-auth-clients", clients.to_owned()),
        ];
        server.options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        server.tls_port = Some(port);
        server.restart();
        server
    }

    /// Starts one that is a node of a cluster.
    pub(crate) fn start_in_a_cluster(options: &[&str]) -> Self {
        let bus = free_port();
        let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()];
        let mut server = Self::stopped_with(&[&cluster[..], options].concat());
        server.bus_port = Some(bus);
        server.restart();
        server
    }

    pub(crate) fn bus_port(&self) -> u16 {
        self.bus_port.expect("it is in a cluster")
    }

    /// Its URL with TLS.
    ///
    /// # Panics
    /// It has none.
    pub fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.tls_port.expect("it has TLS"))
    }

    /// A place for one that does not run yet.
    ///
    /// # Panics
    /// There is no folder or no port for it.
    pub fn stopped() -> Self {
        Self::stopped_with(&[])
    }

    fn stopped_with(options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self { folder, port: free_port(), options, child: None, tls_port: None, bus_port: None }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL, without user and password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder with what it keeps.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it with what is in its folder, and waits until it answers.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        fs::create_dir_all(self.data()).expect("a folder can be made");
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--dir"]).arg(self.data());
        command
            .args(["--save", "", "--appendonly", "yes", "--daemonize", "no", "--logfile", "log"])
            .args(&self.options);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("the tests need `redis-server`; install the package `redis-server`"));
        let deadline = Instant::now() + PATIENCE;
        while !["PONG", "NOAUTH"].iter().any(|answer| self.ask(&["PING"]).starts_with(answer)) {
            assert!(Instant::now() < deadline, "Redis does not answer");
            thread::sleep(PAUSE);
        }
    }

    /// Ends it as a crash does.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
    }

    /// What `redis-cli` prints.
    ///
    /// # Panics
    /// The package `redis-tools` is not installed.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw"]).args(words);
        let output = command.stdin(Stdio::null()).output().expect("the tests need `redis-cli`; install `redis-tools`");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The process does nothing until [`RedisServer::thaw`].
    ///
    /// # Panics
    /// It does not run.
    pub fn freeze(&self) {
        signal(self.child.as_ref(), "STOP");
    }

    /// The process goes on.
    ///
    /// # Panics
    /// It does not run.
    pub fn thaw(&self) {
        signal(self.child.as_ref(), "CONT");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
