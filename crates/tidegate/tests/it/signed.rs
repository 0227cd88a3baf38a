//! What a reader sees where only signed documents are taken (F61): version 42, always, until 44 has come.
//!
//! | the origin has | a reader saw | and the status |
//! |---|---|---|
//! | a document without `.minisig`, or something else in its place | 42, then 44 | refused |
//! | a signature of another document, by another key, of the old kind | 42, then 44 | refused |
//! | a document for another environment, for none, or without a version | 42, then 44 | refused |
//! | version 41, or another document of version 42 | 42, then 44 | refused, rollback alarm |
//! | a document that is over | 42, then 44 | refused |
//! | a signature that cannot be fetched | 42, then 44 | stale |
//! | nothing new when the active document expires | 42 | expired |

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tidegate::{Builder, Clock, ConnectError, Fetched, Health, ServedFrom, Source, Status, Tidegate, parse_time};
use tidegate_origin::{Origin, Reply};

use super::support::{Host, Reader, document, reply, until, version};

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../signed/", $name))
    };
}

const FIRST: &str = data!("only-for-tests-first.pub");
const SECOND: &str = data!("only-for-tests-second.pub");

/// A document and what lies beside it.
type Published = (&'static str, Option<&'static str>);

const V41: Published = (data!("v41.json"), Some(data!("v41.json.minisig")));
const V42: Published = (data!("v42.json"), Some(data!("v42.json.minisig")));
const V43: Published = (data!("v43.json"), Some(data!("v43.json.minisig")));
const V44: Published = (data!("v44.json"), Some(data!("v44.json.minisig")));

fn january() -> Clock {
    Clock::manual(parse_time("2026-01-15 00:00Z").unwrap())
}

fn trusting(builder: Builder, keys: &[&str]) -> Builder {
    let builder = builder.environment("test").clock(january());
    keys.iter().fold(builder, |builder, key| builder.trusted_key(key).unwrap())
}

fn builder(host: &Host, origin: &Origin) -> Builder {
    trusting(host.builder_of(origin), &[FIRST]).cache_name("app")
}

/// The signature first, so that at no time there is a new document with an old signature.
fn publish(origin: &Origin, (body, signature): Published) {
    origin.script_at("/flags.json.minisig", [signature.map_or(Reply::status(404), Reply::ok)]);
    let mut hash = DefaultHasher::new();
    (body, signature).hash(&mut hash);
    origin.script_at("/flags.json", [Reply::document(body).tag(format!("\"{}\"", hash.finish()))]);
}

struct Row {
    name: &'static str,
    published: Published,
    health: Health,
    words: &'static str,
    is_alarm: bool,
}

fn refused(name: &'static str, published: Published, words: &'static str) -> Row {
    Row { name, published, health: Health::Refused, words, is_alarm: false }
}

#[test]
fn whatever_is_not_signed_for_us_leaves_the_last_good_document() {
    let v42 = V42.0;
    check(&refused("no signature", (V43.0, None), "not signed"));
    check(&refused("not a signature", (V43.0, Some("<html>")), "not one of minisign"));
    check(&refused("an empty signature", (V43.0, Some("")), "not one of minisign"));
    check(&refused("a signature of another document", (V43.0, V42.1), "not of this document"));
    check(&refused("unknown key", (v42_changed(), Some(data!("v42.stranger.minisig"))), "which is not trusted here"));
    check(&refused("a key not yet trusted", (V43.0, Some(data!("v43.second.minisig"))), "5486C1CB03A783CF"));
    check(&refused("the old kind", (v42_changed(), Some(data!("v42.legacy.minisig"))), "legacy format"));
    check(&refused("a byte was added", (Box::leak(format!("{v42} ").into()), V42.1), "not of this document"));
    let staging = (data!("v43-staging.json"), Some(data!("v43-staging.json.minisig")));
    check(&refused("for another environment", staging, "for `staging`, but this is `test`"));
    let nowhere = (data!("v43-nowhere.json"), Some(data!("v43-nowhere.json.minisig")));
    check(&refused("for no environment", nowhere, "no environment"));
    check(&refused("no version", (data!("no-version.json"), Some(data!("no-version.json.minisig"))), "no version"));
    let changed = (v42_changed(), Some(data!("v42-changed.json.minisig")));
    let alarm = |row| Row { is_alarm: true, ..row };
    check(&alarm(refused("an older version", V41, "has version 41, but 42 was seen")));
    check(&alarm(refused("the same version twice", changed, "version 42 was seen before with another content")));
}

fn v42_changed() -> &'static str {
    data!("v42-changed.json")
}

fn check(row: &Row) {
    let name = row.name;
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    let tide = builder(&host, &origin).connect().unwrap();
    assert_eq!(version(&tide), 42, "{name}");
    let reader = Reader::start(&tide, &[42, 44]);

    publish(&origin, row.published);
    expect(&tide, row);
    drop(tide);

    // A start while the origin is like that: from the cache, which is verified again.
    let tide = builder(&host, &origin).startup_wait(Duration::from_secs(10)).connect().unwrap();
    expect(&tide, row);
    assert_eq!(tide.status().served_from, ServedFrom::Cache, "{name}");
    reader.finish();

    let reader = Reader::start(&tide, &[42, 44]);
    publish(&origin, V44);
    until(name, || version(&tide) == 44);
    let status = tide.status();
    assert_eq!((status.health, status.refused.is_none()), (Health::Fresh, true), "{name}");
    let signature = status.signature.unwrap();
    assert_eq!((signature.version, signature.version_seen), (Some(44), Some(44)), "{name}");
    assert_eq!(signature.rollback.is_some(), row.is_alarm, "{name}: an alarm stays");
    reader.finish();
}

#[track_caller]
fn expect(tide: &Tidegate, row: &Row) {
    let name = row.name;
    until(name, || tide.status().health == row.health);
    assert_eq!(version(tide), 42, "{name}");
    let status = tide.status();
    let message = match (&status.refused, &status.last_error) {
        (Some(refused), None) => refused.message.clone(),
        (None, Some(error)) => error.message.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert!(message.contains(row.words), "{name}: `{message}`");
    let signature = status.signature.unwrap();
    assert_eq!(signature.rollback.is_some(), row.is_alarm, "{name}");
    assert_eq!((signature.version, signature.version_seen), (Some(42), Some(42)), "{name}");
    assert_eq!(signature.key.as_deref(), Some("693CD58250E526BE"), "{name}");
}

#[test]
fn a_signature_that_cannot_be_fetched_is_trouble_of_the_source() {
    for (name, reply, words) in [
        ("500", Reply::status(500), "the signature of the document cannot be had: the origin answered 500"),
        ("cut short", Reply::ok("untrusted").cut_after(3), "the signature of the document cannot be had"),
        ("leads to a file", Reply::redirect(302, "file:///etc/passwd"), "redirect not followed"),
    ] {
        let (host, origin) = (Host::new(), Origin::start());
        publish(&origin, V42);
        let tide = builder(&host, &origin).connect().unwrap();
        let reader = Reader::start(&tide, &[42, 43]);
        origin.script_at("/flags.json.minisig", [reply]);
        origin.script_at("/flags.json", [Reply::document(V43.0).tag("\"43\"")]);
        expect(&tide, &Row { name, published: V43, health: Health::Stale, words, is_alarm: false });
        publish(&origin, V43);
        until(name, || version(&tide) == 43);
        reader.finish();
    }
}

#[test]
fn a_huge_signature_is_none() {
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    let tide = builder(&host, &origin).connect().unwrap();
    origin.script_at("/flags.json.minisig", [Reply::endless(" ".repeat(1024))]);
    origin.script_at("/flags.json", [Reply::document(V43.0)]);
    let huge = refused("a huge signature", V43, "not one of minisign");
    expect(&tide, &huge);
}

#[test]
fn what_expires_while_active_stays_with_an_alarm_and_what_comes_expired_is_refused() {
    let (host, mut origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    let clock = january();
    let tide = builder(&host, &origin).clock(clock.clone()).connect().unwrap();
    let reader = Reader::start(&tide, &[42, 43]);
    let alarm = |status: &Status| status.signature.as_ref().unwrap().is_expired;
    assert!(!alarm(&tide.status()));
    clock.set(parse_time("2026-02-10 00:00Z").unwrap());
    assert!(alarm(&tide.status()));
    let fresh_at = tide.status().fresh_at;
    until("the origin still has it", || tide.status().fresh_at > fresh_at);
    assert_eq!((version(&tide), tide.status().health), (42, Health::Fresh));

    publish(&origin, V43);
    until("43 is refused", || tide.status().health == Health::Refused);
    let message = tide.status().refused.unwrap().message;
    assert!(message.contains("expired at 2026-02-01T00:00:00.000000Z"), "{message}");
    assert_eq!((version(&tide), alarm(&tide.status())), (42, true));

    // Right once the clock is, without any change at the origin.
    clock.set(parse_time("2026-01-20 00:00Z").unwrap());
    until("43 is taken", || tide.status().signature.unwrap().version == Some(43));
    assert_eq!(version(&tide), 43);
    reader.finish();
    clock.set(parse_time("2026-02-10 00:00Z").unwrap());
    drop(tide);

    origin.go_down();
    let tide = builder(&host, &origin).clock(clock.clone()).connect().unwrap();
    assert_eq!((version(&tide), alarm(&tide.status())), (43, true), "a start does not make it worse");
    publish(&origin, V44);
    origin.come_up();
    until("44 is taken", || version(&tide) == 44);
    assert!(!alarm(&tide.status()));
}

#[test]
fn keys_are_rotated_without_a_gap() {
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    let both = || trusting(host.builder_of(&origin), &[FIRST, SECOND]).cache_name("app");
    let key = |tide: &Tidegate| tide.status().signature.unwrap().key.unwrap();
    let tide = both().connect().unwrap();
    assert_eq!(key(&tide), "693CD58250E526BE");
    let reader = Reader::start(&tide, &[42, 43]);
    publish(&origin, (V43.0, Some(data!("v43.second.minisig"))));
    until("signed by the second key", || version(&tide) == 43);
    assert_eq!(key(&tide), "5486C1CB03A783CF");
    reader.finish();
    drop(tide);
    let second = trusting(host.builder_of(&origin), &[SECOND]).cache_name("app").offline(true);
    assert_eq!(version(&second.connect().unwrap()), 43, "the first key is not needed any more");
}

#[test]
fn the_same_document_signed_again_is_kept_with_its_new_signature() {
    let (host, origin) = (Host::new(), Origin::start());
    let untagged = |signature: &str| {
        origin.script_at("/flags.json.minisig", [Reply::ok(signature)]);
        origin.script_at("/flags.json", [Reply::ok(V42.0)]);
    };
    untagged(V42.1.unwrap());
    let both = || trusting(host.builder_of(&origin), &[FIRST, SECOND]).cache_name("app");
    let tide = both().connect().unwrap();
    untagged(data!("v42.second.minisig"));
    until("the new key is known", || tide.status().signature.unwrap().key.as_deref() == Some("5486C1CB03A783CF"));
    untagged(V43.1.unwrap());
    origin.clear_requests();
    origin.wait_for_requests(4);
    assert_eq!((version(&tide), tide.status().health), (42, Health::Fresh), "these bytes were verified before");
    drop(tide);
    let second = trusting(host.builder_of(&origin), &[SECOND]).cache_name("app").offline(true);
    assert_eq!(version(&second.connect().unwrap()), 42);
}

#[test]
fn clearing_the_cache_does_not_forget_the_newest_version() {
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V43);
    drop(builder(&host, &origin).connect().unwrap());
    fs::remove_dir_all(host.cache()).unwrap();
    publish(&origin, V42);
    let tide = builder(&host, &origin).connect().unwrap();
    assert_eq!((version(&tide), tide.status().health), (0, Health::Refused), "the defaults, and not an old document");
    let signature = tide.status().signature.unwrap();
    let alarm = signature.rollback.unwrap();
    assert_eq!((alarm.version, alarm.seen), (42, 43));
    assert!(signature.file.unwrap().starts_with(host.path("state").to_str().unwrap()));
    publish(&origin, V43);
    until("the newest is taken", || version(&tide) == 43);
}

#[test]
fn a_cache_that_was_put_back_is_not_used() {
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    drop(builder(&host, &origin).connect().unwrap());
    let record = host.cache().join("cache-app.document");
    let old = fs::read(&record).unwrap();
    publish(&origin, V43);
    drop(builder(&host, &origin).startup_wait(Duration::from_secs(10)).connect().unwrap());
    fs::write(&record, old).unwrap();
    let tide = builder(&host, &origin).offline(true).connect().unwrap();
    let status = tide.status();
    assert_eq!((version(&tide), status.served_from), (0, ServedFrom::NoDocument));
    assert!(status.cache.unwrap().error.unwrap().contains("has version 42, but 43 was seen"));
    assert!(status.signature.unwrap().rollback.is_some());
}

#[test]
fn a_cache_from_before_there_was_a_key_is_not_used() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    assert_eq!(version(&host.builder_of(&origin).cache_name("app").connect().unwrap()), 1);
    assert!(origin.requests().iter().all(|request| request.target == "/flags.json"), "no signature was asked for");
    let tide = builder(&host, &origin).offline(true).connect().unwrap();
    assert_eq!(version(&tide), 0);
    assert!(tide.status().cache.unwrap().error.unwrap().contains("not signed"));
    publish(&origin, V42);
    drop(tide);
    assert_eq!(version(&builder(&host, &origin).connect().unwrap()), 42);
}

#[test]
fn an_unchanged_document_needs_no_second_request() {
    let (host, origin) = (Host::new(), Origin::start());
    publish(&origin, V42);
    let tide = builder(&host, &origin).connect().unwrap();
    let requests = origin.wait_for_requests(5);
    let signatures = requests.iter().filter(|request| request.target.ends_with(".minisig"));
    assert_eq!((signatures.count(), version(&tide)), (1, 42));
}

#[test]
fn a_file_has_its_signature_beside_it() {
    let host = Host::new();
    let path = host.path("flags.json");
    let (body, signature) = V42;
    fs::write(&path, body).unwrap();
    let tide = trusting(host.builder(), &[FIRST]).file(&path).connect().unwrap();
    assert_eq!((version(&tide), tide.status().health), (0, Health::Refused));
    fs::write(host.path("flags.json.minisig"), signature.unwrap()).unwrap();
    until("it is signed", || version(&tide) == 42);
    let reader = Reader::start(&tide, &[42, 43]);
    fs::write(&path, document(7)).unwrap();
    until("it is changed without a signature", || tide.status().health == Health::Refused);
    fs::remove_file(host.path("flags.json.minisig")).unwrap();
    let is_missing = |status: Status| status.refused.is_some_and(|refused| refused.message.contains("not signed"));
    until("the signature is missing", || is_missing(tide.status()));
    fs::create_dir(host.path("flags.json.minisig")).unwrap();
    until("a folder is in its place", || tide.status().health == Health::Stale);
    assert!(tide.status().last_error.unwrap().message.contains("flags.json.minisig` is a folder"));
    fs::remove_dir(host.path("flags.json.minisig")).unwrap();
    fs::write(host.path("flags.json.minisig"), V43.1.unwrap()).unwrap();
    fs::write(&path, V43.0).unwrap();
    until("a newer one is signed", || version(&tide) == 43);
    reader.finish();
    drop(tide);

    fs::write(host.path("flags.json.minisig"), signature.unwrap()).unwrap();
    fs::write(&path, body).unwrap();
    let tide = trusting(host.builder(), &[FIRST]).file(&path).connect().unwrap();
    assert_eq!(
        (version(&tide), tide.status().signature.unwrap().version_seen),
        (0, Some(43)),
        "remembered by its path"
    );
}

#[test]
fn callbacks_and_texts_bring_their_signature_along() {
    let host = Host::new();
    let answer = |(body, signature): Published| match signature {
        Some(signature) => Fetched::Signed { body: body.into(), signature: signature.to_owned(), tag: None },
        None => Fetched::Changed { body: body.into(), tag: None },
    };
    let callback = |published| trusting(host.builder(), &[FIRST]).callback(move |_| Ok(answer(published)));
    let tide = callback(V42).connect().unwrap();
    assert_eq!(
        (version(&tide), tide.status().signature.unwrap().file),
        (42, None),
        "it could not be told from another"
    );
    let tide = callback((V42.0, None)).connect().unwrap();
    assert_eq!((version(&tide), tide.status().health), (0, Health::Refused));

    let text = |published: Published| {
        let source = match published.1 {
            Some(signature) => Source::signed_text(published.0, signature),
            None => Source::text(published.0),
        };
        trusting(host.builder(), &[FIRST]).source(source).connect()
    };
    assert_eq!(version(&text(V42).unwrap()), 42);
    for (published, words) in [((V42.0, None), "not signed"), ((V43.0, V42.1), "not of this document")] {
        let error = text(published).unwrap_err();
        assert!(matches!(error, ConnectError::Signature(_)) && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_version_that_cannot_be_kept_on_the_disk_is_reported_and_kept_in_memory() {
    let (host, origin) = (Host::new(), Origin::start());
    fs::write(host.path("in-the-way"), "").unwrap();
    publish(&origin, V42);
    let tide = builder(&host, &origin).state_dir(host.path("in-the-way")).connect().unwrap();
    let status = tide.status();
    assert_eq!((version(&tide), status.health), (42, Health::Fresh));
    assert!(status.signature.unwrap().error.unwrap().contains("in-the-way"));
    publish(&origin, V41);
    until("the older one is refused", || tide.status().signature.unwrap().rollback.is_some());
    assert_eq!(version(&tide), 42);
}

#[test]
fn an_environment_counts_without_keys_as_well() {
    let (host, origin) = (Host::new(), Origin::start());
    let tide = {
        origin.always(Reply::document(data!("v43-staging.json")));
        host.builder_of(&origin).environment("test").connect().unwrap()
    };
    assert_eq!((version(&tide), tide.status().health), (0, Health::Refused));
    assert_eq!(tide.status().signature, None);
    origin.always(Reply::document(V43.0));
    until("it is for us", || version(&tide) == 43);
    origin.always(Reply::document(V42.0));
    until("without a key there are no versions", || version(&tide) == 42);
}
