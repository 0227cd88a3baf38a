//! Tags and dates, and origins that misuse them (F50 to F53).

use tidegate_origin::Reply;

use super::*;

/// Fetches a document with these headers, then asks again; gives what the second request was conditional on.
fn check(reply: &Reply, sent_back: Option<&str>) {
    let origin = Origin::start();
    origin.always(reply.clone());
    let mut client = Client::for_origin(&origin);
    let (body, tag) = client.changed(None);
    assert_eq!(body, GOOD, "{reply:?}");
    let again = client.fetch(tag.as_ref()).unwrap();
    let requests = origin.requests();
    assert_eq!(requests[0].condition(), None, "{reply:?}");
    assert_eq!(requests[1].condition(), sent_back, "{reply:?}");
    assert_eq!(again.fetched == Fetched::Unchanged, sent_back.is_some(), "{reply:?}");
}

fn document() -> Reply {
    Reply::document(GOOD)
}

#[test]
fn every_kind_of_tag_works() {
    check(&document().tag("\"strong\""), Some("\"strong\""));
    check(&document().tag("W/\"weak\""), Some("W/\"weak\""));
    check(&document().tag("unquoted"), Some("unquoted"));
    check(&document().tag("\"with space\""), Some("\"with space\""));
    check(&document().tag(b"\"caf\xe9\""), Some("\"caf\u{e9}\""));
    check(&document().tag("\"packed\"").gzip(), Some("\"packed\""));
    check(&document().tag("\"pieces\"").chunked(), Some("\"pieces\""));
    check(&document().tag("\"both\"").gzip().chunked(), Some("\"both\""));
    check(&document().tag("\"cached\"").header("Cache-Control", "public, max-age=3600"), Some("\"cached\""));
    check(&document().tag("\"never\"").header("Cache-Control", "no-store"), Some("\"never\""));
}

#[test]
fn a_date_does_where_there_is_no_tag() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    check(&document().header("Last-Modified", date), Some(date));
    check(&document().header("Last-Modified", date).tag(""), Some(date));
    check(&document().header("Last-Modified", date).tag("\"1\""), Some("\"1\""));
    check(&document().header("Last-Modified", "recently"), None);
    check(&document().header("Last-Modified", date).header("Date", date), None);
}

#[test]
fn a_tag_that_cannot_be_trusted_is_not_sent_back() {
    check(&document(), None);
    check(&document().tag(""), None);
    check(&document().tag("\"\""), None);
    check(&document().tag("W/\"\""), None);
    check(&document().tag("a\tb"), None);
    check(&document().tag("a\x01b"), None);
    check(&document().tag("a\x7fb"), None);
    check(&document().tag("x".repeat(1_025)), None);
    check(&document().tag("x".repeat(60_000)), None);
}

#[test]
fn an_unchanged_poll_costs_less_than_a_kilobyte_on_one_connection() {
    let origin = Origin::start();
    origin.always(document().tag("\"1\""));
    let mut client = Client::for_origin(&origin);
    let (_, tag) = client.changed(None);
    for _ in 0..10 {
        let sent = origin.bytes_sent();
        client.unchanged(tag.as_ref());
        let request = origin.requests().pop().unwrap();
        let bytes = origin.bytes_sent() - sent + request.bytes as u64;
        assert!(bytes < 1024, "{bytes} bytes for an unchanged poll");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn not_modified_without_a_condition_is_an_error() {
    let origin = Origin::start();
    origin.always(Reply::not_modified().tag("\"1\""));
    let mut client = Client::for_origin(&origin);
    for _ in 0..2 {
        let error = client.fails_with("`not modified` to a request without a condition");
        assert!(matches!(error, FetchError::NotModifiedUnasked));
    }
    assert!(origin.requests().iter().all(|request| request.condition().is_none()));
}

#[test]
fn a_new_body_under_the_same_tag_is_handed_on() {
    let origin = Origin::start();
    origin.script([Reply::ok(GOOD).tag("\"1\""), Reply::ok("{}").tag("\"1\"")]);
    let mut client = Client::for_origin(&origin);
    let (first, tag) = client.changed(None);
    let (second, again) = client.changed(tag.as_ref());
    assert_ne!(body_digest(first.as_bytes()), body_digest(second.as_bytes()));
    assert_eq!(tag, again);
}

#[test]
fn the_same_body_under_new_tags_has_the_same_digest() {
    let origin = Origin::start();
    origin.script((0..3).map(|n| Reply::ok(GOOD).tag(format!("\"{n}\""))));
    let mut client = Client::for_origin(&origin);
    let mut tag = None;
    for n in 0..3 {
        let (body, new) = client.changed(tag.as_ref());
        assert_eq!(body_digest(body.as_bytes()), body_digest(GOOD.as_bytes()));
        assert_eq!(new.as_ref().unwrap().as_str(), format!("\"{n}\""));
        tag = new;
    }
}

#[test]
fn a_new_tag_in_a_304_is_not_taken_over() {
    let origin = Origin::start();
    origin.script([Reply::ok(GOOD).tag("\"1\""), Reply::not_modified().tag("\"2\"")]);
    let mut client = Client::for_origin(&origin);
    let (_, tag) = client.changed(None);
    client.unchanged(tag.as_ref());
}

#[test]
fn the_origins_clock_is_reported() {
    let origin = Origin::start();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    origin.script([
        document().tag("\"1\"").header("Date", date),
        document().tag("\"1\"").header("Date", date).header("Age", "60"),
        document().tag("\"1\""),
    ]);
    let mut client = Client::for_origin(&origin);
    let seconds = |answer: Answer| answer.server_date.map(|date| date.bounds().0.get() / 1_000_000);
    assert_eq!(seconds(client.fetch(None).unwrap()), Some(784_111_777));
    let tag = Tag::new("\"1\"").unwrap();
    assert_eq!(seconds(client.fetch(Some(&tag)).unwrap()), Some(784_111_837));
    assert_eq!(seconds(client.fetch(Some(&tag)).unwrap()), None);
}
