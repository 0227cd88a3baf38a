//! TLS and names (F59).

use std::net::{SocketAddr, TcpListener};

use tidegate_origin::{Authority, Handshake, Reply};

use super::*;

fn trusting(authority: &Authority) -> FetchOptions {
    FetchOptions { extra_root_pem: Some(authority.pem()), ..quick() }
}

/// Fetches from an origin of `authority` for `hosts`, as `127.0.0.1`.
fn check(authority: &Authority, hosts: &[&str], problem: &TlsProblem) {
    let origin = Origin::start_tls(authority, hosts);
    origin.always(Reply::document(GOOD));
    let mut client = Client::at(&origin.url("/flags.json"), trusting(authority));
    let error = client.fails(None);
    assert!(matches!(&error, FetchError::Tls { problem: found, .. } if found == problem), "{error:?}");
    assert!(error.to_string().starts_with("secure connection to `127.0.0.1` failed: the certificate"), "{error}");
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn a_good_certificate_is_accepted() {
    let authority = Authority::new();
    let origin = Origin::start_tls(&authority, &["127.0.0.1"]);
    origin.always(Reply::document(GOOD).tag("\"1\""));
    let mut client = Client::at(&origin.url("/flags.json"), trusting(&authority));
    let (body, tag) = client.changed(None);
    assert_eq!(body, GOOD);
    client.unchanged(tag.as_ref());
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_bad_certificate_is_refused_by_name() {
    check(&Authority::expired(), &["127.0.0.1"], &TlsProblem::Expired);
    check(&Authority::early(), &["127.0.0.1"], &TlsProblem::NotYetValid);
    check(&Authority::new(), &["other.example"], &TlsProblem::WrongHost);
    check(&Authority::self_signed(), &["127.0.0.1"], &TlsProblem::UnknownIssuer);
    let origin = Origin::start_tls(&Authority::new(), &["127.0.0.1"]);
    let error = Client::at(&origin.url("/"), trusting(&Authority::new())).fails_with("this machine does not trust");
    assert!(matches!(error, FetchError::Tls { problem: TlsProblem::UnknownIssuer, .. }));
}

#[test]
fn a_handshake_that_fails_says_why() {
    for (handshake, words) in [
        (Handshake::Closes, "closed during the handshake"),
        (Handshake::Old, "it must speak TLS 1.2 or 1.3"),
        (Handshake::OldHello, "it must speak TLS 1.2 or 1.3"),
        (Handshake::Plain, "does not speak TLS"),
    ] {
        let origin = Origin::start_broken_tls(handshake);
        Client::at(&origin.url("/"), quick()).fails_with(words);
    }
    let plain = Origin::start();
    let url = plain.url("/").replace("http:", "https:");
    let mut options = quick();
    options.connect_timeout = Duration::from_millis(200);
    plain.always(Reply::document(GOOD));
    // The origin waits for the end of a request line that the handshake does not have.
    Client::at(&url, options).fails_with("timed out after 200ms connecting");
}

#[test]
fn a_handshake_that_hangs_ends_by_time() {
    let origin = Origin::start_broken_tls(Handshake::Hangs);
    let options = FetchOptions { connect_timeout: Duration::from_millis(150), ..quick() };
    let error = Client::at(&origin.url("/"), options).fails_with("timed out after 150ms connecting");
    assert!(matches!(error, FetchError::TimedOut { phase: Phase::Connecting, .. }));
}

#[test]
fn a_name_without_an_address_is_named() {
    // RFC 6761: no name server may know it.
    let error = Client::at("http://nowhere.invalid/flags.json", quick()).fails_with("`nowhere.invalid`");
    assert!(matches!(error, FetchError::NameNotFound { .. }), "{error:?}");
}

#[test]
fn refusal_is_named_and_the_next_poll_recovers() {
    let mut origin = Origin::start();
    origin.always(Reply::document(GOOD).tag("\"1\""));
    let mut client = Client::for_origin(&origin);
    let (_, tag) = client.changed(None);
    origin.go_down();
    for _ in 0..2 {
        let error = client.fails(tag.as_ref());
        assert!(error.to_string().starts_with("cannot connect to `127.0.0.1`: connection refused"), "{error}");
    }
    origin.come_up();
    client.unchanged(tag.as_ref());
}

#[test]
fn a_connection_closed_between_polls_is_replaced_without_an_error() {
    let origin = Origin::start();
    origin.always(Reply::document(GOOD).tag("\"1\""));
    let mut client = Client::for_origin(&origin);
    let (_, tag) = client.changed(None);
    for _ in 0..3 {
        origin.close_connections();
        client.unchanged(tag.as_ref());
    }
}

#[test]
fn of_two_addresses_the_living_one_is_used() {
    let origin = Origin::start();
    origin.always(Reply::document(GOOD));
    let mut options = quick();
    options.connect_timeout = Duration::from_secs(1);
    // A refusing address on this machine; and one that never answers, anywhere.
    for dead in ["127.0.0.2:1", "192.0.2.1:1"] {
        options.addresses = vec![("two.example".to_owned(), vec![dead.parse().unwrap(), origin.address()])];
        let mut client = Client::at(&origin.url_at("two.example", "/flags.json"), options.clone());
        assert_eq!(client.changed(None).0, GOOD, "{dead}");
    }
}

#[test]
fn a_dead_address_ends_by_time_or_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = silent.local_addr().unwrap();
    drop(silent);
    let mut options = quick();
    options.addresses = vec![("dead.example".to_owned(), vec![address])];
    Client::at(&format!("http://dead.example:{}/", address.port()), options).fails_with("connection refused");
}
