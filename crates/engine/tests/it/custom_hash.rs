//! A hash of the program's own takes the place of `sha1` where a document names neither hash nor salt, and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    CompileOptions, CustomHash, HashAlgorithm, HashName, Micros, Moment, Part, Position, Snapshot, Subject, compile,
    compile_all, read,
};

const FLAGS: [(&str, &str); 5] = [
    ("plain", ""),
    ("adopters", r#", "early_adopters": ["somebody else"]"#),
    ("salted", r#", "salt": "s""#),
    ("explicit", r#", "hash": "sha1""#),
    ("murmur", r#", "hash": "murmur3""#),
];

fn text() -> String {
    let flags = FLAGS.map(|(name, rest)| {
        format!(
            r#""{name}": {{"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50{rest}}}"#
        )
    });
    format!(r#"{{"f": {{{}}}}}"#, flags.join(","))
}

/// The length of the key, in the upper bits.
fn by_length() -> CustomHash {
    CustomHash::new("length", |key| u32::try_from(key.len()).unwrap() << 28)
}

fn snapshot(custom_hash: Option<CustomHash>) -> Snapshot {
    compile(&read(text().as_bytes()).unwrap().0, &CompileOptions { custom_hash, ..CompileOptions::default() })
}

fn moment() -> Moment<'static> {
    Moment { now: Micros::new(1_800_000_000_000_000), leases: const { &Clocks::synced() } }
}

#[test]
fn it_places_the_keys_of_flags_that_name_neither_hash_nor_salt() {
    let (custom, usual) = (snapshot(Some(by_length())), snapshot(None));
    for (name, _) in FLAGS {
        let is_custom = matches!(name, "plain" | "adopters");
        for key in ["a", "seven77", "eleven11111"] {
            let explain = |snapshot: &Snapshot| snapshot.explain("f", name, &Subject::key(key), &moment());
            let (one, other) = (explain(&custom), explain(&usual));
            if !is_custom {
                assert_eq!(one, other, "{name}");
                continue;
            }
            let position = u32::try_from(key.len()).unwrap() << 28;
            assert_eq!(
                (one.position, one.hash),
                (Some(Position::new(position)), Some(HashName::Custom("length".into())))
            );
            assert_eq!(one.value.as_deref(), Some(if key.len() < 8 { "true" } else { "false" }), "{name} of {key}");
            assert_eq!(other.hash, Some(HashName::Algorithm(HashAlgorithm::Sha1)));
            let json = serde_json::to_value(custom.explain("f", name, &Subject::key(key), &moment())).unwrap();
            assert_eq!(json["hash"], "length");
        }
    }
}

#[test]
fn flips_plans_and_documents_compiled_together_use_it_too() {
    let options = CompileOptions { custom_hash: Some(by_length()), ..CompileOptions::default() };
    let (one, other) = (read(text().as_bytes()).unwrap().0, read(b"{}").unwrap().0);
    let together =
        compile_all(&[Part { document: &one, options: &options }, Part { document: &other, options: &options }]);
    let flag = together.flag(together.find("f", "plain").unwrap());
    assert_eq!(flag.hash().as_str(), "length");
    assert!(flag.flips(&Subject::key("a"), &moment()).on.is_some(), "a short key flips");
    assert!(flag.flips(&Subject::key("eleven11111"), &moment()).on.is_none(), "a long one does not");
    assert_eq!(flag.plan(&moment()).has_new("a", moment().now), None, "a handle asks the snapshot");
}

#[test]
fn hosts_that_hash_differently_have_other_digests() {
    let other = CustomHash::new("other", |_| 0);
    let digests = [None, Some(by_length()), Some(other)].map(|hash| snapshot(hash).digest());
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
    assert_eq!(snapshot(Some(by_length())).digest(), digests[1]);
}

#[test]
fn a_panic_in_it_reaches_the_caller_and_leaves_the_snapshot_as_it_was() {
    let snapshot = snapshot(Some(CustomHash::new("panics", |key| {
        assert_ne!(key, "bad", "no such key");
        0
    })));
    let read = |key| {
        let index = snapshot.find("f", "plain");
        snapshot.evaluate(index, &Subject::key(key), &moment()).answer.as_bool()
    };
    assert!(catch_unwind(AssertUnwindSafe(|| read("bad"))).is_err());
    assert_eq!(read("good"), Some(true));
}
