//! A check allocates nothing: a hard promise, for every kind of flag but those with a regular expression.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use allocation_counter::measure;
use tidegate::{Attribute, Attributes, Clock, JsonAttributes, Reason, Subject, Tidegate, parse_time};

use super::support::Host;

const DOCUMENT: &str = r#"{"features": {
    "on": {"stable": true},
    "rollout": {"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50},
    "ramp": {"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "36500d"},
    "back": {"stable": false, "new": true, "salt": "s", "start_time": "2020-01-01 00:00Z", "duration": "1d",
             "rollback": {"start_time": "2021-01-01 00:00Z", "duration": "36500d"}},
    "sha1": {"stable": false, "new": true, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50},
    "murmur3": {"stable": false, "new": true, "salt": "s", "hash": "murmur3", "start_time": "2020-01-01 00:00Z",
                "duration": "1d", "end_pct": 50},
    "adopters": {"stable": false, "new": true, "early_adopters": ["key-1", "key-2"], "start_time": "2020-01-01 00:00Z",
                 "duration": "36500d"},
    "number": {"stable": 1, "new": 1000000, "interpolate": true, "start_time": "2020-01-01 00:00Z", "duration": "36500d"},
    "float": {"stable": 0.5, "new": 99.5, "interpolate": true, "start_time": "2020-01-01 00:00Z", "duration": "36500d"},
    "leased": {"stable": false, "new": true, "lease": "1h", "start_time": "2020-01-01 00:00Z", "duration": "36500d"},
    "locked": {"stable": false, "new": true, "lock": "new"},
    "disabled": {"stable": false, "enabled": false},
    "text": {"stable": "a"}
}}"#;

const FLAGS: [&str; 14] = [
    "on", "rollout", "ramp", "back", "sha1", "murmur3", "adopters", "number", "float", "leased", "locked", "disabled",
    "text", "unknown",
];

/// Every way to ask one flag. The result keeps the compiler from leaving anything out.
fn ask(tide: &Tidegate, flag: &str, key: &str) -> u32 {
    let flag_key = ["features/", flag].concat();
    let handle = tide.flag("features", flag);
    let view = tide.view();
    let user = view.for_key(key);
    // Once before, for what is made at a thread's first read, or kept for the status at the first mistake.
    let mut count = 0;
    let mut all = || {
        count += u32::from(tide.is_active_for(&flag_key, key));
        count += u32::from(tide.is_active(&flag_key));
        count += match flag {
            "number" => tide.get("features", flag, key, 0_u32),
            "float" => u32::from(tide.get("features", flag, key, 0.0_f64) > 1.0),
            // A `String` has to be put somewhere.
            "text" => {
                tide.get("features", flag, key, 0_u32)
                    + u32::from(view.get("features", flag, key, true))
                    + u32::from(view.get("features", flag, key, "?") == "a")
            }
            _ => u32::from(
                tide.get("features", flag, key, false)
                    && tide.get("features", flag, None, true)
                    && view.get("features", flag, key, true)
                    && user.get("features", flag, true),
            ),
        };
        count += u32::from(handle.is_active_for(key));
        count += u32::from(handle.is_active());
        count += u32::from(handle.variant_for(key).is_some());
        count += u32::from(view.is_active_for(&flag_key, key));
        count += u32::from(view.flag(&handle).is_active_for(key));
        count += u32::from(view.flag(&handle).variant_for(key).is_some());
        count += u32::from(view.decide("features", flag, key).error.is_some());
        count += u32::from(user.is_active_for_key(&flag_key));
        count += u32::from(tide.view().for_key(key).is_active_for_key(&flag_key));
    };
    all();
    let info = measure(|| {
        for _ in 0..100 {
            all();
        }
    });
    assert_eq!(info.count_total, 0, "allocations while `{flag}` was asked: {info:?}");
    count
}

/// Rules read attributes where the caller has them.
#[test]
fn a_check_of_rules_on_attributes_allocates_nothing() {
    let text = r#"{"$tidegate": {"segments": {"staff": {"any": [{"attribute": "email", "ends_with": "@example.com"},
        {"attribute": "groups", "contains": "staff"}]}}}, "f": {
        "other": {"stable": 1, "new": 2, "rules": [{"name": "r", "when": {"segment": "staff"}, "serve": "new"}]},
        "x": {"stable": false, "new": true, "salt": "", "bucket_by": "tenant", "rules": [
            {"name": "many", "serve": "stable", "when": {"all": [{"attribute": "plan", "in": ["a", "b"]}, {"not": {"segment": "staff"}}]}},
            {"name": "version", "serve": "stable", "when": {"attribute": "version", "semver": ">=1.2.3-beta.11, <1.2.3"}},
            {"name": "ip", "serve": "stable", "when": {"attribute": "ip", "in_network": ["10.0.0.0/8", "2001:db8::/32"]}},
            {"name": "since", "serve": "stable", "when": {"attribute": "since", "lt": "2026-01-01 00:00Z"}},
            {"name": "age", "serve": "stable", "when": {"attribute": "address.age", "gte": 18, "lt": 19}},
            {"name": "flag", "when": {"flag": "f/other", "is": "new"}, "serve": {"ramp": {"start_time": "2020-01-01 00:00Z", "duration": "36500d"}}}]}}}"#;
    let tide = Tidegate::builder().text(text).without_locks().connect().unwrap();
    let address = [("age", Attribute::from(20))];
    let groups = [Attribute::from("all"), Attribute::from("staff")];
    let attributes = [
        ("plan", Attribute::from("a")),
        ("version", Attribute::from("1.2.3-alphabetical.12345")),
        ("ip", Attribute::from("11.1.2.3")),
        ("since", Attribute::from("2026-06-01T00:00:00+02:00")),
        ("tenant", Attribute::from(42)),
        ("groups", Attribute::List(&groups)),
        ("address", Attribute::Object(&address)),
    ];
    let json =
        JsonAttributes::parse(r#"{"plan": "c", "email": "a@example.com", "tenant": "x", "address": {"age": 17.5}}"#);
    let json = json.unwrap();
    let handle = tide.flag("f", "x");
    let mut count = 0;
    let mut all = || {
        for attributes in [Attributes::from(&attributes), Attributes::from(&json)] {
            let subject = Subject::key("k").with_attributes(attributes);
            count += u32::from(handle.is_active_to(&subject));
            count += u32::from(handle.variant_to(&subject).is_some());
            let decision = tide.view().decide("f", "x", subject.clone()).reason;
            assert_eq!(decision, Reason::TargetingMatch);
            count += u32::from(tide.get("f", "x", subject, false));
        }
    };
    all();
    let info = measure(|| (0..100).for_each(|_| all()));
    assert_eq!(info.count_total, 0, "{info:?}");
    std::hint::black_box(count);
}

/// A value that is not of the type asked for is no exception, as long as it is a number or a boolean that is asked for.
#[test]
fn a_check_allocates_nothing() {
    let tide = Tidegate::builder().text(DOCUMENT).without_locks().connect().unwrap();
    for flag in FLAGS {
        std::hint::black_box(ask(&tide, flag, "key-1"));
    }
}

#[test]
fn a_check_on_a_manual_clock_or_under_locks_allocates_nothing() {
    let clock = Clock::manual(parse_time("2026-01-01T00:00:00Z").unwrap());
    let pin = tidegate::Pin::Value("true".into());
    let tide =
        Tidegate::builder().text(DOCUMENT).without_locks().clock(clock).pin("features/ramp", pin).connect().unwrap();
    for flag in FLAGS {
        std::hint::black_box(ask(&tide, flag, "key-1"));
    }
}

/// While another thread publishes, a reader's refresh costs nothing either: it counts one up and one down.
#[test]
fn a_check_allocates_nothing_while_another_thread_publishes() {
    let host = Host::new();
    let tide = host.builder().text(DOCUMENT).connect().unwrap();
    let file = tidegate::locks::LockFile::at(host.locks());
    let lock = |text: &str| tidegate::HostLock {
        flag: tidegate::FlagKey::parse("features/number"),
        pin: tidegate::Pin::Value(text.into()),
        actor: String::new(),
        reason: String::new(),
        until: None,
    };
    let done = AtomicBool::new(false);
    let seen = [const { AtomicBool::new(false) }; 4];
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let handle = tide.flag("features", "rollout");
            let all = || {
                let number: u32 = tide.get("features", "number", "k", 0);
                if let Some(seen) = seen.get(number as usize) {
                    seen.store(true, Ordering::Relaxed);
                }
                handle.is_active_for("k")
            };
            all();
            let info = measure(|| {
                while !done.load(Ordering::Relaxed) {
                    all();
                }
            });
            info.count_total
        });
        for (text, seen) in ["1", "2", "3"].into_iter().zip(&seen[1..]) {
            file.add(&lock(text)).unwrap();
            super::support::until("the reader has seen it", || seen.load(Ordering::Relaxed));
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(reading.join().unwrap(), 0);
    });
}
