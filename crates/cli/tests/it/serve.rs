//! `serve`: a real server, its commands, and what is left after it was killed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use tidegate_origin::{Origin, Reply};

use crate::run::{Host, LONGEST_WAIT, until};
use crate::server_process::ServerProcess;

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let host = Host::new();
    host.write("flags.json", r#"{"features": {"greeting": {"stable": "Hello", "new": "Welcome"}}}"#);
    let options = "--data-dir state --document flags.json --name one";
    let first = ServerProcess::start(&host, options);
    let server = first.url.clone();
    host.run(&format!("percentage features/greeting 20 --reason trial --server {server}"))
        .stderr("`features/greeting` is activated for 20 %: 0 % -> 20 %; acknowledged by 1 of 1 member (majority)\n")
        .check();
    host.run(&format!("activate maintenance --create --server {server}")).code(0).said();
    assert_eq!(first.end("-KILL"), None);
    host.run(&format!("on --server {server} maintenance")).code(4).said();

    let second = ServerProcess::start(&host, options);
    let server = second.url.clone();
    host.run(&format!("on --server {server} maintenance")).code(0).said();
    let flags = host.run(&format!("flags --format json --server {server}")).said().json();
    let text = serde_json::to_string(&flags).unwrap();
    assert!(text.contains("features/greeting") && text.contains("flags/maintenance"), "{text}");
    let history = host.run(&format!("history features/greeting --server {server}")).said();
    assert!(history.stdout.contains("activated for 20 %") && history.stdout.contains("trial"), "{}", history.stdout);
    host.run(&format!("get --server {server} features/greeting --key k-1")).code(0).said();
    assert_eq!(second.end("-TERM"), Some(0));
}

#[test]
fn a_server_says_how_its_documents_are() {
    let host = Host::new();
    host.write("flags.json", r#"{"f": {"x": {"stable": 1}}}"#);
    let server = ServerProcess::start(&host, "--document flags.json");
    let said = host.run(&format!("status --server {}", server.url)).code(0).said();
    for part in ["ready   yes", "flags   1 defined", "flags.json", "fresh"] {
        assert!(said.stdout.contains(part), "`{part}` is not in: {}", said.stdout);
    }
    let json = host.run(&format!("status --format json --server {}", server.url)).code(0).said().json();
    assert_eq!((&json[0]["ready"], &json[0]["status"]["flags"]), (&true.into(), &1.into()));
    host.write("flags.json", "{");
    until("the refusal", || {
        let said = host.run(&format!("status --server {}", server.url)).code(0).said();
        said.stdout.contains("refused").then_some(())
    });
    let without = ServerProcess::start(&host, "--document missing.json");
    let said = host.run(&format!("status --server {}", without.url)).code(1).said();
    assert!(said.stdout.contains("ready   no"), "{}", said.stdout);
}

#[test]
fn the_status_shows_locks_and_a_cache_that_cannot_be_used() {
    let (host, origin) = (Host::new(), Origin::start());
    let trouble =
        |message: &str| json!({"message": message, "since": "2026-01-01T00:00:00Z", "at": "2026-01-01T00:00:00Z"});
    let signature = json!({"is_expired": true, "rollback": {"version": 3, "seen": 7}, "error": null});
    let status = json!({
        "source": "flags.json", "health": "fresh", "served_from": "source", "flags": 1, "poisoned": {"body": "x"},
        "signature": signature, "cache": {"file": null, "error": "no space"}, "locks": {"error": trouble("not a list of locks")},
    });
    let answer = json!({"version": "0.1.0", "ready": true, "status": status});
    origin.always(Reply::ok(answer.to_string()).header("Content-Type", "application/json"));
    let said = host.run(&format!("status --server {}", origin.url(""))).code(0).said();
    for part in [
        "locks   cannot be read: not a list of locks",
        "the document is skipped",
        "rollback alarm: version 3 was sent after version 7",
        "the active document has expired",
        "cache: no space",
    ] {
        assert!(said.stdout.contains(part), "`{part}` is not in: {}", said.stdout);
    }
}

#[test]
fn a_backup_of_one_is_restored_in_another() {
    let host = Host::new();
    let first = ServerProcess::start(&host, "--data-dir first");
    host.run(&format!("activate x --create --server {}", first.url)).code(0).said();
    host.run(&format!("deactivate y --create --server {}", first.url)).code(0).said();
    let said = host.run(&format!("backup kept --server {}", first.url)).said();
    assert!(said.stderr.starts_with("wrote 2 registers to `kept`"), "{}", said.stderr);
    let second = ServerProcess::start(&host, "--data-dir second");
    host.run(&format!("restore kept --server {}", second.url)).code(0).said();
    host.run(&format!("on --server {} x", second.url)).code(0).said();
    host.run(&format!("on --server {} y", second.url)).code(1).said();
}

#[test]
fn a_restore_goes_in_batches_says_how_far_it_is_and_goes_on_where_it_was_stopped() {
    let host = Host::new();
    let serving = ServerProcess::start(&host, "--data-dir first");
    std::fs::write(host.path("large.backup"), crate::scripted_server::cluster::real_backup(2_100)).unwrap();
    host.run(&format!("restore large.backup --server {}", serving.url))
        .stderr("1000 of 2100 registers\n2000 of 2100 registers\nrestored 2100 of 2100 registers\n")
        .check();
    host.run(&format!("on --server {} f2099", serving.url)).code(0).said();
    host.run(&format!("deactivate f2099 --server {}", serving.url)).code(0).said();
    let again = host.run(&format!("restore large.backup --server {} --format json", serving.url)).said().json();
    assert_eq!((&again[0]["restored"], &again[0]["left"]), (&0.into(), &2_100.into()));
    host.run(&format!("on --server {} f2099", serving.url)).code(1).said();
}

#[test]
fn what_cannot_be_served_is_refused_before_anything_is_made() {
    let mut host = Host::new();
    for (line, word) in [
        ("serve --data-dir state --listen 0.0.0.0:0", "--listen-unprotected"),
        ("serve --data-dir state --listen nowhere", "127.0.0.1:8080"),
        ("serve --data-dir state --document ftp://host/x", "http"),
        ("serve --data-dir state --config missing.toml", "missing.toml"),
    ] {
        let said = host.run(line).said();
        assert!(said.code == 2 && said.stderr.contains(word), "{line}: {} {}", said.code, said.stderr);
    }
    host.set("TIDEGATE_PEERS", "10.0.0.7:7400");
    let said = host.run("serve --data-dir state").said();
    assert!(said.code == 7 && said.stderr.contains("tidegate cluster init"), "{} {}", said.code, said.stderr);
    assert!(!host.path("state").exists());
}

#[test]
fn one_folder_and_one_port_have_one_server() {
    let host = Host::new();
    let first = ServerProcess::start(&host, "--data-dir state");
    let said = host.run("serve --listen 127.0.0.1:0 --data-dir state").said();
    assert!(said.code == 7 && said.stderr.contains("state"), "{} {}", said.code, said.stderr);
    let place = first.url.trim_start_matches("http://");
    let said = host.run(&format!("serve --listen {place} --data-dir other")).said();
    assert!(said.code == 7 && said.stderr.contains("--listen"), "{} {}", said.code, said.stderr);
    assert!(!host.path("other").exists());
}

#[test]
fn a_change_of_a_misspelt_flag_is_no_success() {
    let host = Host::new();
    host.write("flags.json", r#"{"features": {"new_login": {"stable": false, "new": true, "lock": "new"}}}"#);
    let server = ServerProcess::start(&host, "--document flags.json --name one");
    let at = format!("--server {}", server.url);
    for line in ["activate features/new_logn", "deactivate features/new_logn", "percentage features/new_logn 5"] {
        host.run(&format!("{line} {at}"))
            .code(3)
            .stderr(
                "error: this node knows no flag `features/new_logn`; did you mean `features/new_login`?\n\
                 help: `tidegate flags` lists the flags of the server; --create creates a boolean flag; --elsewhere changes a flag \
                 that documents of other nodes define\n",
            )
            .check();
    }
    for line in ["clear features/new_logn", "hold features/new_logn"] {
        let said = host.run(&format!("{line} {at}")).code(3).said();
        assert!(said.stderr.contains("did you mean `features/new_login`?"), "{line}: {}", said.stderr);
    }
    host.run(&format!("clear features/new_login {at}"))
        .code(3)
        .stderr(
            "error: `features/new_login` has no activation on this node, so that there is nothing to clear\n\
             help: nothing was changed: the flag follows its ramp already\n",
        )
        .check();
    host.run(&format!("deactivate features/new_login {at}"))
        .stderr("`features/new_login` is deactivated: 100 % -> 0 %; acknowledged by 1 of 1 member (majority)\n")
        .check();
    host.run(&format!("clear features/new_login {at}"))
        .stderr("`features/new_login` is no longer activated: 0 % -> 100 %; acknowledged by 1 of 1 member (majority)\n")
        .check();
    host.run(&format!("activate features/not_here --elsewhere {at}"))
        .stderr(
            "`features/not_here` is activated for 100 %: caller's default -> caller's default; acknowledged by 1 of 1 member (majority)\n\
             note: the server has no definition of `features/not_here`: callers get their own defaults there\n",
        )
        .check();
    host.run(&format!("get --server {} features/not_here --key k --default 7", server.url)).stdout("7\n").check();
}

#[test]
fn explain_tells_how_old_the_data_of_the_server_is() {
    let host = Host::with(r#"{"f": {"x": {"stable": 1}}}"#);
    host.write("second.json", r#"{"g": {"y": {"stable": 2}}}"#);
    let server = ServerProcess::start(&host, "--document flags.json --document second.json");
    let data = |flag: &str| {
        let said = host.run(&format!("explain --server {} {flag} --format json", server.url)).said();
        said.json()[0]["data"].clone()
    };
    let fresh = data("f/x");
    assert_eq!((&fresh["server"], &fresh["source"]), (&json!(server.url), &json!("flags.json")), "{fresh}");
    assert_eq!((&fresh["health"], fresh["digest"].is_string()), (&json!("fresh"), true), "{fresh}");
    host.write("flags.json", "{");
    let refused = until("the server has seen it", || Some(data("f/x")).filter(|data| data["health"] == "refused"));
    assert!(refused["age_seconds"].as_f64().unwrap() > 0.0, "{refused}");
    assert!(refused["why"].is_string(), "{refused}");
    // A flag of the other document has the age of that one.
    assert_eq!(data("g/y")["health"], json!("fresh"));
    let said = host.run(&format!("explain --server {} f/x", server.url)).said();
    let line = said.stdout.lines().find(|line| line.starts_with("data ")).unwrap();
    assert!(line.contains(&server.url) && line.contains("flags.json, refused"), "{line}");
}

#[test]
fn define_shows_what_check_shows() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "");
    let entry = r#"{"stable": false, "new": true, "lokc": "new"}"#;
    host.write("entry.json", entry);
    let said = host.run(&format!("define --server {} f/x entry.json", server.url)).code(0).said();
    host.write("flags.json", format!("{{\"f\": {{\"x\": {entry}}}}}"));
    let checked = host.run("check flags.json").said();
    assert!(checked.stdout.contains("did you mean `lock`?"), "{}", checked.stdout);
    assert!(said.stderr.contains("did you mean `lock`?") && said.stderr.contains("entry.json:1:"), "{}", said.stderr);
    assert!(said.stderr.contains("`f/x` is defined"), "{}", said.stderr);
    host.write("entry.json", r#"{"stable": 1}"#);
    let said = host.run(&format!("define --server {} f/x entry.json", server.url)).code(0).said();
    assert!(said.stderr.starts_with("`f/x` is defined"), "{}", said.stderr);
}

#[test]
fn a_log_filter_that_cannot_be_read_is_wrong_usage() {
    for filter in ["verbose", "tidegate=loud", "info,verbose", "tidegate=info=debug", "[", "\u{fffd}"] {
        let mut host = Host::new();
        host.set("TIDEGATE_LOG", filter);
        let said = host.run("serve --listen 127.0.0.1:0").said();
        assert_eq!(said.code, 2, "{filter}: {}", said.stderr);
        let begin = format!("error: TIDEGATE_LOG is `{filter}`, which is not a log filter: ");
        assert!(said.stderr.starts_with(&begin), "{filter}: {}", said.stderr);
        assert!(said.stderr.contains("\nhelp: set it to error, warn, info"), "{filter}: {}", said.stderr);
    }
    for filter in ["", "info", "info,", "OFF", "warn,tidegate=debug", "info, hyper=off"] {
        let mut host = Host::new();
        host.set("TIDEGATE_LOG", filter);
        ServerProcess::start(&host, "");
    }
}

#[test]
fn the_clock_of_a_server_without_peers_is_judged_by_its_source() {
    let (host, origin) = (Host::new(), Origin::start());
    // Long ago: whatever the clock of this machine shows, it is ahead.
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    origin.always(Reply::ok(r#"{"f": {"x": {"stable": 1}}}"#).header("Date", date));
    let server = ServerProcess::start(&host, &format!("--document {}", origin.url("/flags.json")));
    server.logged(|line| line.contains("this host's clock is") && line.contains("s ahead of that of the source"));
    let said = host.run(&format!("status --server {}", server.url)).code(0).said();
    assert!(said.stdout.contains("s ahead of that of the source"), "{}", said.stdout);
    // It is unknown which of the two clocks is wrong, so changes are accepted.
    host.run(&format!("activate y --create --server {}", server.url)).code(0).said();
    let said = host.run(&format!("get {} f x", origin.url("/flags.json"))).code(0).said();
    assert!(said.stderr.starts_with("warning: this host's clock is about "), "{}", said.stderr);
}

/// The first line and the body of what is answered at a URL `http://address`.
fn ask(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn probes_are_answered_while_the_start_waits_for_its_documents() {
    let host = Host::new();
    let origin = Origin::start();
    origin.always(Reply::hang());
    let options = format!("--document {} --startup-wait 1m", origin.url("/flags.json"));
    let server = ServerProcess::starting(&host, &options);
    let line = server.logged(|line| line.contains("listening on http://"));
    let main = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    origin.wait_for_requests(1);
    for url in [&server.url, &main] {
        assert!(ask(url, "/healthz").starts_with("HTTP/1.1 200"), "{url}");
        let starting = ask(url, "/readyz");
        assert!(starting.starts_with("HTTP/1.1 503") && starting.contains("has been starting"), "{url}: {starting}");
    }
    origin.always(Reply::document(r#"{"f": {"x": {"stable": 1}}}"#));
    origin.close_connections();
    server.logged(|line| line.starts_with("listening on "));
    for url in [&server.url, &main] {
        until("the document", || ask(url, "/readyz").starts_with("HTTP/1.1 200").then_some(()));
    }
    assert_eq!(server.end("-TERM"), Some(0));
}

/// One shape of the cluster's status: what the library serializes, what the API answers and what the command line prints have
/// the same names, at every depth.
#[test]
fn the_status_of_a_cluster_has_one_shape() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "--data-dir state --cluster-listen 127.0.0.1:0 --startup-wait 0s");
    let printed = host.run(&format!("cluster status --format json --server {}", server.url)).said().json().remove(0);
    let answered = ask(&server.url, "/api/v1/cluster");
    let body = answered.split_once("\r\n\r\n").unwrap().1;
    let body = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    let answered: serde_json::Value = serde_json::from_str(body).unwrap();
    let read: tidegate::ClusterStatus = serde_json::from_value(answered.clone()).unwrap();
    let library = serde_json::to_value(&read).unwrap();
    let live = tidegate::Live::in_memory();
    let tide = tidegate::Tidegate::builder().live(live).without_locks().connect().unwrap();
    let own = serde_json::to_value(tide.cluster().unwrap().status().unwrap()).unwrap();
    assert_eq!(names(&answered, ""), names(&printed, ""), "API and command line");
    assert_eq!(names(&answered, ""), names(&library, ""), "API and library");
    let top = |status: &serde_json::Value| status.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(top(&answered), top(&own), "a cluster of processes and one in a program");
    assert!(names(&answered, "").len() > 20, "{answered}");
}

/// The path of each field.
fn names(json: &serde_json::Value, path: &str) -> std::collections::BTreeSet<String> {
    match json {
        serde_json::Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| {
                let path = format!("{path}/{name}");
                names(field, &path).into_iter().chain([path])
            })
            .collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(|item| names(item, &format!("{path}[]"))).collect(),
        _ => std::collections::BTreeSet::new(),
    }
}
