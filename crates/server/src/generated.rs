//! The reference of limits, written from their source.

use std::fmt::Write as _;
use std::path::Path;

/// Every constant of [`crate::limits`] with its value and its reason.
#[test]
fn limits() {
    let mut page = String::from(
        "# Limits of a server\n\n\
         What one server does at most, and why. Whatever is beyond a limit is answered with a problem that names it, or waits; see the\n\
         [HTTP API](http-api.md#limits). Those of a document are [here](limits.md).\n\n\
         | limit | value | what, and why there |\n| --- | ---: | --- |\n",
    );
    let mut reason = Vec::new();
    for line in include_str!("limits.rs").lines() {
        if let Some(text) = line.strip_prefix("///") {
            reason.push(text.trim());
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, rest) = constant.split_once(':').unwrap();
            let value = rest.split_once("= ").unwrap().1.trim_end_matches(';');
            writeln!(page, "| `{name}` | {} | {} |", shown(name, value), reason.join(" ")).unwrap();
            reason.clear();
        }
    }
    check_generated(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/server-limits.md"), &page);
}

/// A value as people read it.
fn shown(name: &str, value: &str) -> String {
    for (call, unit) in [("Duration::from_secs(", "s"), ("Duration::from_mins(", "min")] {
        if let Some(number) = value.strip_prefix(call) {
            return format!("{} {unit}", number.trim_end_matches(')'));
        }
    }
    let factors = value.split(" * ").map(|factor| factor.replace('_', "").parse::<u64>().unwrap());
    let bytes = factors.product::<u64>();
    if !name.contains("BYTES") {
        return bytes.to_string();
    }
    match bytes {
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes if bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// Compares a committed file with what the source says; with `UPDATE=1`, writes it.
fn check_generated(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        return std::fs::write(path, expected).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == expected, "{} is out of date; run `UPDATE=1 cargo xtask generate`", path.display());
}
