//! Links between nodes as processes: how they find each other, what is said when they do not, and what strangers can do.

use std::net::TcpStream;

use serde_json::Value;
use tidegate::{Level, Live, Tidegate};

use crate::cluster::Cluster;
use crate::run::{Host, until};
use crate::server_process::ServerProcess;

/// Starts a node of the cluster at this address, with these options besides.
fn start(cluster: &Cluster, name: &str, listen: &str, options: &str) -> ServerProcess {
    let line = format!("--name {name} --data-dir {name} --cluster shop --certificates certs/{name}");
    ServerProcess::start(&cluster.host, &format!("{line} --cluster-listen {listen} {options}"))
}

/// How many others a node is connected to.
fn reachable(state: &Value) -> usize {
    state["peers"].as_array().unwrap().iter().filter(|peer| peer["reachable"] == true).count()
}

fn all_meet(cluster: &Cluster, nodes: &[&ServerProcess]) {
    for node in nodes {
        until("the nodes to see each other", || {
            let state = cluster.state(node);
            let is_member = |member: &Value| member["address"].is_string();
            let members = state["members"].as_array().unwrap().iter().filter(|member| is_member(member)).count();
            (reachable(&state) == nodes.len() - 1 && members == nodes.len()).then_some(())
        });
    }
}

#[test]
fn one_address_is_enough_and_members_find_each_other_again_when_they_have_moved() {
    let cluster = Cluster::new();
    let a = start(&cluster, "a", "127.0.0.1:0", "");
    let seed = cluster.address(&a);
    // Neither knows of the other.
    let b = start(&cluster, "b", "127.0.0.1:0", &format!("--peer {seed}"));
    let c = start(&cluster, "c", "127.0.0.1:0", &format!("--peer {seed}"));
    all_meet(&cluster, &[&a, &b, &c]);
    let (before_b, before_c) = (cluster.address(&b), cluster.address(&c));
    cluster.host.run(&format!("activate x --create --ack all --timeout 20s --server {}", b.url)).code(0).said();
    for node in [a, b, c] {
        assert_eq!(node.end("-KILL"), None);
    }
    // All start again, two of them elsewhere, and none is told of another one.
    let a = start(&cluster, "a", &seed, "");
    let b = start(&cluster, "b", "127.0.0.1:0", "");
    let c = start(&cluster, "c", "127.0.0.1:0", "");
    assert!(cluster.address(&b) != before_b && cluster.address(&c) != before_c);
    all_meet(&cluster, &[&a, &b, &c]);
    for (node, moved) in [(&a, &b), (&b, &c), (&c, &b)] {
        let (address, id) = (cluster.address(moved), cluster.state(moved)["node"]["id"].clone());
        until("the new address to be known", || {
            let state = cluster.state(node);
            let member = state["members"].as_array().unwrap().iter().find(|member| member["id"] == id).cloned();
            (member.unwrap()["address"] == address.as_str()).then_some(())
        });
    }
    cluster.host.run(&format!("deactivate x --create --ack all --timeout 20s --server {}", c.url)).code(0).said();
}

#[test]
fn the_status_shows_a_link_to_each_configured_address() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.start_all();
    let said = cluster.host.run(&format!("cluster status --server {}", c.url)).code(0).said();
    let of = |node: &ServerProcess, name: &str| {
        let address = cluster.address(node);
        let line = said.stdout.lines().find(|line| line.starts_with(&address)).map(str::to_owned).unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            [address.as_str(), name, "connected"],
            "{}",
            said.stdout
        );
    };
    of(&a, "a");
    of(&b, "b");
}

#[test]
fn other_nodes_connect_to_the_advertised_address() {
    let cluster = Cluster::new();
    let a = start(&cluster, "a", "127.0.0.1:0", "");
    // A name in place of the address: it is in no certificate, and the node that is there is known.
    let port = free_port();
    let b = start(
        &cluster,
        "b",
        &format!("127.0.0.1:{port}"),
        &format!("--advertise localhost:{port} --peer {}", cluster.address(&a)),
    );
    let c = start(&cluster, "c", "127.0.0.1:0", &format!("--peer {}", cluster.address(&a)));
    all_meet(&cluster, &[&a, &b, &c]);
    let state = cluster.state(&c);
    assert!(state["members"].as_array().unwrap().iter().any(|member| member["address"] == format!("localhost:{port}")));
    assert_eq!(cluster.state(&b)["node"]["advertised"], format!("localhost:{port}"));
}

#[test]
fn the_status_and_the_log_say_why_there_is_no_link() {
    let cluster = Cluster::new();
    cluster.host.run("cluster init others --cluster shop b=127.0.0.1").code(0).said();
    let a = start(&cluster, "a", "127.0.0.1:0", "");
    let (seed, closed) = (cluster.address(&a), format!("127.0.0.1:{}", free_port()));
    let line = format!(
        "--name b --data-dir other --cluster shop --certificates others/b --cluster-listen 127.0.0.1:0 --peer {seed} \
         --peer {closed} --peer no-such-host.invalid:7400"
    );
    let stranger = ServerProcess::start(&cluster.host, &line);
    let causes = [
        (seed.as_str(), "unknown-authority"),
        (&closed, "connection-refused"),
        ("no-such-host.invalid:7400", "name-not-resolved"),
    ];
    for (address, cause) in causes {
        until(cause, || {
            let state = cluster.state(&stranger);
            let found =
                state["addresses"].as_array().unwrap().iter().find(|found| found["address"] == address).cloned();
            (found.unwrap()["cause"] == cause).then_some(())
        });
        let word = stranger.logged(|line| line.contains(address));
        assert!(word.contains("WARN") && word.contains("cannot connect to"), "{word}");
    }
    let said = cluster.host.run(&format!("cluster status --server {}", stranger.url)).code(1).said();
    for part in ["ADDRESS", "unknown authority", "connection refused", "name not resolved", ", for "] {
        assert!(said.stdout.contains(part), "{part} is not in\n{}", said.stdout);
    }
    until("a to count it", || {
        (cluster.state(&a)["connections_refused"]["certificate-refused"].as_u64() > Some(0)).then_some(())
    });
    // A setting that cannot work is no reason to start.
    for (option, word) in
        [("--peer 10.0.0.7", "no port"), ("--peer 0.0.0.0:7400", "every address"), ("--advertise a:1", "listen")]
    {
        let said = cluster.host.run(&format!("serve --listen 127.0.0.1:0 {option}")).said();
        assert!(said.code == 2 && said.stderr.contains(word), "{option}: {} {}", said.code, said.stderr);
    }
}

#[test]
fn a_program_joins_as_a_fourth_member() {
    let cluster = Cluster::new();
    cluster.host.run("cluster init certs --cluster shop d=127.0.0.1").code(0).said();
    let nodes = cluster.start_all();
    // This process was started by the test runner, without any variable for it.
    let live = Live::at(cluster.host.path("d"))
        .name("d")
        .cluster("shop")
        .certificates(cluster.host.path("certs/d"))
        .listen("127.0.0.1:0".parse().unwrap())
        .peer(cluster.address(&nodes[0]));
    let tide = Tidegate::builder().live(live).without_locks().connect().unwrap();
    let status = || tide.cluster().unwrap().status().unwrap();
    until("it to be a member", || {
        let status = status();
        (status.members.len() == 4 && status.peers.iter().filter(|peer| peer.is_reachable).count() == 3).then_some(())
    });
    let receipt = tide.activate("x").ack(Level::All).timeout(std::time::Duration::from_secs(20)).send().unwrap();
    assert!(receipt.is_reached && receipt.durable_on.len() == 4, "{receipt:?}");
    for node in &nodes {
        until("x to be on", || {
            (cluster.host.run(&format!("on --server {} x", node.url)).said().code == 0).then_some(())
        });
    }
    cluster
        .host
        .run(&format!("deactivate x --create --ack all --timeout 20s --server {}", nodes[2].url))
        .code(0)
        .said();
    until("x to be off in the program", || (!tide.is_active("x")).then_some(()));
}

/// With few files for a process, more strangers come than it has files: it goes on, and so does everything when they are
/// gone.
#[test]
fn strangers_do_not_take_the_files_of_members() {
    let cluster = Cluster::new();
    let a = cluster.start_all_with_files(100);
    let [a, b, _c] = &a;
    let to: std::net::SocketAddr = cluster.address(a).parse().unwrap();
    let silent: Vec<TcpStream> = (0..400).filter_map(|_| TcpStream::connect(to).ok()).collect();
    assert!(silent.len() > 300);
    cluster.host.run(&format!("activate x --create --ack all --timeout 20s --server {}", b.url)).code(0).said();
    cluster.host.run(&format!("deactivate x --create --ack all --timeout 20s --server {}", a.url)).code(0).said();
    let state = cluster.state(a);
    assert!(state["connections_refused"]["displaced"].as_u64() > Some(100), "{state}");
    assert_eq!(reachable(&state), 2, "{state}");
    drop(silent);
    until("no connection to wait any more", || (cluster.state(a)["connections_pending"] == 0).then_some(()));
}

/// The listener neither spins nor gives up when the process may open no more files.
#[test]
fn a_node_without_files_lets_strangers_go_and_goes_on() {
    let cluster = Cluster::new();
    let a = start(&cluster, "a", "127.0.0.1:0", "");
    let to: std::net::SocketAddr = cluster.address(&a).parse().unwrap();
    let pid = a.id();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let limit = |files: usize| {
        let words = [format!("--pid={pid}"), format!("--nofile={files}:")];
        assert!(std::process::Command::new("prlimit").args(words).status().unwrap().success());
    };
    limit(open + 3);
    let silent: Vec<TcpStream> = (0..50).filter_map(|_| TcpStream::connect(to).ok()).collect();
    let word = a.logged(|line| line.contains("connections of other nodes cannot be accepted"));
    assert!(word.contains("WARN") && word.contains("trying again"), "{word}");
    let spent = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    let before = spent();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(spent() - before < 50, "half of a processor is spinning");
    limit(1_024);
    drop(silent);
    let b = start(&cluster, "b", "127.0.0.1:0", &format!("--peer {to}"));
    all_meet(&cluster, &[&a, &b]);
    assert_eq!(cluster.state(&a)["link_problems"], serde_json::json!([]));
}

#[test]
fn a_node_says_what_is_wrong_with_its_own_certificates() {
    let host = Host::new();
    host.run("cluster init certs a=127.0.0.1").code(0).said();
    let node = ServerProcess::start(&host, "--data-dir a --certificates certs/a --cluster-listen 127.0.0.1:0");
    host.write("certs/a/node.pem", "half of a fi");
    let status = || host.run(&format!("cluster status --server {}", node.url)).said().stdout;
    until("the problem to be shown", || status().contains("node.pem").then_some(()));
    let word = node.logged(|line| line.contains("cannot be reloaded"));
    assert!(word.contains("stay active"), "{word}");
    host.run("cluster init certs --renew a").said();
}

fn free_port() -> u16 {
    crate::cluster::free_ports(1)[0]
}
