//! Every single answer after which the last good document must stay active.

use std::time::Duration;

use crate::Reply;

/// A bad answer.
#[derive(Clone, Debug)]
pub struct Misbehaviour {
    /// Unique, for messages.
    pub name: String,
    /// Who notices.
    pub blame: Blame,
    /// The answer.
    pub reply: Reply,
}

/// Who notices that an answer is bad.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// Fetching fails: there is no body to use.
    Transport,
    /// A body arrives in good order; the reader of documents refuses it.
    Document,
    /// Fetching fails when the client's patience ends, and not before.
    Time,
}

/// All of them, made of `good`, a legal document, which none of them delivers whole and right with status 200.
/// `body_bytes_max` is the client's limit.
pub fn misbehaviours(good: &str, body_bytes_max: usize) -> Vec<Misbehaviour> {
    let half = good.len() / 2;
    let mut list = Vec::new();
    let mut add = |blame, name: &str, reply| list.push(Misbehaviour { name: name.to_owned(), blame, reply });

    // The body is cut short.
    add(Blame::Transport, "truncated", Reply::ok(good).cut_after(half));
    add(Blame::Transport, "truncated, chunked", Reply::ok(good).chunked().cut_after(half));
    add(Blame::Document, "truncated, length unknown", Reply::ok(good).until_close().cut_after(half));
    add(Blame::Transport, "truncated, gzip", Reply::ok(good).gzip().cut_after(20));
    add(Blame::Transport, "truncated, gzip, length unknown", Reply::ok(good).gzip().until_close().cut_after(20));
    add(Blame::Transport, "reset half-way", Reply::ok(good).reset_after(half));
    add(Blame::Transport, "reset before the answer", Reply::reset());
    add(Blame::Transport, "closed before the answer", Reply::close());
    add(Blame::Transport, "closed within the head", Reply::raw("HTTP/1.1 200 OK\r\nContent-Le"));

    // The body is not a document.
    for (name, body) in contents() {
        add(Blame::Document, name, Reply::ok(body));
    }
    add(Blame::Document, "deep nesting", Reply::ok(format!("{{\"features\":{{\"x\":{}", "[".repeat(10_000))));
    let twice = format!("{{\"features\":{{}},\"features\":{}}}", good.trim());
    add(Blame::Document, "duplicate keys", Reply::ok(twice));
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    add(Blame::Document, "UTF-16", Reply::ok([&[0xff, 0xfe], utf16.as_slice()].concat()));

    // There is no end to it.
    let block = " ".repeat(64 * 1024);
    add(Blame::Transport, "endless", Reply::endless(&block).until_close());
    add(Blame::Transport, "endless, chunked", Reply::endless(&block));
    add(Blame::Transport, "huge, announced", Reply::endless(&block).announce(1 << 40));
    add(Blame::Transport, "larger than the limit", Reply::ok(vec![b' '; body_bytes_max + 1]));
    add(Blame::Transport, "gzip bomb", Reply::gzip_bomb(body_bytes_max + 1));
    add(Blame::Transport, "endless headers", Reply::endless_head());
    add(Blame::Transport, "huge header", Reply::ok(good).header("X-Huge", "x".repeat(100 * 1024)));
    let many = (0..1_000).fold(Reply::ok(good), |reply, n| reply.header(&format!("X-{n}"), "1"));
    add(Blame::Transport, "very many headers", many);

    // It is not HTTP as it should be.
    add(Blame::Transport, "not HTTP", Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"));
    add(Blame::Transport, "length is no number", Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"));
    add(
        Blame::Transport,
        "two lengths",
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    );
    add(
        Blame::Transport,
        "chunk size is no number",
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    );
    add(Blame::Transport, "another coding", Reply::ok(good).header("Content-Encoding", "br"));
    add(Blame::Transport, "gzip is not gzip", Reply::ok(good).header("Content-Encoding", "gzip"));

    // Any status but 200, with a legal document and without.
    for status in [201, 202, 203, 204, 206, 400, 401, 403, 404, 405, 410, 418, 429, 500, 502, 503, 504, 599] {
        add(Blame::Transport, &status.to_string(), Reply::status(status));
        if status != 204 {
            add(Blame::Transport, &format!("{status} with a document"), Reply::ok(good).with_status(status));
        }
    }
    add(Blame::Transport, "503, Retry-After in seconds", Reply::status(503).header("Retry-After", "1"));
    let date = "Fri, 31 Dec 9999 23:59:59 GMT";
    add(Blame::Transport, "503, Retry-After as a date", Reply::status(503).header("Retry-After", date));
    add(Blame::Transport, "429, Retry-After absurd", Reply::status(429).header("Retry-After", "99999999999999999999"));

    // It leads elsewhere.
    add(Blame::Transport, "redirect loop", Reply::redirect(302, "?again"));
    add(Blame::Transport, "redirect to a file", Reply::redirect(301, "file:///etc/passwd"));
    add(Blame::Transport, "redirect to the link", Reply::redirect(307, "http://169.254.169.254/latest/meta-data"));
    add(Blame::Transport, "redirect to nowhere", Reply::status(308));
    add(Blame::Transport, "redirect of an unknown kind", Reply::redirect(300, "/other").body(good));

    // It takes too long.
    let pause = Duration::from_millis(100);
    add(Blame::Time, "hangs before the head", Reply::hang());
    add(Blame::Time, "hangs in the body", Reply::ok(good).hang_after(half));
    add(Blame::Time, "one byte at a time", Reply::ok(good).drip(pause));
    add(Blame::Time, "slow headers", Reply::ok(good).header("X-Long", "x".repeat(200)).drip(pause));
    list
}

/// Bodies that are no document.
fn contents() -> [(&'static str, &'static [u8]); 14] {
    [
        ("empty", b""),
        ("blank", b" \n"),
        ("null", b"null"),
        ("a list", b"[]"),
        ("a string", b"\"features\""),
        ("a number", b"1"),
        ("HTML", b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"),
        ("not JSON", b"features: {}"),
        ("not UTF-8", b"{\"features\": {\"x\": {\"stable\": \"\xff\xfe\"}}}"),
        ("NUL", b"{\"features\": {}}\0"),
        ("wrong shape", b"{\"features\": []}"),
        ("a flag that is null", b"{\"features\": {\"x\": null}}"),
        ("an empty flag", b"{\"features\": {\"x\": {}}}"),
        ("two documents", b"{\"features\": {}}{\"features\": {}}"),
    ]
}
