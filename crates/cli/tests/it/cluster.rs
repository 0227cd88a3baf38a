//! Nodes as processes: they agree, survive kills, and let no stranger in.

use std::process::{Child, Command, Stdio};

use crate::run::{Host, until};
use crate::server_process::{ServerProcess, limited};

/// Three nodes of one cluster, each with a certificate.
pub(crate) struct Cluster {
    pub(crate) host: Host,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let host = Host::new();
        host.run("cluster init certs --cluster shop a=127.0.0.1 b=127.0.0.1 c=127.0.0.1").code(0).said();
        Self { host }
    }

    /// Starts a node that knows where these are.
    pub(crate) fn start(&self, name: &str, others: &[&ServerProcess]) -> ServerProcess {
        let peers: String = others.iter().map(|other| " --peer ".to_owned() + &self.address(other)).collect();
        let line = format!("--name {name} --data-dir {name} --cluster shop --certificates certs/{name}");
        ServerProcess::start(&self.host, &format!("{line} --cluster-listen 127.0.0.1:0{peers}"))
    }

    pub(crate) fn start_all(&self) -> [ServerProcess; 3] {
        let a = self.start("a", &[]);
        let b = self.start("b", &[&a]);
        let c = self.start("c", &[&a, &b]);
        for node in [&a, &b, &c] {
            self.meets(node, 2);
        }
        [a, b, c]
    }

    /// The same, where each process may have `files` files open.
    pub(crate) fn start_all_with_files(&self, files: u32) -> [ServerProcess; 3] {
        let mut nodes: Vec<ServerProcess> = Vec::new();
        for name in ["a", "b", "c"] {
            let peers: String = nodes.iter().map(|node| " --peer ".to_owned() + &self.address(node)).collect();
            let line = format!(
                "serve --listen 127.0.0.1:0 --name {name} --data-dir {name} --cluster shop --certificates certs/{name} \
                 --cluster-listen 127.0.0.1:0{peers}"
            );
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let mut command = limited(&self.host.command(&words), &format!("-n {files}"));
            nodes.push(ServerProcess::spawn(&mut command));
        }
        for node in &nodes {
            self.meets(node, 2);
        }
        nodes.try_into().ok().unwrap()
    }

    pub(crate) fn state(&self, node: &ServerProcess) -> serde_json::Value {
        let said = self.host.run(&format!("cluster status --format json --server {}", node.url)).said();
        said.json().remove(0)
    }

    pub(crate) fn address(&self, node: &ServerProcess) -> String {
        self.state(node)["node"]["address"].as_str().unwrap().to_owned()
    }

    /// Waits until a node is connected to this number of others, and knows them as members.
    fn meets(&self, node: &ServerProcess, count: usize) {
        until("the nodes see each other", || {
            let state = self.state(node);
            let reachable = state["peers"].as_array().unwrap().iter().filter(|peer| peer["reachable"] == true);
            let members = state["members"].as_array().unwrap().len();
            (reachable.count() == count && members > count).then_some(())
        });
    }

    /// Waits until the flag is on at a node, or off.
    pub(crate) fn soon(&self, node: &ServerProcess, flag: &str, is_on: bool) {
        until(&format!("`{flag}` to be {is_on}"), || {
            let said = self.host.run(&format!("on --server {} {flag}", node.url)).said();
            (said.code == i32::from(!is_on)).then_some(())
        });
    }
}

#[test]
fn a_change_on_one_is_on_all_and_outlives_a_kill_of_all() {
    let cluster = Cluster::new();
    let nodes = cluster.start_all();
    let said = cluster.host.run(&format!("activate x --create --ack all --server {}", nodes[0].url)).code(0).said();
    let expected =
        "`flags/x` is activated for 100 %: caller's default -> 100 %; acknowledged by 3 of 3 members (all)\n";
    assert!(said.stderr.starts_with(expected), "{}", said.stderr);
    for node in &nodes {
        // All have acknowledged it, so it is on their disks and active.
        cluster.soon(node, "x", true);
    }
    cluster.host.run(&format!("deactivate y --create --ack all --server {}", nodes[2].url)).code(0).said();
    for node in nodes {
        assert_eq!(node.end("-KILL"), None);
    }
    let nodes = cluster.start_all();
    for node in &nodes {
        cluster.host.run(&format!("on --server {} x", node.url)).code(0).said();
        cluster.host.run(&format!("on --server {} y", node.url)).code(1).said();
    }
    let state = cluster.state(&nodes[1]);
    assert_eq!(state["members"].as_array().unwrap().len(), 3, "{state}");
    assert!(state["node"]["certificate_expires"].is_string(), "{state}");
    let history = cluster.host.run(&format!("history x --server {}", nodes[2].url)).said();
    assert!(history.stdout.contains("activated for 100 %"), "{}", history.stdout);
    for node in nodes {
        assert_eq!(node.end("-TERM"), Some(0));
    }
}

#[test]
fn a_watcher_on_one_sees_a_change_on_another() {
    let cluster = Cluster::new();
    let [a, b, _c] = cluster.start_all();
    cluster.host.run(&format!("deactivate x --create --ack all --server {}", a.url)).code(0).said();
    let mut watch = cluster.host.run(&format!("watch --server {} x --key k", b.url)).start();
    let lines = std::io::BufReader::new(watch.stdout.take().unwrap());
    let (sender, events) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        lines.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let next = || events.recv_timeout(crate::run::LONGEST_WAIT).expect("an event");
    assert!(next().contains("false"));
    cluster.host.run(&format!("activate x --create --server {}", a.url)).code(0).said();
    assert!(next().contains("true"));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_minority_takes_changes_and_says_who_lacks_them() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.start_all();
    cluster.host.run(&format!("activate x --create --ack all --server {}", a.url)).code(0).said();
    assert_eq!((b.end("-KILL"), c.end("-KILL")), (None, None));
    let line = format!("deactivate x --create --timeout 200ms --server {}", a.url);
    let said = cluster.host.run(&line).code(6).said();
    for part in ["100 % -> 0 %", "acknowledged by 1 of 3 members (majority)"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    // In the order of their ids, which are drawn.
    assert!(["b, c: not yet", "c, b: not yet"].iter().any(|part| said.stderr.contains(part)), "{}", said.stderr);
    cluster.soon(&a, "x", false);
    let repair = format!("cluster repair-clock --server {}", a.url);
    let repaired = "raised the epoch: changes from now on outrank all earlier ones; acknowledged by";
    let said = cluster.host.run(&repair).code(6).said();
    let kept = "accepted, but not acknowledged in time by a majority; the change is kept";
    for part in [&format!("{repaired} 1 of 3 members (majority); "), kept] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let b = cluster.start("b", &[&a]);
    cluster.soon(&b, "x", false);
    cluster.host.run(&format!("activate x --create --timeout 10s --server {}", b.url)).code(0).said();
    cluster.host.run(&repair).stderr(&format!("{repaired} 2 of 3 members (majority); c: not yet\n")).check();
    // One that is gone for good counts no more.
    let forgotten = "`c` is no longer a member; acknowledged by 2 of 2 members (majority)\n";
    cluster.host.run(&format!("cluster forget c --server {}", a.url)).stderr(forgotten).check();
    cluster.host.run(&format!("activate z --create --ack all --timeout 10s --server {}", b.url)).code(0).said();
}

#[test]
fn strangers_and_other_folders_are_kept_out() {
    let cluster = Cluster::new();
    let a = cluster.start("a", &[]);
    let address = cluster.address(&a);
    cluster.host.run("cluster init others --cluster shop b=127.0.0.1").code(0).said();
    let join = |certificates: &str| {
        format!("--name b --cluster shop {certificates} --cluster-listen 127.0.0.1:0 --peer {address}")
    };
    let wrong_authority = ServerProcess::start(&cluster.host, &join("--data-dir other --certificates others/b"));
    let without = ServerProcess::start(&cluster.host, &join("--data-dir none"));
    let b = cluster.start("b", &[&a]);
    cluster.host.run(&format!("activate x --create --ack all --timeout 10s --server {}", b.url)).code(0).said();
    cluster.soon(&a, "x", true);
    for stranger in [&wrong_authority, &without] {
        assert_eq!(cluster.state(stranger)["peers"], serde_json::json!([]));
        cluster.host.run(&format!("on --server {} x", stranger.url)).code(3).said();
    }
    assert_eq!(b.end("-TERM"), Some(0));
    // The folder is b's, and c's certificate does not open it.
    let line =
        "serve --listen 127.0.0.1:0 --data-dir b --cluster shop --certificates certs/c --cluster-listen 127.0.0.1:0";
    let said = cluster.host.run(line).said();
    assert!(said.code == 7 && said.stderr.contains("belongs to node"), "{} {}", said.code, said.stderr);
}

#[test]
fn certificates_are_made_once_and_renewed() {
    let host = Host::new();
    let made = host.run("cluster init certs a b=127.0.0.1:7401,node-b.example --format json").code(0).said().json();
    let names: Vec<_> = made.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    let said = host.run("cluster init certs a").said();
    assert!(said.code == 7 && said.stderr.contains("--renew"), "{}", said.stderr);
    let said = host.run("cluster init certs --cluster other c").said();
    assert!(said.code == 7 && said.stderr.contains("`tidegate`"), "{}", said.stderr);
    let renewed = host.run("cluster init certs --renew b --format json").code(0).said().json();
    assert_eq!(renewed[0]["id"], made[1]["id"]);
    let said = host.run("cluster init certs d=127.0.0.1:7403").code(0).said();
    assert!(
        said.stderr.contains("--certificates certs/d --cluster-listen 127.0.0.1:7403 --peer 127.0.0.1:7403"),
        "{}",
        said.stderr
    );
    let taken_over = host.run("cluster init new --nodes-of certs --format json").code(0).said().json();
    let id_of =
        |all: &[serde_json::Value], name: &str| all.iter().find(|node| node["name"] == name).unwrap()["id"].clone();
    assert_eq!((taken_over.len(), id_of(&taken_over, "b")), (3, id_of(&made, "b")));
    let said = host.run("cluster init newer --nodes-of nowhere").said();
    assert!(said.code == 7 && said.stderr.contains("nowhere") && !host.path("newer").exists(), "{}", said.stderr);
    let said = host.run("cluster init elsewhere --renew a").said();
    assert!(said.code == 2 && said.stderr.contains("nothing to renew"), "{}", said.stderr);
    let said = host.run("cluster init certs").word("e=not a host").said();
    assert!(said.code == 7 && said.stderr.contains("host"), "{}", said.stderr);
    let said = host.run("cluster init fresh a=127.0.0.1 b=bad_ho?st").said();
    assert!(said.code == 7 && !host.path("fresh").exists(), "{}", said.stderr);
    host.run("cluster init fresh a a").code(2).said();
    assert!(!host.path("elsewhere").exists() && !host.path("certs/e").exists());
}

#[test]
fn other_hosts_need_certificates_or_a_word() {
    let host = Host::new();
    let open = "serve --listen 127.0.0.1:0 --cluster-listen 0.0.0.0:0";
    let said = host.run(open).said();
    assert!(said.code == 7 && said.stderr.contains("tidegate cluster init"), "{} {}", said.code, said.stderr);
    let node = ServerProcess::start(&host, "--data-dir state --cluster-listen 0.0.0.0:0 --cluster-insecure");
    // Right after its start it asks others which stamps it has used, and there are none.
    host.run(&format!("activate x --create --timeout 20s --server {}", node.url)).code(0).said();
    // A node of a cluster that keeps nothing on a disk is a reader: what it is told is durable nowhere.
    let reader = ServerProcess::start(&host, "--cluster-listen 127.0.0.1:0");
    let said = host.run(&format!("activate x --create --timeout 5s --server {}", reader.url)).code(6).said();
    assert!(said.stderr.contains("no member has acknowledged it"), "{}", said.stderr);
}

/// What the README says, with other ports.
#[test]
fn the_cluster_of_the_readme_works() {
    let host = Host::new();
    let text = std::fs::read_to_string(crate::run::root().join("README.md")).unwrap();
    let section = text.split("\n## A cluster\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut ports = free_ports(6).into_iter();
    let section = [8081, 8082, 8083, 7401, 7402, 7403].into_iter().fold(section.to_owned(), |text, port: u16| {
        text.replace(&format!(":{port}"), &format!(":{}", ports.next().unwrap()))
    });
    let commands = |start: &str| -> Vec<String> {
        let lines = section.lines().filter_map(|line| line.strip_prefix("tidegate "));
        lines.filter(|line| line.starts_with(start)).map(|line| line.trim_end_matches(" &").to_owned()).collect()
    };
    let init = commands("cluster init");
    host.run(&init[0]).code(0).said();
    let serve = commands("serve");
    assert_eq!((init.len(), serve.len()), (1, 3));
    let start = || -> Vec<ServerProcess> { serve.iter().map(|line| ServerProcess::start_as(&host, line)).collect() };
    let nodes = start();
    let percentage = commands("percentage").remove(0).replace("'all of them'", "all");
    host.run(&(percentage + " --ack all --timeout 20s")).code(0).said();
    for node in &nodes {
        until("the change", || {
            (host.run(&format!("on --server {} new_checkout", node.url)).said().code == 0).then_some(())
        });
    }
    for node in nodes {
        node.end("-KILL");
    }
    for node in start() {
        host.run(&format!("on --server {} new_checkout", node.url)).code(0).said();
        assert_eq!(node.end("-TERM"), Some(0));
    }
}

#[test]
fn the_script_of_the_examples_starts_and_ends_three_nodes() {
    let host = Host::new();
    let ports = free_ports(6);
    let listed = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let script = crate::run::root().join("examples/cluster.sh");
    let process = Command::new("sh")
        .arg(script)
        .arg(host.path("nodes"))
        .env("TIDEGATE", env!("CARGO_BIN_EXE_tidegate"))
        .env("PORTS", listed)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut script = Script(process);
    let server = |index: usize| format!("--server http://127.0.0.1:{}", ports[index]);
    until("three nodes", || {
        let said = host.run(&format!("activate x --create --ack all {}", server(0))).said();
        (said.code == 0 && said.stderr.contains("acknowledged by 3 of 3 members")).then_some(())
    });
    until("the change", || (host.run(&format!("on x {}", server(2))).said().code == 0).then_some(()));
    assert!(script.end());
    until("the script ends", || script.0.try_wait().unwrap());
    until("its nodes end", || (host.run(&format!("on x {}", server(2))).said().code == 4).then_some(()));
}

/// A script that ends what it has started when it is ended.
struct Script(Child);

impl Script {
    /// By TERM: where the tests run in the background, shells are deaf to INT (POSIX, 2.12 and 2.15 `trap`).
    fn end(&self) -> bool {
        Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end();
            let _ = self.0.wait();
        }
    }
}

/// Ports that are free at the moment.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// A node that was told of others and has reached none is no majority, however many it believes that there are.
#[test]
fn a_node_that_has_reached_no_other_is_not_a_majority() {
    let host = Host::new();
    let port = free_ports(1)[0];
    let line = format!("--data-dir state --cluster-listen 127.0.0.1:0 --startup-wait 1s --peer 127.0.0.1:{port}");
    let node = ServerProcess::start(&host, &line);
    let at = format!("--server {}", node.url);
    let said = host.run(&format!("activate x --create --timeout 3s {at}")).code(6).said();
    let alone = "acknowledged by the server alone, which knows no other member yet (majority)";
    assert!(said.stderr.contains(alone), "{}", said.stderr);
    let nobody = format!("note: not connected to 127.0.0.1:{port}: connection refused");
    assert!(said.stderr.contains(&nobody), "{}", said.stderr);
    host.run(&format!("deactivate x --ack one --timeout 100ms {at}")).code(6).said();
    host.run(&format!("deactivate x --ack all --timeout 100ms {at}")).code(6).said();
    host.run(&format!("deactivate x --ack local {at}")).code(0).said();
    let state = host.run(&format!("status --format json {at}")).said().json().remove(0);
    assert_eq!((&state["ready"], &state["synced"]), (&true.into(), &false.into()), "{state}");
    node.logged(|line| line.contains("no member of the cluster has been compared with"));
}

/// What was changed while a node was down is active when it listens again.
#[test]
fn a_node_is_ready_when_it_has_what_the_cluster_has() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.start_all();
    cluster.host.run(&format!("activate x --create --ack all --server {}", a.url)).code(0).said();
    let mut down = Some(c);
    for is_on in [false, true, false] {
        assert_eq!(down.take().unwrap().end("-KILL"), None);
        let verb = if is_on { "activate" } else { "deactivate" };
        cluster.host.run(&format!("{verb} x --server {}", b.url)).code(0).said();
        let c = cluster.start("c", &[&a, &b]);
        cluster.host.run(&format!("on --server {} x", c.url)).code(i32::from(!is_on)).said();
        down = Some(c);
    }
}
