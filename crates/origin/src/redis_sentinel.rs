//! A Redis Sentinel as a process of a test.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::RedisServer;
use crate::process::{PATIENCE, PAUSE, end, free_port};

/// A Sentinel that alone decides on a failover, half a second after its master is gone, until it is dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    _folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl RedisSentinel {
    /// Starts one that watches this master, which it calls `mymaster`, and waits until it knows a replica of it.
    ///
    /// # Panics
    /// It does not start, or the master has no replica.
    pub fn start(master: &RedisServer) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder can be made"), free_port());
        let file = folder.path().join("sentinel.conf");
        let config = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nlogfile log\n\
             sentinel monitor mymaster 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds mymaster 500\n\
             sentinel failover-timeout mymaster 2000\n",
            folder.path().display(),
            master.port()
        );
        fs::write(&file, config).expect("a file can be written");
        let mut command = Command::new("redis-server");
        let command = command.arg(file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("the tests need `redis-server`; install the package `redis-server`");
        let sentinel = Self { _folder: folder, port, child: Some(child) };
        let deadline = Instant::now() + PATIENCE;
        while !sentinel.knows_a_replica() {
            assert!(Instant::now() < deadline, "the Sentinel knows no replica");
            thread::sleep(PAUSE);
        }
        sentinel
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn knows_a_replica(&self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port, "--raw", "SENTINEL", "REPLICAS", "mymaster"]);
        let output = command.stdin(Stdio::null()).output().expect("the tests need `redis-cli`; install `redis-tools`");
        let answer = String::from_utf8_lossy(&output.stdout);
        let mut lines = answer.lines();
        lines.any(|line| line == "master-link-status") && lines.next() == Some("ok")
    }
}

impl Drop for RedisSentinel {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
