//! Golden diagnostics: each document of `conformance/diagnostics.json` has exactly these findings at
//! exactly these places.

use std::path::Path;

use serde_json::{Value, json};
use tidegate_engine::check;

use crate::generated;

const FILE: &str = "conformance/diagnostics.json";

#[test]
fn generated_diagnostics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
    let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = file["cases"].as_array_mut().unwrap();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    for case in cases {
        let findings = check(case["document"].as_str().unwrap().as_bytes()).diagnostics;
        case["diagnostics"] = findings
            .iter()
            .map(|found| {
                let place = found.place.as_ref().unwrap();
                json!({"code": found.code.as_str(), "path": found.path.to_string(), "line": place.line, "column": place.column})
            })
            .collect();
    }
    generated::check(FILE, &format!("{}\n", serde_json::to_string_pretty(&file).unwrap()));
}
