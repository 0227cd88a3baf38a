//! Documents from the network: one request a command, the cache when the source is unreachable, secrets.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tidegate_origin::{Origin, Reply};

use crate::run::Host;

const GOOD: &str = r#"{"f": {"x": {"stable": 1}}}"#;
const NEWER: &str = r#"{"f": {"x": {"stable": 2}}}"#;
const BAD: &str = "{\"f\": {\"x\": {\"new\": 2}}}";

#[test]
fn one_request_a_command_and_only_new_bodies_travel() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::document(GOOD).tag("\"1\""));
    let get = format!("get {} f x", origin.url("/flags.json"));
    host.run(&get).stdout("1\n").check();
    host.run(&get).stdout("1\n").check();
    origin.always(Reply::document(NEWER).tag("\"2\""));
    host.run(&get).stdout("2\n").check();
    host.run(&get).stdout("2\n").check();
    let conditions: Vec<Option<String>> =
        origin.requests().iter().map(|request| request.condition().map(str::to_owned)).collect();
    let tag = |tag: &str| Some(tag.to_owned());
    assert_eq!(conditions, [None, tag("\"1\""), tag("\"1\""), tag("\"2\"")]);
}

#[test]
fn the_cache_answers_when_the_source_is_unreachable() {
    let (host, origin) = (Host::new(), Origin::start());
    let url = origin.url("/flags.json");
    origin.script([Reply::document(GOOD), Reply::status(503)]);
    host.run(&format!("get {url} f x")).stdout("1\n").check();
    let said = host.run(&format!("get {url} f x")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("1\n", 0));
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    let start = format!("warning: `{url}` is unreachable; using the cached document, ");
    assert!(
        said.stderr.starts_with(&start) && said.stderr.contains(" old: the origin answered 503"),
        "{}",
        said.stderr
    );
    let data = host.run(&format!("explain {url} f x --format json")).said().json()[0]["data"].clone();
    assert_eq!(data["health"], json!("stale"));
    assert!(data["why"].as_str().unwrap().contains("503"), "{data}");
}

#[test]
fn nothing_cached_and_away_is_code_4() {
    let (host, origin) = (Host::new(), Origin::start());
    let url = origin.url("/flags.json");
    origin.always(Reply::status(404));
    let said = host.run(&format!("get {url} f x")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("", 4));
    assert!(
        said.stderr.starts_with(&format!("error: cannot read `{url}`: the origin answered 404")),
        "{}",
        said.stderr
    );
    for line in [
        "on {} f x",
        "explain {} f x",
        "when {} f x",
        "list {}",
        "plan {}",
        "check {}",
        "simulate {} f x --population 1",
    ] {
        assert_eq!(host.run(&line.replace("{}", &url)).said().code, 4, "{line}");
    }
    let said = host.run("get nowhere.json f x").said();
    assert_eq!(said.code, 4);
    assert!(said.stderr.starts_with("error: file `nowhere.json` does not exist"), "{}", said.stderr);
}

#[test]
fn with_a_default_it_is_as_if_the_default_had_been_read() {
    let (host, origin) = (Host::new(), Origin::start());
    let url = origin.url("/flags.json");
    for (reply, why) in [(Reply::status(404), "the origin answered 404"), (Reply::document(BAD), "is refused")] {
        origin.always(reply);
        for (line, stdout, code) in [
            ("get {} f x --default 7", "7\n", 0),
            ("on {} f x --default true", "", 0),
            ("on {} f x --default false", "", 1),
            ("get nowhere.json f x --default 7", "7\n", 0),
            ("on nowhere.json f x --default false", "", 1),
        ] {
            let said = host.run(&line.replace("{}", &url)).said();
            assert_eq!((said.stdout.as_str(), said.code), (stdout, code), "{line}: {}", said.stderr);
            assert!(said.stderr.contains("warning: ") && said.stderr.contains("; using the default"), "{line}");
            let why = if line.contains("nowhere") { "does not exist" } else { why };
            assert!(said.stderr.contains(why), "{line}: {}", said.stderr);
        }
    }
    // What is wrong with the question is no answer.
    let said = host.run("on nowhere.json f x --default false --trusted-key nowhere").said();
    assert_eq!(said.code, 2, "{}", said.stderr);
}

#[test]
fn a_refused_document_is_code_5_or_the_cache() {
    let (host, origin) = (Host::new(), Origin::start());
    let url = origin.url("/flags.json");
    origin.script([Reply::document(BAD), Reply::document(GOOD), Reply::document(BAD)]);
    let said = host.run(&format!("get {url} f x")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("", 5));
    assert_eq!(
        said.stderr,
        format!(
            "error[E030]: `stable` is missing, so keys that do not have `new` would have no value\n\
             --> {url}:1:8\n = at: f.x\n\
             \x20= help: add the value from before the change, such as `\"stable\": false`\n\n\
             error: the document from `{url}` is refused\n"
        )
    );
    host.run(&format!("get {url} f x")).stdout("1\n").check();
    let said = host.run(&format!("get {url} f x")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("1\n", 0));
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    let start = format!("warning: the document from `{url}` is refused; using the cached one, ");
    assert!(said.stderr.starts_with(&start) && said.stderr.contains("E030"), "{}", said.stderr);

    host.write("bad.json", BAD);
    let said = host.run("get bad.json f x").said();
    assert_eq!(said.code, 5);
    assert!(said.stderr.contains("1 | {\"f\": {\"x\": {\"new\": 2}}}\n  |        ^^^ f.x\n"), "{}", said.stderr);
    host.write("large.json", " ".repeat(16 * 1024 * 1024 + 1));
    let said = host.run("get large.json f x").said();
    assert_eq!((said.stdout.as_str(), said.code), ("", 5));
    assert!(said.stderr.starts_with("error[E001]") && said.stderr.contains("DOCUMENT_BYTES_MAX"), "{}", said.stderr);
    let said = host.run("get - f x").stdin(BAD).said();
    assert_eq!(said.code, 5);
    assert!(said.stderr.contains(" --> standard input:1:8\n"), "{}", said.stderr);
}

#[test]
fn offline_sends_no_request() {
    let (host, origin) = (Host::new(), Origin::start());
    let url = origin.url("/flags.json");
    origin.always(Reply::document(GOOD));
    let said = host.run(&format!("get {url} f x --offline")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("", 4));
    assert!(said.stderr.starts_with(&format!("error: no document of `{url}` is cached\n")), "{}", said.stderr);
    host.run(&format!("get {url} f x")).stdout("1\n").check();
    let said = host.run(&format!("get {url} f x --offline")).said();
    assert_eq!((said.stdout.as_str(), said.code), ("1\n", 0));
    assert!(said.stderr.starts_with("note: offline: using the cached document, "), "{}", said.stderr);
    assert_eq!(host.run(&format!("check {url} --offline")).said().code, 0);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn names_keep_caches_apart_and_files_have_none() {
    let host = Host::with(GOOD);
    host.run("get flags.json f x").stdout("1\n").check();
    assert!(!host.path("cache").exists());
    host.run("get flags.json f x --cache mine").stdout("1\n").check();
    std::fs::remove_file(host.path("flags.json")).unwrap();
    let said = host.run("get flags.json f x --cache mine").said();
    assert_eq!((said.stdout.as_str(), said.code), ("1\n", 0));
    assert_eq!(host.run("get flags.json f x --cache other").said().code, 4);
    assert_eq!(host.run("get flags.json f x --cache").word("").said().code, 2);
    let mode = host.path("cache/tidegate").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_slow_source_is_not_waited_for_longer_than_asked() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::hang());
    let before = std::time::Instant::now();
    let said = host.run(&format!("get {} f x --timeout 200ms", origin.url("/"))).said();
    assert_eq!(said.code, 4);
    assert!(said.stderr.contains("timed out"), "{}", said.stderr);
    // Far below the ten seconds that it would take otherwise.
    assert!(before.elapsed() < std::time::Duration::from_secs(8));
}

#[test]
fn headers_are_sent_and_never_shown() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::document(GOOD));
    host.write("secrets", "# for the origin\n\nAuthorization: Bearer hush-1\nX-Team:  web \n");
    let url = origin.url("/flags.json?key=hush-2").replace("http://", "http://me:hush-3@");
    let said = host.run(&format!("explain {url} f x --header-file secrets --header")).word("X-Plain: yes").said();
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    assert!(!said.stdout.contains("hush"), "{}", said.stdout);
    let request = &origin.requests()[0];
    assert_eq!(request.header("Authorization"), Some("Bearer hush-1"));
    assert_eq!((request.header("X-Team"), request.header("X-Plain")), (Some("web"), Some("yes")));

    origin.always(Reply::status(403));
    let said = host.run(&format!("get {url} f x --cache other --header-file secrets")).said();
    assert_eq!(said.code, 4);
    assert!(!said.stderr.contains("hush"), "{}", said.stderr);
    let said = host.run(&format!("get {url} f x --offline --header")).word("Authorization: hush-4").said();
    assert_eq!(
        said.stderr.lines().next().unwrap(),
        "warning: other users of this host can see the value of `Authorization` in the list of processes; use --header-file"
    );
    assert!(!said.stderr.contains("hush"), "{}", said.stderr);

    host.write("secrets", "Authorization hush-5\n");
    let said = host.run(&format!("get {url} f x --header-file secrets")).said();
    assert_eq!(said.code, 2);
    assert_eq!(
        said.stderr,
        "error: cannot use the headers in `secrets`: line 1: there is no colon; write it as `Name: value`\n"
    );
}

#[test]
fn a_url_that_is_none() {
    let host = Host::new();
    for url in ["http://", "https://[::1", "ftp://example/x", "file:///x"] {
        let said = host.run(&format!("get {url} f x")).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{url}: {}", said.stderr);
        assert!(said.stderr.starts_with("error: "), "{url}: {}", said.stderr);
    }
}
