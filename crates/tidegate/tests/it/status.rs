//! What an instance says of itself.

use std::time::SystemTime;

use tidegate::{ConnectError, Health, Tidegate};
use tidegate_origin::{Origin, Reply};

use super::support::{Host, document, reply, until, version};

#[test]
fn everything_in_one_json() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.answer_with(|_| reply(1).header("Date", date(0)));
    let url = origin.url("/flags.json?token=hush").replace("http://", "http://user:hush@");
    let tide = host.builder().http(&url).unwrap().header("Authorization", "Bearer hush").connect().unwrap();
    let _: bool = tide.get("features", "version", "k", true);
    assert!(!tide.is_active_for("features/version", "k"));
    let json = serde_json::to_value(tide.status()).unwrap();
    assert!(!json.to_string().contains("hush"), "{json}");
    assert_eq!(json["health"], "fresh");
    assert_eq!(json["served_from"], "source");
    assert_eq!(json["tag"], "\"v1\"");
    assert_eq!(json["flags"], 3);
    assert_eq!(json["digest"].as_str().unwrap().len(), 32);
    assert!(json["age_seconds"].as_f64().unwrap() < 30.0, "{json}");
    assert!(json["fresh_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(json["type_errors"]["count"], 2);
    assert_eq!(json["type_errors"]["flags"], serde_json::json!(["features/version"]));
    assert_eq!(json["unknown_flags"], serde_json::json!({"count": 0, "flags": []}));
    assert_eq!(json["clock"]["is_suspicious"], false);
    assert!(json["cache"]["file"].as_str().unwrap().contains("/cache/"));
    assert_eq!(json["cache"]["error"], serde_json::Value::Null);
    assert_eq!(json["locks"]["locks"], serde_json::json!([]));
}

#[test]
fn misreads_are_counted_in_every_way_of_reading() {
    let tide = Tidegate::builder().text(document(1)).without_locks().connect().unwrap();
    let handle = tide.flag("features", "onn");
    let view = tide.view();
    let unknown: [&dyn Fn() -> bool; 8] = [
        &|| tide.is_active("features/onn"),
        &|| tide.is_active_for("features/onn", "k"),
        &|| tide.get("features", "onn", "k", false),
        &|| tide.raw("features", "onn", "k").is_some(),
        &|| view.is_active_for("features/onn", "k"),
        &|| view.get("features", "onn", "k", false),
        &|| view.raw("features", "onn", "k").is_some(),
        &|| view.for_key("k").is_active_for_key("features/onn") || view.for_key("k").raw("features", "onn").is_some(),
    ];
    assert!(unknown.iter().all(|read| !read()));
    assert!(
        !handle.is_active_for("k") && !view.flag(&handle).is_active_for("k") && !view.flag(&handle).get("k", false)
    );
    assert!(!tide.is_active_for("k", "features/on") && !tide.get("features", "k", "on", false));
    assert!(tide.is_active_for("features/on", "k") && tide.explain("features", "onn", "k").variant.is_none());
    let status = tide.status();
    assert_eq!(status.unknown_flags.count, 9, "a handle may be made before its flag, and explaining is no misread");
    assert_eq!(status.unknown_flags.flags[0].to_string(), "features/onn");
    assert_eq!((status.swapped_arguments.count, status.swapped_arguments.flags.len()), (2, 1));
    assert_eq!(status.type_errors.count, 0);
}

#[test]
fn errors_of_a_refused_document_are_in_the_json() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::ok("{\n \"features\": {\"x\": {}}}"));
    let tide = host.builder_of(&origin).connect().unwrap();
    let json = serde_json::to_value(tide.status()).unwrap();
    let first = &json["refused"]["diagnostics"][0];
    assert_eq!((first["line"].as_u64(), first["path"].as_str()), (Some(2), Some("features.x")), "{json}");
    assert!(first["code"].as_str().unwrap().starts_with('E'), "{json}");
}

/// A date some seconds from now, as in HTTP.
fn date(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let at = now.checked_add_signed(seconds).unwrap();
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at))
}

#[test]
fn the_status_shows_a_clock_that_is_off() {
    for (seconds, is_suspicious) in [(0, false), (3, true), (-3, true), (60, true), (-60, true)] {
        let (host, origin) = (Host::new(), Origin::start());
        origin.answer_with(move |_| reply(1).header("Date", date(seconds)));
        let tide = host.builder_of(&origin).connect().unwrap();
        until("the offset is known", || tide.status().clock.is_some());
        let offset = tide.status().clock.unwrap();
        assert_eq!(offset.is_suspicious, is_suspicious, "{offset:?} for {seconds}");
        assert!(offset.uncertainty_seconds >= 0.0, "{offset:?}");
    }
}

#[test]
fn instances_know_nothing_of_each_other() {
    let (host, other) = (Host::new(), Host::new());
    let origins = [Origin::start(), Origin::start()];
    origins[0].always(reply(1));
    origins[1].always(reply(2));
    let one = host.builder_of(&origins[0]).connect().unwrap();
    let two = other.builder_of(&origins[1]).connect().unwrap();
    for _ in 0..3 {
        assert_eq!((version(&one), version(&two)), (1, 2));
    }
    drop(one);
    assert_eq!(version(&two), 2);
    assert_eq!(two.status().health, Health::Fresh);
}

#[test]
fn what_the_program_gets_wrong_is_an_error() {
    assert!(matches!(Tidegate::builder().connect(), Err(ConnectError::NoSource)));
    let text = Tidegate::builder().text(r#"{"features": {"x": {"new": 1}}}"#).connect();
    let message = text.unwrap_err().to_string();
    assert!(message.contains("features.x") && message.contains("line 1"), "{message}");
    assert!(Tidegate::builder().http("ftp://example.com").is_err());
    let header = Tidegate::builder().http("http://localhost/").unwrap().header("a b", "c").connect();
    assert!(matches!(header, Err(ConnectError::Source(_))));
    let name = Tidegate::builder().text(document(1)).cache_name("").connect();
    assert!(matches!(name, Err(ConnectError::CacheName)));
    for name in ["", "sha1", "xxh3", "murmur3", "a\nb", &"x".repeat(65)] {
        let hasher = Tidegate::builder().text(document(1)).hasher(name, |_| 0).connect();
        assert!(matches!(hasher, Err(ConnectError::HasherName { .. })), "{name}");
    }
}
