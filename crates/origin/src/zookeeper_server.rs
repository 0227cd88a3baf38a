//! Debian's ZooKeeper server as a process of a test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{PATIENCE, PAUSE, end, free_port, signal};

/// A ZooKeeper server on a free loopback port, in a folder of its own, until it is dropped.
#[derive(Debug)]
pub struct ZooKeeperServer {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl ZooKeeperServer {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// It does not start: the package `zookeeper` is not installed.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let mut server = Self { folder, port: free_port(), process: None };
        server.restart();
        server
    }

    /// Starts it with the data that it has.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        let folder = self.folder.path();
        let config = format!(
            "tickTime=1000\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
            folder.join("data").display(),
            self.port
        );
        fs::write(folder.join("zoo.cfg"), config).expect("a file can be written");
        // So that nodes above the limit of a document can be made.
        let mut java = self.java(&["-Xmx512m", "-Djute.maxbuffer=67108864"], "server.ZooKeeperServerMain");
        let started = java.arg("zoo.cfg").spawn();
        self.process = Some(started.expect("java and ZooKeeper are installed: apt-get install zookeeper"));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_serving() {
            let exit = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(exit.is_none(), "the server has ended ({exit:?}): is the package `zookeeper` installed?");
            assert!(Instant::now() < deadline, "the server does not answer");
            thread::sleep(PAUSE);
        }
    }

    /// Ends it as a crash does, if it runs.
    pub fn kill(&mut self) {
        end(&mut self.process);
    }

    /// Whether it was started and not killed.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// Removes all data of a server that was killed.
    ///
    /// # Panics
    /// It has none.
    pub fn wipe(&self) {
        fs::remove_dir_all(self.folder.path().join("data")).expect("a folder can be removed");
    }

    /// The process does nothing until [`ZooKeeperServer::thaw`].
    ///
    /// # Panics
    /// It does not run.
    pub fn freeze(&self) {
        signal(self.process.as_ref(), "STOP");
    }

    /// The process goes on.
    ///
    /// # Panics
    /// It does not run.
    pub fn thaw(&self) {
        signal(self.process.as_ref(), "CONT");
    }

    /// Where it is: `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs one command of ZooKeeper's command line; whether it succeeded.
    ///
    /// # Panics
    /// Java does not start.
    pub fn command(&self, words: &[&str]) -> bool {
        let mut java = self.java(&["-Xmx256m"], "ZooKeeperMain");
        java.args(["-server", &self.address()]).args(words).status().expect("java is installed").success()
    }

    /// Whether it says that it serves requests.
    fn is_serving(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"srvr")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("Zookeeper version"))
    }

    /// Java with a class of Debian's ZooKeeper, in the folder of this server.
    fn java(&self, options: &[&str], class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dzookeeper.jmx.log4j.disable=true"]).args(options);
        java.args(["-cp", "/usr/share/java/zookeeper.jar"]).arg(format!("org.apache.zookeeper.{class}"));
        java.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        java
    }
}

impl Drop for ZooKeeperServer {
    fn drop(&mut self) {
        self.kill();
    }
}
