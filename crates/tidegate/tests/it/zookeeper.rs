//! Documents in ZooKeeper, against Debian's server, which is killed, stopped, emptied and started again.

pub(crate) mod server;

use std::time::{Duration, Instant};

use tidegate::{Builder, Clock, Health, parse_time};

use super::support::{Host, Reader, document, until, version};
use server::{NODE, Server};

/// Polls so seldom that whatever is seen within the time of a test was told by the watch.
fn watching(host: &Host, server: &Server) -> Builder {
    host.builder().zookeeper(&server.url()).unwrap().poll_interval(Duration::from_hours(1))
}

#[test]
fn a_change_is_told_by_the_watch_and_not_by_a_poll() {
    let (host, server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let tide = watching(&host, &server).connect().unwrap();
    assert_eq!((version(&tide), tide.status().polls), (1, 1));
    let tag = tide.status().tag.unwrap();
    for next in 2..5 {
        server.write(NODE, document(next).as_bytes());
        until("the change is active", || version(&tide) == next);
    }
    let status = tide.status();
    assert!(status.polls <= 4, "one poll for each change: {}", status.polls);
    assert_ne!(status.tag.unwrap(), tag);
    assert!(format!("{:x}.", server.mzxid(NODE)).starts_with(tide.status().tag.unwrap().split_once('.').unwrap().0));
}

#[test]
fn a_deleted_node_is_an_error_until_it_is_made_again() {
    let (host, server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let tide = watching(&host, &server).connect().unwrap();
    let reader = Reader::start(&tide, &[1, 2]);
    server.delete(NODE);
    until("it is noticed", || tide.status().health == Health::Stale);
    let message = tide.status().last_error.unwrap().message;
    assert!(message.contains("there is no node `/flags`"), "{message}");
    server.write(NODE, document(2).as_bytes());
    until("the new node is active", || version(&tide) == 2 && tide.status().health == Health::Fresh);
    reader.finish();
}

#[test]
fn a_server_that_is_killed_in_between_costs_nothing_but_time() {
    let (host, mut server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let tide = host.builder().zookeeper(&server.url()).unwrap().connect().unwrap();
    let reader = Reader::start(&tide, &[1, 2]);
    server.kill();
    until("it is noticed", || tide.status().last_error.is_some_and(|error| error.count >= 2));
    let message = tide.status().last_error.unwrap().message;
    assert!(message.contains("cannot connect to `127.0.0.1:"), "{message}");
    server.restart();
    until("it is fresh again", || tide.status().health == Health::Fresh);
    server.write(NODE, document(2).as_bytes());
    until("the next document", || version(&tide) == 2);
    reader.finish();
}

/// The session is unknown to the new ensemble, and its transactions have the numbers of the old one's.
#[test]
fn an_ensemble_that_begins_again_does_not_pass_for_the_old_one() {
    let (host, mut server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let tide = host.builder().zookeeper(&server.url()).unwrap().connect().unwrap();
    let before = server.mzxid(NODE);
    server.kill();
    server.wipe();
    server.restart();
    until("the node is missed", || {
        tide.status().last_error.is_some_and(|error| error.message.contains("there is no node"))
    });
    assert_eq!(version(&tide), 1);
    server.write(NODE, document(2).as_bytes());
    until("the new document", || version(&tide) == 2);
    assert!(server.mzxid(NODE) < before + 16, "the new ensemble counts from the beginning");
}

#[test]
fn a_session_that_expires_is_replaced() {
    let (host, server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let tide = host.builder().zookeeper(&server.url()).unwrap().timeout(Duration::from_secs(1)).connect().unwrap();
    let reader = Reader::start(&tide, &[1, 2]);
    server.freeze();
    let stopped = Instant::now();
    until("the silence is noticed", || tide.status().health == Health::Stale);
    // The session ends on both sides after ten seconds of silence.
    until("sessions are over", || stopped.elapsed() > Duration::from_secs(12));
    server.thaw();
    server.write(NODE, document(2).as_bytes());
    until("the next document", || version(&tide) == 2 && tide.status().health == Health::Fresh);
    reader.finish();
}

#[test]
fn digest_credentials_come_from_the_url_or_from_the_builder_and_are_never_shown() {
    let (host, server) = (Host::new(), Server::start());
    server.write_protected(NODE, document(1).as_bytes(), "reader:word-51c7");
    let builder = || host.builder().without_cache();
    let wrong = builder().zookeeper(&server.url_of("reader:wrong-77")).unwrap().connect().unwrap();
    let message = wrong.status().last_error.unwrap().message;
    assert!(message.contains("may not be read") && !message.contains("wrong-77"), "{message}");
    let nobody = builder().zookeeper(&server.url()).unwrap();
    assert_eq!(version(&nobody.clone().connect().unwrap()), 0);
    let with_builder = nobody.zookeeper_digest("reader:word-51c7").unwrap();
    assert!(!format!("{with_builder:?}").contains("word-51c7"));
    assert_eq!(version(&with_builder.connect().unwrap()), 1);
    assert_eq!(version(&builder().zookeeper(&server.url_of("reader:word-51c7")).unwrap().connect().unwrap()), 1);
    let error = host.builder().zookeeper_digest("word-51c7").unwrap_err().to_string();
    assert!(error.contains("`user:password`") && !error.contains("51c7"), "{error}");
}

#[test]
fn of_several_servers_one_is_enough() {
    let (host, server) = (Host::new(), Server::start());
    server.write(NODE, document(1).as_bytes());
    let url = server.url().replace("zk://", "zk://127.0.0.1:1,");
    assert_eq!(version(&host.builder().zookeeper(&url).unwrap().connect().unwrap()), 1);
}

#[test]
fn a_signature_is_in_the_node_beside_the_document() {
    let signed = |name: &str| std::fs::read(format!("{}/tests/signed/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let key = String::from_utf8(signed("only-for-tests-first.pub")).unwrap();
    let (host, server) = (Host::new(), Server::start());
    server.write(NODE, &signed("v42.json"));
    let january = Clock::manual(parse_time("2026-01-15 00:00Z").unwrap());
    let tide = watching(&host, &server).trusted_key(&key).unwrap().clock(january).connect().unwrap();
    assert_eq!(tide.status().health, Health::Refused, "{:?}", tide.status());
    server.write("/flags.minisig", &signed("v42.json.minisig"));
    until("the signature is noticed", || tide.status().health == Health::Fresh);
    assert!(tide.status().flags > 0);
}
