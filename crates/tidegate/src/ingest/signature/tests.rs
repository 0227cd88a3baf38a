use proptest::prelude::*;

use super::*;
use crate::ingest::source::body_digest;

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../tests/signed/", $name))
    };
}

const FIRST: &str = data!("only-for-tests-first.pub");
const SECOND: &str = data!("only-for-tests-second.pub");
const STRANGER: &str = data!("only-for-tests-stranger.pub");
const BODY: &str = data!("v42.json");
const SIGNATURE: &str = data!("v42.json.minisig");

fn trust(keys: &[&str], environment: Option<&str>) -> Trust {
    let mut trust = Trust::default();
    for key in keys {
        trust.add_key(key).unwrap();
    }
    if let Some(environment) = environment {
        trust.set_environment(environment.to_owned());
    }
    trust
}

fn check(keys: &[&str], body: &str, signature: Option<&str>, expected: Result<Option<&str>, &str>) {
    let found = trust(keys, None).verify(body.as_bytes(), signature.map(str::as_bytes));
    match (&found, expected) {
        (Ok(id), Ok(expected)) => assert_eq!(id.map(|id| id.to_string()).as_deref(), expected),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "`{error}` lacks `{part}`"),
        _ => panic!("{found:?}, expected {expected:?}"),
    }
}

#[test]
fn the_key_that_signed_is_named_as_minisign_names_it() {
    let (first, second) = (Ok(Some("693CD58250E526BE")), Ok(Some("5486C1CB03A783CF")));
    check(&[FIRST], BODY, Some(SIGNATURE), first);
    check(&[FIRST, SECOND], BODY, Some(SIGNATURE), first);
    check(&[SECOND, FIRST], BODY, Some(data!("v42.second.minisig")), second);
    check(&[], BODY, None, Ok(None));
    check(&[], BODY, Some("nonsense"), Ok(None));
}

#[test]
fn what_no_trusted_key_has_signed_is_refused() {
    check(&[FIRST], BODY, None, Err("not signed"));
    check(&[FIRST, SECOND], BODY, Some(data!("v42.stranger.minisig")), Err("key 980258BC63D47BE3, which is not"));
    check(&[SECOND], BODY, Some(SIGNATURE), Err("key 693CD58250E526BE, which is not"));
    check(&[FIRST], data!("v42-changed.json"), Some(SIGNATURE), Err("not of this document"));
    check(&[FIRST], BODY, Some(data!("v41.json.minisig")), Err("not of this document"));
    check(&[FIRST], BODY.trim_end(), Some(SIGNATURE), Err("not of this document"));
    check(&[FIRST], BODY, Some(data!("v42.legacy.minisig")), Err("legacy format"));
    check(&[FIRST], BODY, Some(&SIGNATURE.replace("comment: v42", "comment: v43")), Err("not of this document"));
    for text in ["", "\n\n\n\n", BODY, FIRST, &SIGNATURE[..SIGNATURE.len() / 2], "<html>"] {
        check(&[FIRST], BODY, Some(text), Err("not one of minisign"));
    }
}

/// The number of a key is chosen by its maker.
#[test]
fn another_key_under_the_number_of_a_trusted_one_is_of_no_use() {
    let (stranger, first) = (STRANGER.lines().nth(1).unwrap(), FIRST.lines().nth(1).unwrap());
    // The number ends within a character; the first 13 and the last bits of the 14th are taken from the trusted one.
    let forged = format!("{}{}", &first[..14], &stranger[14..]);
    let signature = data!("v42.stranger.minisig");
    let second = signature.lines().nth(1).unwrap();
    let own = SIGNATURE.lines().nth(1).unwrap();
    let forged_signature = signature.replace(second, &format!("{}{}", &own[..14], &second[14..]));
    check(&[FIRST], BODY, Some(&forged_signature), Err("not of this document"));
    // Where both are trusted, the good one still counts.
    check(&[&forged, FIRST], BODY, Some(SIGNATURE), Ok(Some("693CD58250E526BE")));
}

#[test]
fn only_public_keys_are_trusted() {
    let key = |text: &str| Trust::default().add_key(text).map_err(|error| error.to_string());
    let line = FIRST.lines().nth(1).unwrap();
    for text in [FIRST, line, &format!("\n  {line}\r\n"), &FIRST.replace('\n', "\r\n")] {
        assert_eq!(key(text), Ok(()), "{text}");
    }
    let secret = data!("only-for-tests-first.key");
    for text in
        ["", "RWS", "untrusted comment: x", SIGNATURE, secret, &line.replacen("RW", "RX", 1), &line[..55], "é\né"]
    {
        let error = key(text).unwrap_err();
        assert!(error.contains("public key") && !error.contains("RW"), "{text}: {error}");
    }
    assert!(key(secret).unwrap_err().contains("keep the secret key to yourself"));
}

#[test]
fn so_many_keys_and_no_more() {
    let mut trust = trust(&[FIRST], None);
    let key = |number: u8| {
        let line = FIRST.lines().nth(1).unwrap();
        format!("{}{}{}", &line[..8], char::from(b'A' + number), &line[9..])
    };
    for number in 1..u8::try_from(KEYS_MAX).unwrap() {
        trust.add_key(&key(number)).unwrap();
    }
    assert_eq!(trust.add_key(FIRST), Ok(()), "one that is known");
    assert_eq!(trust.add_key(&key(20)), Err(TrustedKeyError::TooMany));
}

fn check_version(trust: &Trust, body: &str, seen: Option<(u64, &str)>, now: &str, expected: Result<(), &str>) {
    let (document, _) = tidegate_engine::read(body.as_bytes()).unwrap();
    let seen = seen.map(|(version, body)| Seen { version, digest: body_digest(body.as_bytes()) });
    let now = tidegate_engine::document::parse_time(now).unwrap();
    let found = trust.check_version(document.header.as_ref(), body_digest(body.as_bytes()), seen, now);
    match (&found, expected) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "`{error}` lacks `{part}`"),
        _ => panic!("{found:?}, expected {expected:?}"),
    }
}

const MID_JANUARY: &str = "2026-01-15 00:00Z";

#[test]
fn versions_only_rise() {
    let trust = trust(&[FIRST], Some("test"));
    let check = |body, seen, expected| check_version(&trust, body, seen, MID_JANUARY, expected);
    check(BODY, None, Ok(()));
    check(BODY, Some((41, data!("v41.json"))), Ok(()));
    check(BODY, Some((42, BODY)), Ok(()));
    check(BODY, Some((42, data!("v42-changed.json"))), Err("version 42 was seen before with another content"));
    check(BODY, Some((43, data!("v43.json"))), Err("version 42, but 43 was seen"));
    check(BODY, Some((u64::MAX, BODY)), Err("was seen before"));
    check(data!("no-version.json"), None, Err("no version"));
}

#[test]
fn each_environment_has_its_own() {
    let trusting = trust(&[FIRST], Some("test"));
    let check = |trust: &Trust, body, expected| check_version(trust, body, None, MID_JANUARY, expected);
    check(&trusting, data!("v43-staging.json"), Err("for `staging`, but this is `test`"));
    check(&trusting, data!("v43-nowhere.json"), Err("for no environment, but this is `test`"));
    check(&trusting, data!("no-header.json"), Err("for no environment"));
    let anywhere = trust(&[FIRST], None);
    check(&anywhere, data!("v43-staging.json"), Ok(()));
    check(&anywhere, data!("v43-nowhere.json"), Ok(()));
    check(&anywhere, data!("no-header.json"), Err("no version"));
    let unsigned = trust(&[], Some("test"));
    check(&unsigned, data!("v43-staging.json"), Err("for `staging`"));
    check(&unsigned, data!("no-version.json"), Ok(()));
    check(&trust(&[], None), data!("no-header.json"), Ok(()));
}

#[test]
fn a_document_that_is_over_is_not_taken_but_kept() {
    let trusting = trust(&[FIRST], Some("test"));
    let (before, at) = ("2026-01-31T23:59:59.999999Z", "2026-02-01 00:00Z");
    check_version(&trusting, BODY, None, before, Ok(()));
    check_version(&trusting, BODY, None, at, Err("expired at 2026-02-01T00:00:00.000000Z"));
    check_version(&trusting, data!("v43-nowhere.json"), None, at, Err("no environment"));
    check_version(&trust(&[FIRST], None), data!("v43-nowhere.json"), None, "9999-12-31 23:59Z", Ok(()));
    check_version(&trust(&[], None), BODY, None, at, Ok(()));
    let (document, _) = tidegate_engine::read(BODY.as_bytes()).unwrap();
    assert_eq!(trusting.check_kept_version(document.header.as_ref(), 0, None), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes as a signature: refused, and nothing breaks. (Release builds check overflows too.)
    #[test]
    fn damaged_signatures_are_refused(at in 0..SIGNATURE.len(), to in any::<u8>()) {
        let mut text = SIGNATURE.as_bytes().to_vec();
        let in_comment = at < SIGNATURE.find('\n').unwrap();
        prop_assume!(!in_comment && text[at] != to && !text[at].is_ascii_whitespace());
        text[at] = to;
        let found = trust(&[FIRST], None).verify(BODY.as_bytes(), Some(&text));
        prop_assert!(found.is_err(), "{}: {found:?}", text.escape_ascii());
    }

    #[test]
    fn nonsense_is_refused(text in "\\PC{0,40}(\n\\PC{0,120}){0,5}") {
        prop_assert!(trust(&[FIRST], None).verify(BODY.as_bytes(), Some(text.as_bytes())).is_err());
    }
}
