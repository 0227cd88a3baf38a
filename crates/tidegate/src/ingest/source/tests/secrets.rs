//! Nothing secret is ever printed (F86).

use tidegate_origin::{Handshake, Reply};

use super::*;

const SECRET: &str = "cAnArY";

fn check(text: &str) {
    assert!(!text.contains(SECRET), "{text}");
}

/// Everything that can be printed of a failure.
fn check_error(error: &FetchError) {
    check(&error.to_string());
    check(&format!("{error:?} {error:#?}"));
    let mut inner: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = inner {
        check(&format!("{error} {error:?}"));
        inner = error.source();
    }
}

fn secretive() -> FetchOptions {
    FetchOptions {
        headers: vec![
            ("Authorization".to_owned(), format!("Bearer {SECRET}")),
            ("X-Key".to_owned(), SECRET.to_owned()),
        ],
        ..impatient()
    }
}

fn url(plain: &str) -> String {
    format!("{}?token={SECRET}&{SECRET}#{SECRET}", plain.replace("://", &format!("://{SECRET}:{SECRET}@")))
}

#[test]
fn no_failure_shows_a_secret() {
    let origin = Origin::start();
    let mut client = Client::at(&url(&origin.url("/flags.json")), secretive());
    check(&format!("{:?} {:?}", client.fetcher, secretive()));
    for reply in [
        Reply::status(401),
        Reply::status(500).body(SECRET),
        Reply::redirect(302, format!("file:///{SECRET}")),
        Reply::redirect(302, format!("http://{SECRET}:{SECRET}@169.254.169.254/?{SECRET}")),
        Reply::redirect(302, format!("/?{SECRET}")),
        Reply::hang(),
        Reply::close(),
        Reply::reset(),
        Reply::raw("nonsense\r\n\r\n"),
        Reply::ok("x").cut_after(0),
        Reply::ok("x").header("Content-Encoding", "gzip"),
        Reply::endless_head(),
        Reply::not_modified(),
    ] {
        origin.always(reply);
        check_error(&client.fails(None));
    }
    for plain in ["http://nowhere.invalid/", "http://127.0.0.2:1/", &origin.url("/").replace("http:", "https:")] {
        check_error(&Client::at(&url(plain), secretive()).fails(None));
    }
    let origin = Origin::start_broken_tls(Handshake::Closes);
    check_error(&Client::at(&url(&origin.url("/")), secretive()).fails(None));
}

#[test]
fn no_refusal_of_a_source_shows_a_secret() {
    for text in [format!("ftp://{SECRET}@x/"), format!("http://{SECRET}:{SECRET}@/"), format!("http://[{SECRET}/")] {
        let error = Source::http(&text).unwrap_err();
        check(&format!("{error} {error:?}"));
    }
    let source = || Source::http("http://127.0.0.1:1/").unwrap();
    for (name, value) in
        [("X-Key", format!("{SECRET}\n")), ("Host", SECRET.to_owned()), ("bad name", SECRET.to_owned())]
    {
        let options = FetchOptions { headers: vec![(name.to_owned(), value)], ..quick() };
        let error = Fetcher::new(source(), options).unwrap_err();
        check(&format!("{error} {error:?}"));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn secrets_reach_the_origin_itself() {
    let origin = Origin::start();
    origin.always(Reply::document(GOOD));
    let options = FetchOptions { headers: vec![("X-Key".to_owned(), SECRET.to_owned())], ..quick() };
    Client::at(&url(&origin.url("/flags.json")), options).changed(None);
    let request = origin.requests().pop().unwrap();
    assert_eq!(request.target, format!("/flags.json?token={SECRET}&{SECRET}"));
    assert_eq!(request.header("X-Key"), Some(SECRET));
    assert_eq!(request.header("Authorization"), Some("Basic Y0FuQXJZOmNBbkFyWQ=="));
}
