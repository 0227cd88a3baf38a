//! Origins that take their time (F58).

use std::fs;
use std::time::Instant;

use tidegate_origin::Reply;

use super::*;

fn check(reply: Reply, phase: Phase) {
    let origin = Origin::start();
    origin.always(reply);
    let mut client = Client::at(&origin.url("/flags.json"), impatient());
    let start = Instant::now();
    match client.fails(None) {
        FetchError::TimedOut { phase: found, after } => assert_eq!((found, after), (phase, impatient().timeout)),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() >= impatient().timeout);
    origin.always(Reply::document(GOOD));
    client.recovers();
}

#[test]
fn waiting_ends_at_the_total_time_and_says_for_what() {
    let pause = Duration::from_millis(50);
    check(Reply::hang(), Phase::WaitingForAnswer);
    check(Reply::ok(GOOD).drip(pause), Phase::WaitingForAnswer);
    check(Reply::ok(GOOD).hang_after(0), Phase::ReadingBody);
    check(Reply::ok(GOOD).hang_after(40), Phase::ReadingBody);
    check(Reply::ok(GOOD).chunked().hang_after(40), Phase::ReadingBody);
    // A body that keeps coming, slowly, is no excuse.
    check(Reply::redirect(302, "/flags.json").drip(Duration::from_millis(5)), Phase::WaitingForAnswer);
}

#[test]
fn an_error_with_a_body_that_hangs_is_still_that_error() {
    let origin = Origin::start();
    origin.always(Reply::ok(GOOD).with_status(503).hang_after(10));
    let mut client = Client::for_origin(&origin);
    assert!(matches!(client.fails(None), FetchError::Status { status: 503, .. }));
}

#[test]
fn no_thread_is_left_after_a_thousand_polls() {
    let origin = Origin::start();
    origin.always(Reply::document(GOOD).tag("\"1\""));
    let mut client = Client::for_origin(&origin);
    let (_, tag) = client.changed(None);
    // Other tests start and end threads meanwhile; those of this one have its runtime's name.
    for _ in 0..1_000 {
        client.unchanged(tag.as_ref());
    }
    assert_eq!(origin.connections(), 1);
    let own = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = own.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    assert!(names.filter(|name| name.starts_with("tokio-runtime-w")).count() < 10);
}
