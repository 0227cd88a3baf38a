//! Flags in a test suite: the code under test asks as it always does, and each test says what it is told.
//!
//!     cargo run -p tidegate --example locks_in_tests
//!
//! Three ways: a document of the test's own, a pin, and a clock that stands where the test puts it. None of
//! them depends on the host, its locks, its clock or a network.

use std::time::Duration;

use tidegate::locks::LockFile;
use tidegate::{Clock, FlagKey, HostLock, Pin, Tidegate, Variant, parse_time};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The code under test.
fn price(tide: &Tidegate, user: &str) -> u32 {
    let base = tide.get("shop", "price", user, 100);
    if tide.is_active_for("shop/discount", user) { base / 2 } else { base }
}

/// What is in production, or what of it the code under test reads.
const DOCUMENT: &str = r#"{"shop": {
    "price": {"stable": 90},
    "discount": {"stable": false, "new": true, "salt": "d", "start_time": "2026-03-01 00:00Z", "duration": "10d"}
}}"#;

/// A pin outranks the document.
fn pinned() -> Outcome {
    let build = || Tidegate::builder().text(DOCUMENT).without_locks();
    let with = build().pin("shop/discount", Pin::Variant(Variant::New)).connect()?;
    let without = build().pin("shop/discount", Pin::Variant(Variant::Stable)).connect()?;
    assert_eq!((price(&with, "ada"), price(&without, "ada")), (45, 90));
    let value = build().pin("shop/price", Pin::Value("7".into())).connect()?;
    assert!(price(&value, "ada") <= 7);
    Ok(())
}

/// A ramp of ten days, before, within and after.
fn in_time() -> Outcome {
    let clock = Clock::manual(parse_time("2026-02-28T00:00:00Z")?);
    let tide = Tidegate::builder().text(DOCUMENT).without_locks().clock(clock.clone()).connect()?;
    let with_discount = || (0..1_000).filter(|user| price(&tide, &format!("user-{user}")) == 45).count();
    assert_eq!(with_discount(), 0);
    clock.advance(Duration::from_hours(6 * 24));
    assert!((450..550).contains(&with_discount()), "about half of them on the fifth day: {}", with_discount());
    clock.advance(Duration::from_hours(6 * 24));
    assert_eq!(with_discount(), 1_000);
    Ok(())
}

/// A file of locks, as on a host, for the tests of a whole program: `TIDEGATE_LOCKS` names it to the program.
fn by_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = LockFile::at(folder.path().join("locks.json"));
    let tide = Tidegate::builder().text(DOCUMENT).locks_file(file.path()).connect()?;
    let mut changes = tide.subscribe();
    file.add(&HostLock {
        flag: FlagKey::parse("shop/price"),
        pin: Pin::Value("10".into()),
        actor: "the test".to_owned(),
        reason: "easy arithmetic".to_owned(),
        until: None,
    })?;
    assert!(changes.recv_timeout(Duration::from_secs(10))?.locks);
    assert!(price(&tide, "ada") <= 10);
    Ok(())
}

fn main() -> Outcome {
    for (name, test) in [("pinned", pinned as fn() -> Outcome), ("in time", in_time), ("by file", by_file)] {
        test()?;
        say(name);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn say(name: &str) {
    println!("{name}: as expected");
}
