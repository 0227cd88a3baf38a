//! A ZooKeeper server of a test, and what a client of ours writes to it.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tidegate::Builder;
use tidegate::source::conformance::Subject;
use tidegate_origin::ZooKeeperServer;
use tokio::runtime::Runtime;
use zookeeper_client::{Acls, Client, CreateMode, Error};

/// The node of the document.
pub(crate) const NODE: &str = "/flags";

/// A server, and a client of it.
pub(crate) struct Server {
    server: ZooKeeperServer,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { server: ZooKeeperServer::start(), runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("zk://{}{NODE}", self.address())
    }

    pub(crate) fn url_of(&self, credentials: &str) -> String {
        format!("zk://{credentials}@{}{NODE}", self.address())
    }

    fn connector() -> zookeeper_client::Connector {
        Client::connector().with_session_timeout(Duration::from_secs(20)).with_fail_eagerly()
    }

    /// Writes a node that everybody may read.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.address()).await.unwrap();
            put(&client, path, content, Acls::anyone_all()).await;
        });
    }

    /// Writes a node that only these credentials may read.
    pub(crate) fn write_protected(&self, path: &str, content: &[u8], credentials: &str) {
        self.runtime.block_on(async {
            let connector = Self::connector().with_auth("digest", credentials.as_bytes());
            let client = connector.connect(&self.address()).await.unwrap();
            put(&client, path, content, Acls::creator_all()).await;
        });
    }

    pub(crate) fn delete(&self, path: &str) {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.address()).await.unwrap();
            client.delete(path, None).await.unwrap();
        });
    }

    /// The transaction that wrote a node last.
    pub(crate) fn mzxid(&self, path: &str) -> i64 {
        self.runtime.block_on(async {
            let client = Self::connector().connect(&self.address()).await.unwrap();
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

impl Deref for Server {
    type Target = ZooKeeperServer;

    fn deref(&self) -> &ZooKeeperServer {
        &self.server
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut ZooKeeperServer {
        &mut self.server
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
        self.freeze();
    }

    fn make_reachable(&mut self) {
        if self.is_started() {
            self.thaw();
        } else {
            self.restart();
        }
    }

    fn secrets(&self) -> Vec<String> {
        ["reader:", "word-51c7"].map(str::to_owned).to_vec()
    }
}
