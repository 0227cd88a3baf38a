//! The layout is that of the tables, and what a newer version adds is skipped.

use proptest::prelude::*;

use super::*;

fn hello() -> Hello {
    Hello {
        versions: (OLDEST_VERSION, VERSION),
        cluster: "shop".to_owned(),
        node: NodeId::new(0xfeed),
        instance: 7,
        address: Some("node-a.example:7400".to_owned()),
        age_ms: None,
        is_starting: false,
    }
}

fn body(bytes: &Bytes) -> &[u8] {
    assert_eq!(bytes[0], HELLO);
    &bytes[1..]
}

/// The bytes of version 1, written by hand: they must never change.
const FIXTURE: &[u8] = b"\x01TIDEGATE\
    \x01\x00\x02\x00\x01\
    \x02\x00\x02\x00\x01\
    \x03\x00\x04shop\
    \x04\x00\x08\x00\x00\x00\x00\x00\x00\xfe\xed\
    \x05\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07\
    \x06\x00\x13node-a.example:7400";

#[test]
fn a_hello_has_the_bytes_of_its_version() {
    assert_eq!(&hello().encode()[..], FIXTURE);
    assert_eq!(Hello::decode(&FIXTURE[1..]), Ok(hello()));
    let without = Hello { address: None, ..hello() };
    assert_eq!(Hello::decode(body(&without.encode())), Ok(without));
}

/// A hello of a later version: another newest version, a longer known field, two unknown fields.
#[test]
fn what_a_newer_version_adds_to_a_hello_is_skipped() {
    let newer = b"TIDEGATE\
        \x09\x00\x03new\
        \x01\x00\x04\x00\x05\xff\xff\
        \x02\x00\x02\x00\x01\
        \x03\x00\x04shop\
        \x04\x00\x08\x00\x00\x00\x00\x00\x00\xfe\xed\
        \x05\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07\
        \xff\x00\x00";
    assert_eq!(Hello::decode(newer), Ok(Hello { versions: (1, 5), address: None, ..hello() }));
}

#[test]
fn a_hello_that_cannot_be_understood_is_refused() {
    let good = &FIXTURE[1..];
    assert_eq!(Hello::decode(b"GET / HTTP/1.1\r\n"), Err(Malformed("its hello is not one of Tidegate")));
    assert_eq!(Hello::decode(b"TIDEGATE"), Err(Malformed("its hello lacks a field")));
    let address_at = good.len() - 22;
    for length in 8..good.len() {
        let expected = if length == address_at { None } else { Some(()) };
        assert_eq!(Hello::decode(&good[..length]).err().map(|_| ()), expected, "cut at {length}");
    }
}

#[test]
fn frames_are_read_as_they_were_written() {
    let read = |bytes: Bytes| Frame::decode(BytesMut::from(&bytes[..]));
    assert_eq!(read(message(b"change")), Some(Frame::Message(BytesMut::from(&b"change"[..]))));
    assert_eq!(read(message(b"")), Some(Frame::Message(BytesMut::new())));
    assert_eq!(read(ping(7)), Some(Frame::Ping(7)));
    assert_eq!(read(pong(u64::MAX)), Some(Frame::Pong(u64::MAX)));
    for byte in 0..=u8::MAX {
        let reason = Reason::from_byte(byte);
        assert_eq!(reason.to_byte(), byte);
        assert_eq!(read(goodbye(reason)), Some(Frame::Goodbye(reason, String::new())));
    }
}

#[test]
fn frames_of_a_newer_version_are_skipped() {
    let read = |bytes: &[u8]| Frame::decode(BytesMut::from(bytes));
    assert_eq!(read(&[6]), Some(Frame::Unknown(6)));
    assert_eq!(read(&[255, 1, 2, 3]), Some(Frame::Unknown(255)));
    assert_eq!(read(&[PING, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9]), Some(Frame::Ping(1)), "a longer ping");
    let longer = Some(Frame::Goodbye(Reason::Leaving, "x".to_owned()));
    assert_eq!(read(&[GOODBYE, 1, b'x']), longer, "a longer goodbye");
    for short in [&[][..], &[PING, 1], &[PONG], &[GOODBYE]] {
        assert_eq!(read(short), None);
    }
}

#[test]
fn a_hello_stays_within_its_limit() {
    let long = Hello { cluster: "c".repeat(9_999), address: Some("a".repeat(9_999)), ..hello() };
    let bytes = long.encode();
    assert!(bytes.len() < HELLO_BYTES_MAX);
    assert!(Hello::decode(body(&bytes)).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = Hello::decode(&bytes);
        let _ = Hello::decode(&[MAGIC, &bytes].concat());
        let _ = Frame::decode(BytesMut::from(&bytes[..]));
    }

    #[test]
    fn every_hello_is_read_as_it_was_written(
        cluster in "\\PC{0,255}", address in proptest::option::of("\\PC{0,100}"), node: u64, instance: u64, oldest: u16, newest: u16,
        age_ms: Option<u64>, is_starting: bool,
    ) {
        prop_assume!(cluster.len() <= TEXT_BYTES_MAX && address.as_ref().is_none_or(|address| address.len() <= TEXT_BYTES_MAX));
        let hello = Hello { versions: (oldest, newest), cluster, node: NodeId::new(node), instance, address, age_ms, is_starting };
        prop_assert_eq!(Hello::decode(body(&hello.encode())), Ok(hello));
    }
}

#[test]
fn the_page_says_what_the_code_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("../../docs/reference/wire-format.md")).unwrap();
    let source = std::fs::read_to_string(folder.join("src/wire.rs")).unwrap();
    let rows: Vec<String> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! |"))
        .map(|row| format!("|{row}").replace("[reason](Reason)", "reason"))
        .collect();
    assert!(rows.len() > 15);
    for row in rows {
        assert!(page.contains(&row), "not in docs/reference/wire-format.md: {row}");
    }
    for reason in 1..=9 {
        assert!(page.contains(&format!("\n| {reason} | ")) && !matches!(Reason::from_byte(reason), Reason::Unknown(_)));
    }
    assert_eq!(Reason::from_byte(10), Reason::Unknown(10), "a new reason stands on the page, too");
    assert_eq!((HELLO_BYTES_MAX, FRAME_BYTES_MAX, TEXT_BYTES_MAX), (4 * 1024, 512 * 1024 + 1, 512));
    for limit in ["| 4 KiB |", "| 512 KiB and 1 byte |", "| 512 bytes |"] {
        assert!(page.contains(limit), "{limit}");
    }
}
