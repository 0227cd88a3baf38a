//! Statuses other than 200 and 304 (F56).

use tidegate_origin::Reply;

use super::*;

#[test]
fn only_a_200_is_ever_applied() {
    let origin = Origin::start();
    let mut client = Client::for_origin(&origin);
    let have = Tag::new("\"1\"").unwrap();
    for code in
        [201, 202, 203, 204, 205, 206, 226, 400, 401, 403, 404, 405, 410, 418, 429, 500, 501, 502, 503, 504, 599]
    {
        for reply in [Reply::status(code), Reply::ok(GOOD).tag("\"1\"").with_status(code)] {
            origin.always(reply);
            for have in [None, Some(&have)] {
                match client.fails(have) {
                    FetchError::Status { status, retry_after: None } => assert_eq!(status, code),
                    other => panic!("{code}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_common_ones_say_what_to_do() {
    let origin = Origin::start();
    let mut client = Client::for_origin(&origin);
    for (code, words) in [
        (204, "a document must come as 200"),
        (206, "which was not requested"),
        (401, "check the credentials"),
        (403, "check that these credentials may read"),
        (404, "check the URL"),
        (410, "name its new place"),
        (429, "polling slows down by itself"),
        (500, "the origin is in trouble"),
    ] {
        origin.always(Reply::status(code));
        client.fails_with(&format!("the origin answered {code}"));
        client.fails_with(words);
    }
}

#[test]
fn retry_after_is_passed_on_and_capped() {
    let origin = Origin::start();
    let mut client = Client::for_origin(&origin);
    for (value, seconds) in [
        ("7", Some(7)),
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3_600)),
        ("99999999999999999999999", Some(3_600)),
        ("-1", None),
        ("later", None),
    ] {
        for status in [429, 503] {
            let date = "Sun, 06 Nov 1994 08:49:37 GMT";
            origin.always(Reply::status(status).header("Retry-After", value).header("Date", date));
            assert_eq!(client.fails(None).retry_after(), seconds.map(Duration::from_secs), "{value}");
        }
    }
}

#[test]
fn an_error_page_does_not_cost_the_connection() {
    let origin = Origin::start();
    origin.always(Reply::ok("<html>".repeat(100)).with_status(503));
    let mut client = Client::for_origin(&origin);
    for _ in 0..5 {
        client.fails(None);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn recovery_is_immediate() {
    let origin = Origin::start();
    origin.script([Reply::status(500), Reply::status(404), Reply::document(GOOD)]);
    let mut client = Client::for_origin(&origin);
    client.fails(None);
    client.fails(None);
    assert_eq!(client.changed(None).0, GOOD);
}
