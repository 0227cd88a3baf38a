//! `--follow`: `serve`, `get` and `watch` with the flags of a server.

use std::io::{BufRead as _, BufReader};

use crate::run::{Host, until};
use crate::server_process::ServerProcess;

const DOCUMENT: &str = r#"{"features": {"greeting": {"stable": "Hello", "new": "Welcome"}}}"#;

#[test]
fn get_decides_with_the_flags_of_a_server_and_from_the_disk_without_it() {
    let host = Host::with(DOCUMENT);
    let server = ServerProcess::start(&host, "--document flags.json --name one");
    let url = server.url.clone();
    host.run(&format!("percentage features/greeting 100 --server {url}")).code(0).said();
    host.run(&format!("get --follow {url} features/greeting --key k-1")).stdout("\"Welcome\"\n").check();
    host.run(&format!("activate banner --create --server {url}")).code(0).said();
    host.run(&format!("on --follow {url} banner --key k-1")).code(0).said();
    server.end("-TERM");
    let said = host.run(&format!("get --follow {url} flags.json features greeting --key k-1")).code(2).said();
    assert!(said.stderr.contains("with --follow give the flag alone"), "{}", said.stderr);
    let said = host.run(&format!("get --follow {url} features/greeting --key k-1")).code(0).said();
    assert_eq!(said.stdout, "\"Welcome\"\n", "with the activation, from the disk");
    assert!(said.stderr.contains("unreachable"), "{}", said.stderr);
}

#[test]
fn watch_prints_a_change_of_the_server() {
    let host = Host::with(DOCUMENT);
    let server = ServerProcess::start(&host, "--document flags.json --name one");
    let url = server.url.clone();
    let mut watching = host.run(&format!("watch --follow {url} features/greeting --key k-1")).start();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains(r#""value":"Hello""#));
    host.run(&format!("activate features/greeting --server {url}")).code(0).said();
    until("the new value", || next().contains(r#""value":"Welcome""#).then_some(()));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn a_server_that_follows_another_one_serves_its_flags_and_names_it_to_those_who_change() {
    let host = Host::with(DOCUMENT);
    let root = ServerProcess::start(&host, "--document flags.json --name one");
    let second = ServerProcess::start(&host, &format!("--follow {} --name two", root.url));
    let third = ServerProcess::start(&host, &format!("--follow {} --name three", second.url));
    host.run(&format!("activate features/greeting --server {}", root.url)).code(0).said();
    until("the change is active", || {
        let said = host.run(&format!("get --server {} features/greeting --key k-1", third.url)).said();
        (said.stdout == "\"Welcome\"\n").then_some(())
    });
    let said = host.run(&format!("deactivate features/greeting --server {}", third.url)).said();
    assert!(said.code != 0 && said.stderr.contains(&second.url), "{}", said.stderr);
    let mut host = host;
    host.set("TIDEGATE_FOLLOW", &root.url);
    let said = host.run("serve --listen 127.0.0.1:0 --document flags.json").code(2).said();
    assert!(said.stderr.contains("leave `documents` out, or `follow`"), "{}", said.stderr);
}
