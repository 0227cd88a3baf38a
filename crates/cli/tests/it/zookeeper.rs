//! Documents in ZooKeeper, against Debian's server and its own command line.

use tidegate_origin::ZooKeeperServer;

use crate::run::{Host, until};

const GOOD: &str = r#"{"f":{"x":{"stable":1}}}"#;

#[test]
fn a_document_in_zookeeper_decides_and_its_cache_does_when_the_server_is_gone() {
    let (host, mut server) = (Host::new(), ZooKeeperServer::start());
    until("the node is written", || server.command(&["create", "/flags", GOOD]).then_some(()));
    let url = format!("zk://{}/flags", server.address());
    host.run(&format!("get {url} f x")).stdout("1\n").check();
    let with_password = format!("zk://reader:word-51c7@{}/flags", server.address());
    host.run(&format!("get {with_password} f x")).stdout("1\n").check();
    server.kill();
    let said = host.run(&format!("get {with_password} f x")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("1\n", 0), "{}", said.stderr);
    assert!(said.stderr.starts_with(&format!("warning: `{url}` is unreachable; using the cached document, ")));
    assert!(!said.stderr.contains("word-51c7"), "{}", said.stderr);
}

#[test]
fn credentials_come_from_a_file() {
    let (mut host, server) = (Host::new(), ZooKeeperServer::start());
    until("the node is written", || server.command(&["create", "/flags", GOOD]).then_some(()));
    // The identity is that which the server makes of `reader:word`: user, and the hash of both.
    assert!(server.command(&["setAcl", "/flags", "digest:reader:rg2poWjr7j1Zs8Z7tlNDncWf9a4=:r"]));
    let get = format!("get zk://{}/flags f x", server.address());
    let said = host.run(&get).said();
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("the node `/flags` may not be read"), "{}", said.stderr);
    host.write("auth", "reader:word\n");
    host.run(&format!("{get} --zookeeper-auth-file auth")).stdout("1\n").check();
    host.set("TIDEGATE_ZOOKEEPER_AUTH_FILE", "auth");
    host.run(&get).stdout("1\n").check();
    host.write("auth", "word-51c7\n");
    let said = host.run(&get).said();
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("`user:password`") && !said.stderr.contains("51c7"), "{}", said.stderr);
}

#[test]
fn a_wrong_url_does_not_show_its_password() {
    let host = Host::new();
    for url in
        ["zk://reader:word-51c7@127.0.0.1:2181", "zk://reader:word-51c7@host:port/flags", "http://reader:word-51c7@/x"]
    {
        let said = host.run(&format!("get {url} f x")).said();
        assert_eq!((said.code, said.stderr.contains("word-51c7")), (2, false), "{}", said.stderr);
    }
}
