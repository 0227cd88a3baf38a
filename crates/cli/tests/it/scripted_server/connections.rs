//! Servers that are unreachable or something else, and how a server is named.

use std::io::{BufRead as _, BufReader};

use tidegate_origin::{Origin, Reply};

use super::json_reply;
use crate::run::Host;

#[test]
fn no_server_is_listening() {
    let mut host = Host::new();
    // The port was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = format!(
        "error: no server is listening at `http://{address}`\n\
         help: start one with `tidegate serve`, or name another one with --server\n"
    );
    for line in
        ["activate x", "percentage x 1", "hold x", "clear x", "flags", "history x", "backup -", "cluster status"]
    {
        host.run(line).words(&format!("--server {address}")).code(4).stderr(&error).check();
    }
    for line in ["get", "on", "explain", "when", "watch"] {
        host.run(line).words(&format!("--server http://{address} x")).code(4).stderr(&error).check();
    }
    let warning = format!("warning: no server is listening at `http://{address}`; using the default\n");
    host.run(&format!("get --server {address} x --default 5")).stdout("5\n").stderr(&warning).check();
    host.run(&format!("on --server {address} x --default false")).code(1).stderr(&warning).check();
    host.run(&format!("on --server {address} x --default true")).stderr(&warning).check();
    host.set("TIDEGATE_SERVER", &address.to_string());
    host.run("flags").code(4).stderr(&error).check();
    host.set("TIDEGATE_SERVER", "ftp://x");
    host.run("flags")
        .code(2)
        .stderr(
            "error: invalid value 'ftp://x' for '--server <URL>': `ftp` is not supported; use http or https\n\n  \
             tip: the value is that of the variable TIDEGATE_SERVER\n\nFor more information, try '--help'.\n",
        )
        .check();
}

#[test]
fn a_server_that_does_not_answer() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::hang());
    let server = origin.url("");
    host.run(&format!("get --server {server} x --timeout 200ms"))
        .code(4)
        .stderr(&format!("error: the server at `{server}` did not answer in 0.2 s\n"))
        .check();
}

#[test]
fn a_server_of_something_else() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    origin.always(Reply::ok("<html>").with_status(502));
    host.run(&format!("flags --server {server}"))
        .code(4)
        .stderr(&format!(
            "error: the server at `{server}` answers 502 Bad Gateway\n\
             help: is it a Tidegate server? Name another one with --server\n"
        ))
        .check();
    origin.always(Reply::redirect(302, "http://127.0.0.1:1/"));
    assert_eq!(host.run(&format!("deactivate x --server {server}")).said().code, 4);
    origin.always(json_reply("{}"));
    host.run(&format!("flags --server {server}"))
        .code(4)
        .stderr(&format!(
            "error: unexpected response from `{server}`: missing field `flags` at line 1 column 2\n\
             help: is it a Tidegate server, of this version or a newer one?\n"
        ))
        .check();
    let said = host.run(&format!("explain x --server {server}")).said();
    assert_eq!(said.code, 4, "{}", said.stderr);
}

/// The variable is a default: it answers a flag alone, and whatever names a document goes before it.
#[test]
fn the_variable_names_the_server_of_every_command() {
    let (mut host, origin) = (Host::new(), Origin::start());
    host.write("flags.json", r#"{"f": {"x": {"stable": 1}}}"#);
    let decision =
        r#"{"flag":"f/x","value":2,"variant":"stable","reason":"STATIC","rule":"ramp","flips":{"on":null,"off":null}}"#;
    origin.script_at("/api/v1/flags/f/x/decision?key=k", [json_reply(decision)]);
    host.set("TIDEGATE_SERVER", &origin.url(""));
    host.run("get f/x --key k").stdout("2\n").check();
    host.run("on f/x --key k").code(2).said();
    assert!(host.run("explain f/x --key k").code(0).said().stdout.contains("value        2"));
    host.run("when f/x --key k").code(0).said();
    assert_eq!(origin.requests().iter().filter(|request| request.target.ends_with("decision?key=k")).count(), 4);
    origin.clear_requests();
    // Two words, or an option for documents, name a document.
    host.run("get flags.json f x").stdout("1\n").check();
    host.run("get flags.json f/x").stdout("1\n").check();
    let said = host.run("get flags.json --offline").code(2).said();
    assert!(said.stderr.contains("no flag given"), "{}", said.stderr);
    // A single word is a flag, except for `watch`, which needs none, where there is such a file.
    host.run("get flags.json").code(4).said();
    assert!(origin.requests().last().unwrap().target.starts_with("/api/v1/flags/flags/flags.json/"));
    let mut watch = host.run("watch flags.json").start();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains(r#""event":"document""#), "{first}");
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(origin.requests().iter().all(|request| request.target.contains("flags.json")));
    // Set to nothing, it counts as unset.
    host.set("TIDEGATE_SERVER", "");
    host.run("get f/x --key k").code(2).said();
}

#[test]
fn what_is_typed_wrongly() {
    let host = Host::with("{}");
    for line in ["activate x", "cluster forget c", "cluster repair-clock", "restore flags.json"] {
        for option in ["--reason", "--actor"] {
            let said = host.run(line).word(option).word("").said();
            assert!(said.code == 2 && said.stderr.contains(option), "{line} {option}: {}", said.stderr);
        }
    }
    host.run("get --server x:1 a b c")
        .code(2)
        .stderr(
            "error: too many arguments beside --server\n\
             help: with --server give the flag alone: there is no document\n",
        )
        .check();
    host.run("on flags.json")
        .code(2)
        .stderr("error: no flag given\nhelp: give its key, as `features/x`, or section and name\n")
        .check();
    for line in [
        "get",
        "get --server x:1",
        "get --server x:1 f --offline",
        "watch --server x:1 f --poll 1s",
        "percentage x",
        "percentage x 101",
        "percentage x -1",
        "activate x --until yesterday",
        "activate x --ack most",
        "activate",
        "history x --limit -1",
        "get --server http://me:secret@x f",
    ] {
        let said = host.run(line).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{line}: {}", said.stderr);
    }
}
