//! What a server says by itself, at the level that it has unless told otherwise.

use crate::cluster::Cluster;
use crate::run::Host;
use crate::server_process::ServerProcess;

#[test]
fn peers_majorities_and_changes_are_told_by_name() {
    let cluster = Cluster::new();
    let host = &cluster.host;
    let [a, b, c] = cluster.start_all();
    a.logged(|line| line.contains(" INFO ") && line.contains("connected to `b` ("));
    a.logged(|line| line.contains("`c` (") && line.contains("is a member of the cluster now"));
    let line = format!("percentage x 20 --create --ack all --reason first --actor dana --server {}", a.url);
    host.run(&line).code(0).said();
    let here = a.logged(|line| line.contains("`flags/x`"));
    for part in
        [" INFO ", "is activated for 20 % by `dana` (`first`): default -> 20 %", "acknowledged by 3 of 3 members (all)"]
    {
        assert!(here.contains(part), "{part}: {here}");
    }
    let there = b.logged(|line| line.contains("`flags/x`"));
    assert!(there.contains("is activated for 20 % by `dana` (`first`) on `a`: default -> 20 %; received"), "{there}");
    assert_eq!(c.end("-TERM"), Some(0));
    a.logged(|line| line.contains(" INFO ") && line.contains("`c` (") && line.contains("has left"));
    assert_eq!(b.end("-KILL"), None);
    a.logged(|line| line.contains(" WARN ") && line.contains("lost `b` (") && line.contains("closed the connection"));
    let lost = a.logged(|line| line.contains("the majority is lost"));
    assert!(
        lost.contains(" WARN ") && lost.contains("1 of 3 members") && lost.contains("`b` (") && lost.contains("`c` ("),
        "{lost}"
    );
    host.run(&format!("deactivate x --timeout 50ms --server {}", a.url)).code(6).said();
    let alone = a.logged(|line| line.contains("is deactivated"));
    assert!(
        alone.contains(" WARN ") && alone.contains("20 % -> 0 %") && alone.contains("by only 1 of 3 members"),
        "{alone}"
    );
    let _b = cluster.start("b", &[&a]);
    a.logged(|line| line.contains("the majority is regained: 2 of 3"));
}

#[test]
fn a_node_that_reaches_no_other_logs_the_causes() {
    let host = Host::new();
    let node = ServerProcess::start(&host, "--data-dir a --cluster-listen 127.0.0.1:0 --peer 127.0.0.1:1");
    let told = node.logged(|line| line.contains("no other node was reached since the start"));
    assert!(told.contains(" WARN ") && told.contains("127.0.0.1:1: connection refused"), "{told}");
}

#[test]
fn texts_of_others_cannot_act_on_the_terminal_or_forge_a_line() {
    let host = Host::new();
    let node = ServerProcess::start(&host, "--data-dir a");
    let line = format!("activate x --create --server {}", node.url);
    host.run(&line).word("--reason").word("\u{1b}[2J\u{202e}").code(0).said();
    let told = node.logged(|line| line.contains("`flags/x`"));
    assert!(told.contains("\\u{1b}[2J") && !told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
}

#[test]
fn a_level_that_cannot_be_read_is_an_error() {
    let mut host = Host::new();
    host.set("TIDEGATE_LOG", "tidegate=loud");
    let said = host.run("serve --listen 127.0.0.1:0").code(2).said();
    assert!(said.stderr.contains("`tidegate=loud`") && said.stderr.contains("debug"), "{}", said.stderr);
    let mut host = Host::new();
    host.set("TIDEGATE_LOG", "warn");
    let node = ServerProcess::start(&host, "--data-dir a");
    host.run(&format!("activate x --create --server {}", node.url)).code(0).said();
    assert_eq!(node.said_so_far().iter().filter(|line| line.contains(" INFO ")).count(), 0);
}
