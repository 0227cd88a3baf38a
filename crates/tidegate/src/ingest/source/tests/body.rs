//! Bodies that break off, never end or explode (F54, F55).

use tidegate_origin::Reply;

use super::*;

fn check(reply: Reply, words: &str) -> FetchError {
    let origin = Origin::start();
    origin.always(reply);
    Client::for_origin(&origin).fails_with(words)
}

#[test]
fn a_body_that_breaks_off_is_no_body() {
    for reply in [
        Reply::ok(GOOD).cut_after(30),
        Reply::ok(GOOD).chunked().cut_after(30),
        Reply::ok(GOOD).reset_after(30),
        Reply::ok(GOOD).announce(1_000),
    ] {
        let error = check(reply, "the connection broke reading the body: ");
        assert!(matches!(error, FetchError::Broken { phase: Phase::ReadingBody, .. }), "{error:?}");
    }
    check(Reply::ok(GOOD).reset_after(30), "connection reset");
    check(Reply::reset(), "the connection broke waiting for the answer: connection reset");
    check(Reply::close(), "the connection broke waiting for the answer: ");
    check(Reply::ok(GOOD).gzip().until_close().cut_after(30), "the compressed body is damaged");
    check(Reply::ok(GOOD).header("Content-Encoding", "gzip"), "the compressed body is damaged");
    check(Reply::ok(GOOD).header("Content-Encoding", "br"), "content coding `br`");
    check(Reply::ok(GOOD).gzip().header("Content-Encoding", "gzip"), "content coding `gzip`");
}

#[test]
fn whatever_is_whole_is_handed_on() {
    let origin = Origin::start();
    for body in ["", "null", "<html>", "\u{feff}{}", "not JSON"] {
        for reply in [Reply::ok(body), Reply::ok(body).gzip(), Reply::ok(body).chunked(), Reply::ok(body).until_close()]
        {
            origin.always(reply);
            assert_eq!(Client::for_origin(&origin).changed(None).0, body);
        }
    }
}

#[test]
fn reading_stops_at_the_limit() {
    let block = "x".repeat(10_000);
    for reply in [
        Reply::endless(&block),
        Reply::endless(&block).until_close(),
        Reply::endless(&block).announce(1 << 40),
        Reply::ok("x".repeat(100_001)),
        Reply::ok("x".repeat(100_001)).chunked(),
        Reply::ok("x".repeat(100_001)).gzip(),
        Reply::gzip_bomb(4_000_000),
    ] {
        let error = check(reply, "exceeds the limit of 100000 bytes");
        assert!(matches!(error, FetchError::BodyTooBig { limit: 100_000 }));
    }
    for reply in [Reply::ok("x".repeat(100_000)), Reply::ok("x".repeat(100_000)).gzip().chunked()] {
        let origin = Origin::start();
        origin.always(reply);
        assert_eq!(Client::for_origin(&origin).changed(None).0.len(), 100_000);
    }
}

#[test]
fn gzip_that_yields_nothing_is_counted_too() {
    // An empty gzip member, again and again: any number of bytes that decompress to none.
    let origin = Origin::start();
    let member = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    origin.always(Reply::endless(member.repeat(1_000)).header("Content-Encoding", "gzip"));
    Client::for_origin(&origin).fails_with("exceeds the limit");
}

#[test]
fn too_many_headers_are_refused() {
    let many = (0..1_000).fold(Reply::ok(GOOD), |reply, n| reply.header(&format!("X-{n}"), "1"));
    for reply in [many, Reply::ok(GOOD).header("X-Huge", "x".repeat(100_000)), Reply::endless_head()] {
        let error = check(reply, "the headers of the answer exceed");
        assert!(matches!(error, FetchError::HeadTooBig { .. }), "{error:?}");
    }
}

#[test]
fn an_answer_that_is_not_http_is_reported_as_such() {
    check(Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not valid HTTP");
    check(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"), "the answer is not valid HTTP");
    check(Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), "reading the body");
}
