//! Times and durations as slowroll reads them, to the microsecond.

use std::path::Path;

use serde_json::Value;
use tidegate_engine::document::{parse_duration, parse_time};

#[test]
fn slowrolls_units() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/slowroll/units.json");
    let units: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let durations = units["durations"].as_array().unwrap();
    for duration in durations {
        let span = parse_duration(duration["text"].as_str().unwrap()).unwrap();
        assert_eq!(Some(span.get()), duration["microseconds"].as_u64(), "{duration}");
    }
    let times = units["times"].as_array().unwrap();
    for time in times {
        let instant = parse_time(time["text"].as_str().unwrap()).unwrap();
        assert_eq!(Some(instant.to_string().as_str()), time["utc"].as_str(), "{time}");
    }
    assert!(durations.len() >= 20 && times.len() >= 20);
}
