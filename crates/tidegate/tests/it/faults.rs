//! What a reader sees while its origin misbehaves, in every way there is (F54 to F58): the last good values,
//! always, and as soon as the origin has recovered, the new ones.
//!
//! | F | the origin | a reader saw |
//! |---|---|---|
//! | 54 | bodies cut short, reset, empty, not a document, or one with mistakes | version 1, then 2 |
//! | 55 | bodies, headers and gzip without end | version 1, then 2 |
//! | 56 | every status but 200, with a document and without; `Retry-After` in all forms | version 1, then 2 |
//! | 57 | redirects in a circle, to files, to private addresses, to nowhere | version 1, then 2 |
//! | 58 | hangs, drips, slow headers | version 1, then 2 |
//! | 59 | TLS and names that fail | version 1, then 2 |

use std::thread;
use std::time::Duration;

use tidegate::Health;
use tidegate_origin::{Authority, Blame, Handshake, Misbehaviour, Origin, Reply, misbehaviours};

use super::support::{Host, Reader, document, reply, until, version};

#[test]
fn every_misbehaviour_leaves_the_last_good_document() {
    let good = document(7);
    let mut all = misbehaviours(&good, 16 * 1024 * 1024);
    assert!(all.len() > 80, "{} misbehaviours", all.len());
    // A few at a time: each has threads of its own.
    while !all.is_empty() {
        let some = all.split_off(all.len().saturating_sub(12));
        thread::scope(|scope| {
            for misbehaviour in some {
                scope.spawn(move || check(&misbehaviour));
            }
        });
    }
}

fn check(misbehaviour: &Misbehaviour) {
    let name = &misbehaviour.name;
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let patience = if misbehaviour.blame == Blame::Time { 300 } else { 5_000 };
    let builder = || host.builder_of(&origin).timeout(Duration::from_millis(patience));
    let tide = builder().connect().unwrap();
    assert_eq!(version(&tide), 1, "{name}");
    let digest = tide.status().digest;
    let reader = Reader::start(&tide, &[1, 2]);

    origin.always(misbehaviour.reply.clone());
    let health = if misbehaviour.blame == Blame::Document { Health::Refused } else { Health::Stale };
    until(name, || tide.status().health == health);
    let status = tide.status();
    assert_eq!((version(&tide), &status.digest), (1, &digest), "{name}");
    match misbehaviour.blame {
        Blame::Document => {
            let refused = status.refused.unwrap();
            assert!(!refused.diagnostics.is_empty() && !refused.message.is_empty(), "{name}: {refused:?}");
            assert_eq!(status.last_error, None, "{name}");
        }
        Blame::Transport | Blame::Time => {
            assert!(!status.last_error.unwrap().message.is_empty(), "{name}");
        }
    }
    assert_eq!(status.tag.as_deref(), Some("\"v1\""), "{name}: the tag is still that of the active document");

    origin.always(reply(2));
    if name.contains("as a date") || name.contains("absurd") {
        // It was asked to wait for an hour. A process that starts again meanwhile has the last good one.
        reader.finish();
        drop(tide);
        let tide = builder().startup_wait(Duration::from_secs(20)).connect().unwrap();
        assert_eq!(version(&tide), 2, "{name}");
        return;
    }
    until(name, || version(&tide) == 2);
    until(name, || tide.status().health == Health::Fresh);
    let status = tide.status();
    assert!(status.last_error.is_none() && status.refused.is_none(), "{name}: {status:?}");
    assert_eq!(status.tag.as_deref(), Some("\"v2\""), "{name}");
    reader.finish();
}

#[test]
fn a_refused_document_is_read_once_and_reported_for_as_long_as_it_stays() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    origin.always(Reply::document(r#"{"features": {"version": {"new": 1}}}"#).tag("\"bad\""));
    until("it is refused", || tide.status().refused.is_some_and(|refused| refused.count >= 4));
    let refused = tide.status().refused.unwrap();
    assert!(refused.message.contains("features.version"), "{}", refused.message);
    assert!(origin.requests().iter().all(|request| request.condition() != Some("\"bad\"")));
    assert_eq!(version(&tide), 1);
    origin.always(reply(1));
    until("it is well again", || tide.status().health == Health::Fresh);
    assert!(tide.status().refused.is_none());
}

#[test]
fn a_refused_document_at_the_start_leaves_the_defaults() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::ok("null"));
    let tide = host.builder_of(&origin).connect().unwrap();
    assert_eq!(tide.get("features", "version", "k", 99), 99);
    let status = tide.status();
    assert_eq!((status.health, status.flags), (Health::Refused, 0));
    origin.always(reply(1));
    until("a good one is taken", || version(&tide) == 1);
}

#[test]
fn a_secure_connection_that_fails_leaves_the_last_good_document() {
    let trusted = Authority::new();
    let hosts = ["127.0.0.1"];
    let broken: [(&str, Origin); 6] = [
        ("expired", Origin::start_tls(&Authority::expired(), &hosts)),
        ("another name", Origin::start_tls(&trusted, &["elsewhere.example"])),
        ("self-signed", Origin::start_tls(&Authority::self_signed(), &hosts)),
        ("closed in the handshake", Origin::start_broken_tls(Handshake::Closes)),
        ("TLS 1.1", Origin::start_broken_tls(Handshake::Old)),
        ("plain HTTP", Origin::start_broken_tls(Handshake::Plain)),
    ];
    let host = Host::new();
    let builder = |origin: &Origin| host.builder_of(origin).cache_name("one").root_certificates(trusted.pem());
    {
        let good = Origin::start_tls(&trusted, &hosts);
        good.always(reply(1));
        let tide = builder(&good).connect().unwrap();
        assert_eq!((version(&tide), tide.status().health), (1, Health::Fresh));
    }
    for (name, origin) in &broken {
        origin.always(reply(9));
        let tide = builder(origin).startup_wait(Duration::from_secs(10)).connect().unwrap();
        let reader = Reader::start(&tide, &[1]);
        until(name, || tide.status().health == Health::Stale);
        let message = tide.status().last_error.unwrap().message;
        assert!(message.contains("secure connection"), "{name}: {message}");
        assert_eq!(version(&tide), 1, "{name}");
        reader.finish();
    }
}

#[test]
fn a_name_without_an_address_leaves_the_last_good_document() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    drop(host.builder_of(&origin).cache_name("one").connect().unwrap());
    let builder = host.builder().cache_name("one").http("http://flags.invalid/flags.json").unwrap();
    let tide = builder.startup_wait(Duration::from_secs(10)).connect().unwrap();
    until("the look-up has failed", || tide.status().health == Health::Stale);
    assert_eq!(version(&tide), 1);
    assert!(tide.status().last_error.unwrap().message.contains("flags.invalid"));
}

#[test]
fn an_origin_that_goes_down_and_comes_back() {
    let (host, mut origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    let reader = Reader::start(&tide, &[1, 2]);
    origin.go_down();
    until("trouble is seen", || tide.status().last_error.is_some_and(|error| error.count >= 2));
    let status = tide.status();
    let error = status.last_error.unwrap();
    assert!(error.since < error.at && status.health_since <= error.at, "{error:?}");
    origin.always(reply(2));
    origin.come_up();
    until("it is well again", || version(&tide) == 2 && tide.status().health == Health::Fresh);
    reader.finish();
}
