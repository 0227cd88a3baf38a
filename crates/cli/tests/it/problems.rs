//! Real nodes in trouble: reads go on, changes are refused with the reason, and status, exit code and log say what is wrong.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tidegate::authority::Authority;

use crate::cluster::Cluster;
use crate::run::{Host, until};
use crate::server_process::ServerProcess;

fn status(host: &Host, node: &ServerProcess) -> (i32, Value) {
    let said = host.run(&format!("cluster status --format json --server {}", node.url)).said();
    (said.code, said.json().remove(0))
}

fn codes(status: &Value) -> Vec<String> {
    let problems = status["problems"].as_array().unwrap();
    problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_data_folder_that_is_deleted_ends_the_changes_and_not_the_reads() {
    let host = Host::new();
    for (deed, what) in [("folder", "was deleted"), ("database", "was deleted"), ("replaced", "was replaced")] {
        let node = ServerProcess::start(&host, &format!("--data-dir {deed}"));
        host.run(&format!("activate x --create --server {}", node.url)).code(0).said();
        assert_eq!(status(&host, &node).0, 0);
        let path = host.path(deed);
        match deed {
            "folder" => fs::remove_dir_all(&path).unwrap(),
            "database" => fs::remove_file(path.join("registers.sqlite3")).unwrap(),
            _ => {
                fs::rename(&path, host.path("moved")).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
        // One that comes before anybody has looked is not acknowledged, and those after it are refused.
        let said = host.run(&format!("deactivate y --create --server {}", node.url)).said();
        assert!([5, 6].contains(&said.code), "{deed}: {} {}", said.code, said.stderr);
        until("it is noticed", || (status(&host, &node).0 == 1).then_some(()));
        let said = host.run(&format!("deactivate x --server {}", node.url)).code(5).said();
        assert!(said.stderr.contains(what), "{deed}: {}", said.stderr);
        let logged = node.logged(|line| line.contains("no longer written"));
        assert!(logged.contains("ERROR") && logged.contains(what), "{deed}: {logged}");
        host.run(&format!("on x --server {}", node.url)).code(0).said();
        let (code, state) = status(&host, &node);
        assert_eq!((code, codes(&state)), (1, vec!["disk".to_owned()]), "{state}");
        assert!(state["writes_refused"].as_str().unwrap().contains(what), "{state}");
        let said = host.run(&format!("cluster status --server {}", node.url)).code(1).said();
        assert!(
            said.stdout.contains("changes     refused: ") && said.stdout.contains("problem     "),
            "{}",
            said.stdout
        );
        let reply = host.run(&format!("history x --server {}", node.url)).said();
        assert_ne!(reply.code, 0, "it is not read from whatever is there now: {}", reply.stdout);
    }
}

#[test]
fn a_node_whose_certificate_has_expired_answers_and_says_why_it_is_alone() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    host.run(&format!("activate x --create --ack all --server {}", a.url)).code(0).said();
    let address = cluster.address(&a);
    assert_eq!(c.end("-TERM"), Some(0));
    // What the authority would have made two years ago.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let certs = host.path("certs");
    let authority = Authority::open(&certs, "shop").unwrap();
    authority.renew("c", now - 2 * 365 * 86_400).unwrap();
    let line = format!(
        "--name c --data-dir c --cluster shop --certificates certs/c --cluster-listen 127.0.0.1:0 --peer {address}"
    );
    let c = ServerProcess::start(host, &line);
    c.logged(|line| line.contains("the certificate of this node has expired") && line.contains("--renew"));
    host.run(&format!("on x --server {}", c.url)).code(0).said();
    until("it says why it is alone", || {
        let (code, state) = status(host, &c);
        let has = |code: &str| codes(&state).iter().any(|found| found == code);
        (code == 1 && has("isolated") && has("links") && has("no-link")).then_some(())
    });
    let said = host.run(&format!("deactivate x --timeout 100ms --server {}", c.url)).code(6).said();
    assert!(said.stderr.contains("not yet"), "{}", said.stderr);
    authority.renew("c", now).unwrap();
    until("it is back", || (status(host, &c).0 == 0).then_some(()));
    cluster.soon(&b, "x", false);
}

#[test]
fn a_cluster_that_is_well_has_no_problems_and_one_that_is_not_names_them() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    for node in [&a, &b, &c] {
        until("it is well", || (status(host, node).0 == 0).then_some(()));
        assert_eq!(codes(&status(host, node).1), Vec::<String>::new());
    }
    assert_eq!((b.end("-KILL"), c.end("-KILL")), (None, None));
    until("both are missed", || {
        let (code, state) = status(host, &a);
        (code == 1 && codes(&state).contains(&"isolated".to_owned())).then_some(())
    });
}

#[test]
fn only_a_member_that_is_meant_and_gone_is_forgotten() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    let forget = |who: &str| host.run(&format!("cluster forget {who} --server {}", a.url)).said();
    let said = forget("b");
    assert!(said.code == 5 && said.stderr.contains("`b` is reachable"), "{} {}", said.code, said.stderr);
    assert_eq!((b.end("-TERM"), c.end("-TERM")), (Some(0), Some(0)));
    // It comes back under the other one's name.
    let address = cluster.address(&a);
    let line = format!(
        "--name b --data-dir c --cluster shop --certificates certs/c --cluster-listen 127.0.0.1:0 --peer {address}"
    );
    let c = ServerProcess::start(host, &line);
    let members = || cluster.state(&a)["members"].as_array().unwrap().clone();
    let called = |name: &str| members().into_iter().filter(|member| member["name"] == name).collect::<Vec<_>>();
    until("two have one name", || (called("b").len() == 2).then_some(()));
    let id = cluster.state(&c)["node"]["id"].as_str().unwrap().to_owned();
    let said = forget("b");
    assert!(
        said.code == 5 && said.stderr.contains("2 members are called `b`") && said.stderr.contains(&id),
        "{}",
        said.stderr
    );
    let gone = called("b").into_iter().find(|member| member["id"] != id.as_str()).unwrap();
    // Of the two members that remain, one is gone and acknowledges nothing.
    let said = forget(&format!("--force {id}"));
    assert!(said.code == 6 && said.stderr.contains("is no longer a member"), "{} {}", said.code, said.stderr);
    assert_eq!(c.end("-TERM"), Some(0));
    let gone = gone["id"].as_str().unwrap();
    until("the other one may be forgotten", || matches!(forget(gone).code, 0 | 6).then_some(()));
    let is_forgotten = |member: &Value| member["id"] == gone && member["forgotten"] == true;
    until("it is forgotten", || members().iter().any(is_forgotten).then_some(()));
}

#[test]
fn the_certificates_of_a_node_that_runs_start_no_other_one() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    let line = "serve --listen 127.0.0.1:0 --name d --data-dir d --cluster shop --certificates certs/c --cluster-listen 127.0.0.1:0";
    let said = host.run(line).code(7).said();
    assert!(said.stderr.contains("`certs/c` are in use by another process"), "{}", said.stderr);
    assert!(!host.path("d").exists());
    // No other node is affected, and a restart ends it.
    host.run(&format!("activate x --create --ack all --server {}", a.url)).code(0).said();
    assert_eq!(c.end("-KILL"), None);
    let c = cluster.start("c", &[&a, &b]);
    cluster.soon(&c, "x", true);
    let renewed = host.run("cluster init certs --cluster shop --renew c").said();
    assert_eq!(renewed.code, 0, "{}", renewed.stderr);
    host.run(line).code(7).said();
}

/// The lock on the folder of the certificates ends at the host; a copy of the folder is what another host has.
#[test]
fn a_copy_of_a_running_nodes_certificates_starts_no_second_process() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    // Processes that start within a second of each other are told apart by the numbers of their starts.
    let started = Instant::now();
    until("the first process is the older one", || (started.elapsed() > Duration::from_secs(2)).then_some(()));
    fs::create_dir(host.path("copy")).unwrap();
    for file in ["ca.pem", "node.pem", "node.key"] {
        fs::copy(host.path("certs/c").join(file), host.path("copy").join(file)).unwrap();
    }
    let address = cluster.address(&c);
    let options = "--name d --data-dir d --cluster shop --certificates copy --cluster-listen 127.0.0.1:0";
    for peer in [&a, &c] {
        let line = format!("serve --listen 127.0.0.1:0 {options} --peer {}", cluster.address(peer));
        let said = host.run(&line).code(7).said();
        let expected = format!("this node is already running at {address}");
        assert!(said.stderr.contains(&expected), "`{expected}` is not in: {}", said.stderr);
    }
    // The first process has lost nothing: each level is reached, on it and on the others.
    for node in [&a, &b, &c] {
        host.run(&format!("activate x --create --ack all --server {}", node.url)).code(0).said();
        host.run(&format!("deactivate x --ack all --server {}", node.url)).code(0).said();
    }
    // A copy is a restart where the first process has crashed.
    assert_eq!(c.end("-KILL"), None);
    let options = format!("{} --peer {}", options.replace("--data-dir d", "--data-dir c"), cluster.address(&a));
    let c = ServerProcess::start(host, &options);
    host.run(&format!("activate x --create --ack all --server {}", c.url)).code(0).said();
}

#[test]
fn a_history_says_whose_it_is_and_who_knows_what_it_lacks() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    host.run(&format!("activate x --create --ack all --server {}", a.url)).code(0).said();
    host.run(&format!("activate y --create --ack all --server {}", b.url)).code(0).said();
    assert_eq!(c.end("-TERM"), Some(0));
    // While it is unreachable two changes are made; it gets the result.
    host.run(&format!("percentage x 20 --actor frank --server {}", a.url)).code(0).said();
    host.run(&format!("percentage x 30 --actor eve --server {}", a.url)).code(0).said();
    let c = cluster.start("c", &[&a, &b]);
    until("it has the last one", || {
        (host.run(&format!("history x --server {}", c.url)).said().stdout.contains("eve")).then_some(())
    });
    let said = host.run(&format!("history --server {}", c.url)).code(0).said();
    assert!(
        said.stdout.contains("flags/x") && said.stdout.contains("flags/y") && !said.stdout.contains("frank"),
        "{}",
        said.stdout
    );
    for part in [
        "this is the history of `c`",
        "the change of `flags/x`",
        "was replaced before this node received it; `a` may have it",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
    let said = host.run(&format!("history x --server {}", a.url)).code(0).said();
    assert!(said.stdout.contains("frank") && !said.stderr.contains("is not in this history"), "{}", said.stderr);
}
