//! Tags, dates and caches between us and the origin (F50 to F53): asked conditionally whenever it is safe, and
//! never told that "nothing has changed" about a document that is not there.
//!
//! | F | the origin | a reader saw |
//! |---|---|---|
//! | 50 | strong and weak tags, dates, gzip, chunks | version 1; after the first, only 304 |
//! | 51 | no tag, an empty, unquoted, huge, binary one | version 1, then 2 |
//! | 52 | 304 although there is nothing; the cache deleted or damaged | the defaults, then version 1 |
//! | 53 | one tag for two bodies, a new tag each time, two bodies in turn, 304 with another tag | version 1, then 2 |

use std::fs;
use std::path::PathBuf;

use tidegate::{Health, Tidegate};
use tidegate_origin::{Origin, Reply};

use super::support::{Host, Reader, document, reply, until, version};

/// An origin whose unchanged document is not sent again.
fn check_conditional(name: &str, first: Reply, condition: &str) {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(first);
    let tide = host.builder_of(&origin).connect().unwrap();
    origin.wait_for_requests(3);
    origin.clear_requests();
    let sent_before = origin.bytes_sent();
    let requests = origin.wait_for_requests(5);
    let sent = origin.bytes_sent() - sent_before;
    for request in &requests {
        assert_eq!(request.condition(), Some(condition), "{name}");
        assert!(request.bytes < 512, "{name}: a request of {} bytes", request.bytes);
    }
    assert!(sent / 4 < 512, "{name}: {sent} bytes for {} answers", requests.len());
    assert!(requests.iter().all(|request| request.connection == requests[0].connection), "{name}: one connection");
    assert_eq!((version(&tide), tide.status().health), (1, Health::Fresh), "{name}");
}

#[test]
fn an_unchanged_document_is_not_sent_again() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let plain = || Reply::document(document(1));
    check_conditional("strong tag", plain().tag("\"a\""), "\"a\"");
    check_conditional("weak tag", plain().tag("W/\"a\""), "W/\"a\"");
    check_conditional("gzip", plain().tag("\"a\"").gzip(), "\"a\"");
    check_conditional("chunked", plain().tag("\"a\"").chunked(), "\"a\"");
    check_conditional("only a date", plain().header("Last-Modified", date), date);
    check_conditional("tag and date", plain().tag("\"a\"").header("Last-Modified", date), "\"a\"");
    check_conditional("to be kept by caches", plain().tag("\"a\"").header("Cache-Control", "max-age=3600"), "\"a\"");
}

/// An origin with a tag that is not worth the name: everything still works.
fn check_tagless(name: &str, with_tag: impl Fn(Reply) -> Reply) {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(with_tag(Reply::ok(document(1))));
    let tide = host.builder_of(&origin).connect().unwrap();
    origin.wait_for_requests(3);
    origin.always(with_tag(Reply::ok(document(2))));
    until(name, || version(&tide) == 2);
    for request in origin.requests() {
        let tag = request.header("If-None-Match");
        let is_bad = |tag: &str| ["", "\"\"", "*", "\"a\", \"b\""].contains(&tag) || tag.len() > 1024;
        assert!(!tag.is_some_and(is_bad), "{name}: {tag:?}");
    }
    assert_eq!(tide.status().health, Health::Fresh, "{name}");
}

#[test]
fn tags_that_are_none() {
    check_tagless("no tag", |reply| reply);
    check_tagless("empty", |reply| reply.tag(""));
    check_tagless("empty in quotes", |reply| reply.tag("\"\""));
    check_tagless("any version", |reply| reply.tag("*"));
    check_tagless("a list", |reply| reply.tag("\"a\", \"b\""));
    check_tagless("unquoted", |reply| reply.tag("abc"));
    check_tagless("huge", |reply| reply.tag(format!("\"{}\"", "x".repeat(10_000))));
    check_tagless("control characters", |reply| reply.tag("\"a\x01b\""));
    check_tagless("not ASCII", |reply| reply.tag(b"\"\xff\xfe\""));
}

#[test]
fn not_modified_although_there_is_nothing() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::not_modified());
    let tide = host.builder_of(&origin).connect().unwrap();
    let status = tide.status();
    assert_eq!((version(&tide), status.health), (0, Health::Stale));
    assert!(status.last_error.unwrap().message.contains("not modified"));
    origin.always(reply(1));
    until("the document is there", || version(&tide) == 1);
}

/// The only file of the cache with this ending.
fn cache_file(host: &Host, ending: &str) -> PathBuf {
    let entries = fs::read_dir(host.cache()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// After a restart with a cache on which `damage` was done: how the first request asks.
fn check_damage(name: &str, condition: Option<&str>, damage: impl Fn(PathBuf)) {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    drop(host.builder_of(&origin).connect().unwrap());
    damage(cache_file(&host, "document"));
    origin.clear_requests();
    let tide = host.builder_of(&origin).startup_wait(std::time::Duration::from_secs(20)).connect().unwrap();
    assert_eq!(origin.requests()[0].condition(), condition, "{name}");
    assert_eq!(version(&tide), 1, "{name}");
    until(name, || tide.status().health == Health::Fresh);
}

#[test]
fn a_tag_never_outlives_its_document() {
    check_damage("nothing", Some("\"v1\""), |_| {});
    check_damage("deleted", None, |file| fs::remove_file(file).unwrap());
    check_damage("emptied", None, |file| fs::write(file, "").unwrap());
    check_damage("cut", None, |file| {
        let content = fs::read(&file).unwrap();
        fs::write(file, &content[..content.len() - 1]).unwrap();
    });
    check_damage("one bit", None, |file| {
        let mut content = fs::read(&file).unwrap();
        let last = content.len() - 3;
        content[last] ^= 1;
        fs::write(file, content).unwrap();
    });
}

fn connect(host: &Host, origin: &Origin) -> Tidegate {
    host.builder_of(origin).connect().unwrap()
}

#[test]
fn one_tag_for_two_bodies() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::ok(document(1)).tag("\"same\""));
    let tide = connect(&host, &origin);
    origin.always(Reply::ok(document(2)).tag("\"same\""));
    until("the content decides", || version(&tide) == 2);
}

#[test]
fn conditions_are_ignored_and_tags_change_each_time() {
    let (host, origin) = (Host::new(), Origin::start());
    let tags = (0..10).map(|number| Reply::ok(document(1)).tag(format!("\"{number}\"")));
    origin.script(tags);
    let tide = connect(&host, &origin);
    let mut changes = tide.subscribe();
    origin.wait_for_requests(12);
    assert_eq!(changes.try_recv(), Ok(None), "the same content is no change");
    assert_eq!(tide.status().flip_flops, 0);
    until("the last tag is used", || origin.requests().last().unwrap().condition() == Some("\"9\""));
}

#[test]
fn subscribers_learn_which_flags_a_new_document_changes() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = connect(&host, &origin);
    let mut changes = tide.subscribe();
    origin.always(reply(2));
    let told = changes.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    let flags: Vec<String> = told.flags.listed().unwrap().iter().map(ToString::to_string).collect();
    assert!(told.document && !told.health, "{told:?}");
    assert_eq!(flags, ["features/version"], "and not those whose entries are as before");
    origin.always(Reply::ok("no document"));
    let told = changes.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    assert!(told.health && !told.document && told.flags.is_empty(), "{told:?}");
}

#[test]
fn not_modified_with_another_tag() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.script([reply(1), Reply::not_modified().tag("\"v9\"")]);
    let tide = connect(&host, &origin);
    let requests = origin.wait_for_requests(4);
    assert!(requests[1..].iter().all(|request| request.condition() == Some("\"v1\"")));
    assert_eq!((version(&tide), tide.status().health), (1, Health::Fresh));
}

#[test]
fn two_documents_in_turn_are_counted_and_damped() {
    let (host, origin) = (Host::new(), Origin::start());
    let turns = (0..40).map(|turn| Reply::ok(document(1 + turn % 2)).tag(format!("\"v{}\"", turn % 2)));
    origin.script(turns.chain([reply(2)]));
    let tide = connect(&host, &origin);
    let reader = Reader::start(&tide, &[1, 2]);
    let mut changes = tide.subscribe();
    let mut count = 0;
    while origin.requests().len() < 40 {
        if changes.recv_timeout(std::time::Duration::from_millis(20)).is_ok_and(|changes| changes.document) {
            count += 1;
        }
    }
    assert!(count <= 4, "{count} changes for 40 documents in turn");
    assert!(tide.status().flip_flops > 10, "{} returns", tide.status().flip_flops);
    until("what stays is taken", || version(&tide) == 2);
    reader.finish();
}
