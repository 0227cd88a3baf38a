//! `lock`, `unlock`, `locks`: pins on this host, and that they go before everything.

use serde_json::{Value, json};

use crate::run::Host;

const FLAGS: &str = r#"{"features": {"x": {"stable": false, "new": true}}}"#;

#[test]
fn a_lock_goes_before_the_document() {
    let host = Host::with(FLAGS);
    let who = format!("dana@{}", rustix::system::uname().nodename().to_str().unwrap());
    host.run("get flags.json features x").stdout("false\n").check();
    host.run("lock features x new --reason")
        .word("INC-1: try it")
        .stderr("`features/x` is locked to new on this host until it is unlocked\n")
        .check();
    host.run("get flags.json features x").stdout("true\n").check();
    host.run("on flags.json features/x").code(0).check();
    let line = host.run("explain flags.json features x --format json").said().json().remove(0);
    assert_eq!((&line["rule"], &line["value"], &line["reason"]), (&json!("host_lock"), &json!(true), &json!("STATIC")));
    assert_eq!(line["lock"], json!({"variant": "new", "actor": who, "reason": "INC-1: try it", "until": null}));
    let said = host.run("explain flags.json features x").said();
    let rule = format!("rule         host_lock: {who} locked it to new on this host: INC-1: try it\n");
    assert!(said.stdout.contains(&rule), "{}", said.stdout);
    assert!(host.run("list flags.json").said().stdout.contains("locked here to new"));

    host.run("lock features/x stable --actor ops --reason again")
        .stderr(&format!(
            "note: this replaces the lock to new by {who}: INC-1: try it\n\
             `features/x` is locked to stable on this host until it is unlocked\n"
        ))
        .check();
    host.run("get flags.json features x").stdout("false\n").check();
    host.run("unlock features x").stderr("`features/x` is no longer locked to stable on this host\n").check();
    host.run("unlock features/x").stderr("note: `features/x` was not locked on this host\n").check();
    assert!(host.run("locks").said().stderr.starts_with("note: no locks on this host"));
}

#[test]
fn a_value_works_for_an_unknown_flag() {
    let host = Host::with(FLAGS);
    host.run("lock limits batch --reason test --value").word("{ \"size\": [1.50, -1] }").said();
    host.run("get flags.json limits batch").stdout("{\"size\":[1.50,-1]}\n").check();
    // Also where there is no document at all.
    host.run("get nowhere.json limits/batch").stdout("{\"size\":[1.50,-1]}\n").check();
    assert_eq!(host.run("get nowhere.json features/x").said().code, 4);
    host.run("lock negative --reason test --value -5")
        .stderr("`flags/negative` is locked to -5 on this host until it is unlocked\n")
        .check();
    host.run("on flags.json negative").code(2).stderr(&host.run("on flags.json negative").said().stderr).check();
    // The lock says which of the flag's values, and this flag has none.
    host.run("lock features y new --reason test").said();
    assert_eq!(host.run("get flags.json features y").said().code, 3);
}

#[test]
fn a_lock_may_end_by_itself() {
    let host = Host::with(FLAGS);
    let said = host.run("lock features x new --reason test --until 2h").said();
    assert!(
        said.stderr.contains("`features/x` is locked to new on this host until 2")
            && said.stderr.ends_with(", in 2h\n"),
        "{}",
        said.stderr
    );
    let lock = host.run("locks --format json").said().json().remove(0);
    assert_eq!(
        (&lock["flag"], &lock["variant"], &lock["expired"]),
        (&json!("features/x"), &json!("new"), &json!(false))
    );
    let until = lock["until"].as_str().unwrap();
    let line = host.run("explain flags.json features x --format json").said().json().remove(0);
    assert_eq!(line["valid_until"], json!(until));
    // At that instant it is over.
    host.run("get flags.json features x --at").word(until).stdout("false\n").check();
    host.write("state/tidegate/locks.json", lock_text("2020-01-01T00:00:00Z"));
    host.run("get flags.json features x").stdout("false\n").check();
    assert!(host.run("locks").said().stdout.contains("2020-01-01 00:00Z  expired "));
    assert_eq!(host.run("lock features x new --reason test --until 0s").said().code, 2);
}

fn lock_text(until: &str) -> String {
    json!({"locks": [{"flag": "features/x", "variant": "new", "actor": "a", "reason": "b", "until": until}]})
        .to_string()
}

#[test]
fn a_file_that_cannot_be_read_is_said_and_kept() {
    let mut host = Host::with(FLAGS);
    let locks = host.path("elsewhere/locks.json");
    host.set("TIDEGATE_LOCKS", locks.to_str().unwrap());
    host.run("lock features x new --reason test").said();
    host.run("get flags.json features x").stdout("true\n").check();
    std::fs::write(&locks, "{\"locks\": [{\"flag\": 1}]}").unwrap();
    for line in ["lock features x stable --reason test", "unlock features x", "locks"] {
        let said = host.run(line).said();
        assert_eq!(said.code, 7, "{line}: {}", said.stderr);
        assert!(said.stderr.contains("is not a list of locks"), "{line}: {}", said.stderr);
    }
    // A lock may say the opposite of the document, so there is no answer for this host, whatever default there is.
    for line in [
        "get flags.json features x",
        "get flags.json features x --default 1",
        "on flags.json features x --default true",
        "explain flags.json features x",
        "list flags.json",
        "watch flags.json features x",
    ] {
        let said = host.run(line).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 7), "{line}: {}", said.stderr);
        assert!(said.stderr.starts_with("error: cannot read the locks of this host: "), "{line}: {}", said.stderr);
        assert!(said.stderr.contains("`locks[0]`: `flag` is not a text"), "{line}: {}", said.stderr);
    }
    // What is asked about a fleet leaves locks aside.
    for line in ["when flags.json features x", "plan flags.json", "simulate flags.json features x --population 1"] {
        let said = host.run(line).said();
        assert_eq!(said.code, 0, "{line}: {}", said.stderr);
        assert!(said.stderr.starts_with("warning: cannot read the locks of this host: "), "{line}: {}", said.stderr);
    }
    assert_eq!(std::fs::read_to_string(&locks).unwrap(), "{\"locks\": [{\"flag\": 1}]}");
}

#[test]
fn what_is_typed_wrongly() {
    let host = Host::new();
    let wrong = [
        (
            "lock features x on --reason t",
            "error: `on` is not `stable` or `new`\nhelp: name the one to lock the flag to, or give any value with --value\n",
        ),
        (
            "lock features/x --reason t",
            "error: no value to lock the flag to\nhelp: add `stable` or `new`, or give any value with --value\n",
        ),
        (
            "lock a b stable --value 1 --reason t",
            "error: too many arguments beside --value\nhelp: leave out either `stable` or `new`, or --value\n",
        ),
    ];
    for (line, stderr) in wrong {
        host.run(line).code(2).stderr(stderr).check();
    }
    for line in
        ["lock a b stable", "lock --reason t", "lock a b c d --reason t", "unlock", "lock a b --reason t --value nope"]
    {
        assert_eq!(host.run(line).said().code, 2, "{line}");
    }
}

#[test]
fn locks_of_others_cannot_act_on_the_terminal() {
    let host = Host::new();
    host.run("lock x --value 1 --reason").word("a\u{1b}[2Jb\u{202e}").said();
    let said = host.run("locks").said();
    assert!(said.stdout.contains("a\\u{1b}[2Jb\\u{202e}"), "{}", said.stdout);
    let line: Value = host.run("locks --format json").said().json().remove(0);
    assert_eq!(line["reason"], json!("a\u{1b}[2Jb\u{202e}"));
}
