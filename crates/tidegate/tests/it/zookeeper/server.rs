//! Debian's ZooKeeper server on a free loopback port, in a folder of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidegate::Builder;
use tidegate::source::conformance::Subject;
use tokio::runtime::Runtime;
use zookeeper_client::{Acls, Client, CreateMode, Error};

/// The node of the document.
pub(crate) const NODE: &str = "/flags";

/// A server that this process started, until it is dropped.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder: tempfile::tempdir().unwrap(), port, process: None, runtime };
        server.restart();
        server
    }

    /// Starts it with the data that it has.
    pub(crate) fn restart(&mut self) {
        let folder = self.folder.path();
        let config = folder.join("zoo.cfg");
        let data = folder.join("data");
        let text = format!(
            "tickTime=1000\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
            data.display(),
            self.port
        );
        std::fs::write(&config, text).unwrap();
        let started = Command::new("java")
            .args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dzookeeper.jmx.log4j.disable=true"])
            // So that nodes above the limit of a document can be made.
            .arg("-Djute.maxbuffer=67108864")
            .args(["-cp", "/usr/share/java/zookeeper.jar", "org.apache.zookeeper.server.ZooKeeperServerMain"])
            .arg(config)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(started.expect("java and ZooKeeper are installed: apt-get install zookeeper"));
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.runtime.block_on(Self::connector().connect(&self.hosts())).is_err() {
            let exit = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(exit.is_none(), "the server has ended ({exit:?}): is the package `zookeeper` installed?");
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Removes all data of a server that was killed.
    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// It does not answer until [`Server::resume`].
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            kill_process(Pid::from_child(process), signal).unwrap();
        }
    }

    fn hosts(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("zk://{}{NODE}", self.hosts())
    }

    pub(crate) fn url_of(&self, credentials: &str) -> String {
        format!("zk://{credentials}@{}{NODE}", self.hosts())
    }

    fn connector() -> zookeeper_client::Connector {
        Client::connector().with_session_timeout(Duration::from_secs(20)).with_fail_eagerly()
    }

    /// Writes a node that everybody may read.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.hosts()).await.unwrap();
            put(&client, path, content, Acls::anyone_all()).await;
        });
    }

    /// Writes a node that only these credentials may read.
    pub(crate) fn write_protected(&self, path: &str, content: &[u8], credentials: &str) {
        self.runtime.block_on(async {
            let connector = Self::connector().with_auth("digest", credentials.as_bytes());
            let client = connector.connect(&self.hosts()).await.unwrap();
            put(&client, path, content, Acls::creator_all()).await;
        });
    }

    pub(crate) fn delete(&self, path: &str) {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.hosts()).await.unwrap();
            client.delete(path, None).await.unwrap();
        });
    }

    /// The transaction that wrote a node last.
    pub(crate) fn mzxid(&self, path: &str) -> i64 {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.hosts()).await.unwrap();
            client.check_stat(path).await.unwrap().unwrap().mzxid
        })
    }
}

async fn put(client: &Client, path: &str, content: &[u8], acls: Acls<'_>) {
    match client.create(path, content, &CreateMode::Persistent.with_acls(acls)).await {
        Ok(_) => {}
        Err(Error::NodeExists) => drop(client.set_data(path, content, None).await.unwrap()),
        Err(error) => panic!("{path} cannot be written: {error}"),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Subject for Server {
    fn name(&self) -> String {
        "ZooKeeper".to_owned()
    }

    fn configure(&self, builder: Builder) -> Builder {
        builder.zookeeper(&self.url_of("reader:word-51c7")).unwrap()
    }

    fn publish(&mut self, text: &[u8]) {
        self.write_protected(NODE, text, "reader:word-51c7");
    }

    fn make_unreachable(&mut self) {
        self.kill();
    }

    fn make_slow(&mut self) {
        self.stop();
    }

    fn make_reachable(&mut self) {
        self.resume();
        if self.process.is_none() {
            self.restart();
        }
    }

    fn secrets(&self) -> Vec<String> {
        ["reader:", "word-51c7"].map(str::to_owned).to_vec()
    }
}
