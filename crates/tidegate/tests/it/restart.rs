//! What survives a restart, and what a start does without an origin.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use tidegate::{Health, ServedFrom, parse_time};
use tidegate_origin::{Origin, Reply};

use super::support::{Host, document, reply, until, version};

#[test]
fn a_start_with_the_origin_down_serves_the_cache() {
    let (host, mut origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    drop(host.builder_of(&origin).connect().unwrap());
    origin.go_down();
    let before = Instant::now();
    let tide = host.builder_of(&origin).connect().unwrap();
    assert!(before.elapsed() < PROMPT, "ready after {:?}", before.elapsed());
    assert_eq!(version(&tide), 1);
    let status = tide.status();
    assert_eq!((status.served_from, status.flags), (ServedFrom::Cache, 3));
    assert_eq!(status.tag.as_deref(), Some("\"v1\""));
    assert!(status.age.is_some() && status.fetched_at.is_some(), "{status:?}");
    until("trouble is seen", || tide.status().health == Health::Stale);
    origin.always(reply(2));
    origin.come_up();
    until("the new document is active", || version(&tide) == 2);
    assert_eq!(tide.status().served_from, ServedFrom::Source);
}

#[test]
fn a_start_with_an_unreachable_source_and_no_cache_serves_the_defaults() {
    let (host, mut origin) = (Host::new(), Origin::start());
    origin.go_down();
    let tide = host.builder_of(&origin).connect().unwrap();
    assert_eq!(tide.get("features", "version", "k", 42), 42);
    let status = tide.status();
    assert_eq!((status.health, status.served_from), (Health::Stale, ServedFrom::NoDocument));
    assert!(status.last_error.unwrap().message.contains("cannot connect"));
}

#[test]
fn a_start_never_waits_longer_than_configured() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::hang());
    for wait in [0, 100] {
        let before = Instant::now();
        let builder = host.builder_of(&origin).timeout(Duration::from_mins(1));
        let tide = builder.startup_wait(Duration::from_millis(wait)).connect().unwrap();
        let elapsed = before.elapsed();
        assert!(elapsed >= Duration::from_millis(wait) && elapsed < PROMPT, "{elapsed:?} for {wait}");
        assert_eq!(tide.status().health, Health::Starting);
        let before = Instant::now();
        drop(tide);
        assert!(before.elapsed() < PROMPT, "the end of a stuck fetch took {:?}", before.elapsed());
    }
}

#[test]
fn offline_sends_no_request() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    drop(host.builder_of(&origin).connect().unwrap());
    origin.clear_requests();
    origin.always(reply(2));
    let tide = host.builder_of(&origin).offline(true).connect().unwrap();
    assert_eq!((version(&tide), tide.status().health), (1, Health::Offline));
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn one_shot_asks_once() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    for condition in [None, Some("\"v1\""), Some("\"v1\"")] {
        origin.clear_requests();
        let tide = host.builder_of(&origin).one_shot(true).connect().unwrap();
        assert_eq!((version(&tide), tide.status().health), (1, Health::Fresh));
        let requests = origin.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].condition(), condition);
    }
    origin.always(Reply::status(503));
    let tide = host.builder_of(&origin).one_shot(true).connect().unwrap();
    let status = tide.status();
    assert_eq!((version(&tide), status.health, status.served_from), (1, Health::Stale, ServedFrom::Cache));
}

#[test]
fn a_file_that_is_damaged_leaves_the_last_good_document() {
    let host = Host::new();
    let file = host.path("flags.json");
    fs::write(&file, document(1)).unwrap();
    let tide = host.builder().file(&file).cache_name("app").connect().unwrap();
    assert_eq!(version(&tide), 1);
    fs::write(&file, "{").unwrap();
    until("it is refused", || tide.status().health == Health::Refused);
    assert_eq!(version(&tide), 1);
    fs::remove_file(&file).unwrap();
    until("it is gone", || tide.status().health == Health::Stale);
    assert!(tide.status().last_error.unwrap().message.contains("does not exist"));
    drop(tide);
    let tide = host.builder().file(&file).cache_name("app").connect().unwrap();
    assert_eq!((version(&tide), tide.status().served_from), (1, ServedFrom::Cache));
    let new = host.path("flags.json.new");
    fs::write(&new, document(2)).unwrap();
    fs::rename(&new, &file).unwrap();
    until("the new file is active", || version(&tide) == 2);
}

#[test]
fn a_cache_that_cannot_be_used_is_reported_and_delays_nothing() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let elsewhere = host.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, host.cache()).unwrap();
    let tide = host.builder_of(&origin).connect().unwrap();
    assert_eq!((version(&tide), tide.status().health), (1, Health::Fresh));
    let error = tide.status().cache.unwrap().error.unwrap();
    assert!(error.contains("is a link"), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "no link is followed");
    let requests = origin.wait_for_requests(3);
    assert_eq!(requests[2].condition(), Some("\"v1\""), "the document is in memory, so its tag may be used");
}

#[test]
fn a_cache_that_was_cleaned_up_is_made_again() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    fs::remove_dir_all(host.cache()).unwrap();
    origin.always(reply(2));
    until("the new document is active", || version(&tide) == 2);
    drop(tide);
    let tide = host.builder_of(&origin).offline(true).connect().unwrap();
    assert_eq!(version(&tide), 2);
    let mode = fs::metadata(host.cache()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
}

#[test]
fn the_newest_document_is_on_the_disk_before_it_is_active() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    for number in 2..12 {
        origin.always(reply(number));
        until("it is active", || version(&tide) == number);
        let other = host.builder_of(&origin).offline(true).connect().unwrap();
        assert_eq!(version(&other), number);
    }
}

#[test]
fn what_a_ramp_has_reached_survives_a_restart_of_a_blind_host() {
    let document = r#"{"features": {"ramp": {"stable": 0, "new": 1000000, "interpolate": true, "lease": "1h",
        "start_time": "2026-01-01 00:00Z", "duration": "1000h"}}}"#;
    let (host, mut origin) = (Host::new(), Origin::start());
    origin.always(Reply::document(document).tag("\"ramp\""));
    let clock = tidegate::Clock::manual(parse_time("2026-01-01T10:00:00Z").unwrap());
    let connect = |origin: &Origin| host.builder_of(origin).clock(clock.clone()).connect().unwrap();
    let ramp = |tide: &tidegate::Tidegate| tide.get("features", "ramp", "k", 0_u32);
    let tide = connect(&origin);
    assert_eq!(ramp(&tide), 10_000);
    origin.go_down();
    clock.advance(Duration::from_hours(5));
    assert_eq!(ramp(&tide), 11_000, "it holds an hour after the last successful poll");
    drop(tide);
    let tide = connect(&origin);
    assert_eq!(ramp(&tide), 11_000, "and a restart does not let it jump");
    origin.come_up();
    until("a poll has succeeded", || tide.status().health == Health::Fresh);
    assert!((11_000..11_100).contains(&ramp(&tide)), "it catches up without a jump: {}", ramp(&tide));
    let mut hours = 0;
    while ramp(&tide) < 15_000 + 1_000 * hours {
        clock.advance(Duration::from_hours(1));
        hours += 1;
        let polls = tide.status().polls;
        until("a poll has succeeded again", || tide.status().polls > polls + 1);
        assert!(hours < 10, "it never catches up");
    }
}

/// Far below any deadline that could have been waited for, far above what a busy machine takes.
const PROMPT: Duration = Duration::from_secs(10);
