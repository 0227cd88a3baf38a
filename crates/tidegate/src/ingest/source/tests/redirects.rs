//! Redirects: how many, where to, and what goes along (F57, F85).

use tidegate_origin::{Authority, Reply};

use super::*;

fn refused(error: FetchError) -> RedirectError {
    match error {
        FetchError::Redirect(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_are_followed_and_a_sixth_is_not() {
    for (hops, is_followed) in [(1, true), (5, true), (6, false)] {
        let origin = Origin::start();
        for hop in 0..hops {
            let from = if hop == 0 { "/flags.json".to_owned() } else { format!("/{hop}") };
            let status = [301, 302, 303, 307, 308][hop % 5];
            origin.script_at(&from, [Reply::redirect(status, format!("/{}", hop + 1))]);
        }
        origin.script_at(&format!("/{hops}"), [Reply::document(GOOD).tag("\"1\"")]);
        let mut client = Client::for_origin(&origin);
        if is_followed {
            let (body, tag) = client.changed(None);
            assert_eq!(body, GOOD);
            client.unchanged(tag.as_ref());
        } else {
            assert_eq!(refused(client.fails(None)), RedirectError::TooMany);
        }
    }
}

#[test]
fn a_loop_ends() {
    let origin = Origin::start();
    origin.always(Reply::redirect(302, "/flags.json"));
    assert_eq!(refused(Client::for_origin(&origin).fails_with("more than 5 in a row")), RedirectError::TooMany);
    assert_eq!(origin.requests().len(), 6);
}

#[test]
fn bad_targets_are_not_followed() {
    let origin = Origin::start();
    let mut client = Client::for_origin(&origin);
    for (target, words) in [
        ("file:///etc/passwd", "scheme `file`"),
        ("ftp://127.0.0.1/", "scheme `ftp`"),
        ("unix:/run/docker.sock", "scheme `unix`"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://[fe80::1]/", "[fe80::1]"),
        ("http://", "no readable `Location`"),
        ("", "no readable `Location`"),
    ] {
        origin.always(Reply::redirect(302, target));
        refused(client.fails_with(words));
    }
    origin.always(Reply::status(302));
    assert_eq!(refused(client.fails(None)), RedirectError::NoLocation);
}

#[test]
fn other_redirects_are_errors() {
    let origin = Origin::start();
    let mut client = Client::for_origin(&origin);
    for status in [300, 305, 306] {
        origin.always(Reply::redirect(status, "/other").body(GOOD));
        client.fails_with(&format!("the origin answered {status}"));
    }
}

#[test]
fn from_elsewhere_nothing_leads_into_this_machine() {
    let origin = Origin::start();
    let port = origin.address().port();
    // The named host is elsewhere, as far as one of its addresses says; in truth both names are the origin.
    let mut options = quick();
    options.addresses = vec![
        ("inside.example".to_owned(), vec![origin.address()]),
        ("named.example".to_owned(), vec![origin.address(), "192.0.2.1:1".parse().unwrap()]),
    ];
    let url = origin.url_at("named.example", "/flags.json");
    let mut client = Client::at(&url, options);
    for target in [
        format!("http://inside.example:{port}/secret"),
        format!("http://127.0.0.1:{port}/secret"),
        format!("http://2130706433:{port}/secret"),
        format!("http://localhost:{port}/secret"),
        format!("http://[::1]:{port}/secret"),
    ] {
        origin.always(Reply::redirect(302, &target));
        let error = client.fails_with("an address of this machine or of its link");
        assert!(matches!(refused(error), RedirectError::Address { .. }));
    }
    assert!(origin.requests().iter().all(|request| request.target == "/flags.json"));
}

#[test]
fn secrets_stay_with_the_origin_that_was_named() {
    let (home, other) = (Origin::start(), Origin::start());
    home.script_at("/flags.json?key=word", [Reply::redirect(302, "/here")]);
    home.script_at("/here", [Reply::redirect(302, other.url("/there"))]);
    other.script_at("/there", [Reply::redirect(302, home.url("/back"))]);
    home.script_at("/back", [Reply::document(GOOD)]);
    let mut options = quick();
    options.headers = vec![("X-Api-Key".to_owned(), "word".to_owned())];
    let url = home.url("/flags.json?key=word").replace("://", "://user:word@");
    assert_eq!(Client::at(&url, options).changed(None).0, GOOD);
    let has_secrets = |origin: &Origin| -> Vec<bool> {
        let has = |request: &tidegate_origin::Request| {
            let (own, user) = (request.header("X-Api-Key"), request.header("Authorization"));
            assert_eq!(own.is_some(), user.is_some());
            assert_eq!(request.header("Referer"), None);
            own.is_some()
        };
        origin.requests().iter().map(has).collect()
    };
    assert_eq!(has_secrets(&other), [false]);
    assert_eq!(has_secrets(&home), [true, true, false]);
}

#[test]
fn never_from_https_to_http() {
    let (authority, plain) = (Authority::new(), Origin::start());
    let secure = Origin::start_tls(&authority, &["127.0.0.1"]);
    plain.always(Reply::document(GOOD));
    let mut options = quick();
    options.extra_root_pem = Some(authority.pem());
    secure.always(Reply::redirect(301, plain.url("/flags.json")));
    let mut client = Client::at(&secure.url("/flags.json"), options.clone());
    assert_eq!(refused(client.fails_with("from https to http")), RedirectError::Downgrade);
    assert_eq!(plain.requests().len(), 0);
    // The other way round is fine.
    secure.always(Reply::document(GOOD));
    plain.always(Reply::redirect(301, secure.url("/flags.json")));
    assert_eq!(Client::at(&plain.url("/flags.json"), options).changed(None).0, GOOD);
}
