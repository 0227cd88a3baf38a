//! Each public method of the types that programs start with has an example in its documentation, which runs as a doctest.

use std::fs;
use std::path::Path;

/// The files with the types' methods, and how their blocks of methods begin.
const BLOCKS: [(&str, &[&str]); 11] = [
    ("client.rs", &["impl Tidegate {", "impl WeakTidegate {"]),
    ("builder.rs", &["impl Tidegate {", "impl Builder {"]),
    ("builder/connect.rs", &["impl Builder {"]),
    ("builder/sources.rs", &["impl Builder {"]),
    ("builder/fetch.rs", &["impl Builder {"]),
    ("read/view.rs", &["impl View {", "impl<'v> KeyView<'v> {", "impl<'v> FlagView<'v> {"]),
    ("flag_handle.rs", &["impl Tidegate {", "impl View {", "impl FlagHandle {"]),
    ("live.rs", &["impl Live {"]),
    ("live/cluster.rs", &["impl Cluster {"]),
    ("live/backup.rs", &["impl Cluster {"]),
    ("live/quarantine.rs", &["impl Cluster {"]),
];

/// `connect_async` has its example in the guide: a doctest with a runtime is one more crate to build.
const WITHOUT: [&str; 1] = ["connect_async"];

/// The public methods of these blocks that have no example, and how many there are in all.
fn without_example(text: &str, blocks: &[&str]) -> (usize, Vec<String>) {
    let (mut is_within, mut has_example, mut count, mut without) = (false, false, 0, Vec::new());
    for line in text.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            is_within = blocks.contains(&line);
        }
        let line = line.trim_start();
        // What the documentation does not show needs no example in it.
        if line.starts_with("/// ```") || line == "#[doc(hidden)]" {
            has_example = true;
        } else if !line.starts_with("///") && !line.starts_with("#[") {
            let function = line.strip_prefix("pub ").and_then(|rest| rest.split_once("fn "));
            if let Some((_, name)) = function.filter(|_| is_within) {
                let name = name.split(['(', '<']).next().unwrap();
                count += 1;
                if !has_example && !WITHOUT.contains(&name) {
                    without.push(name.to_owned());
                }
            }
            has_example = false;
        }
    }
    (count, without)
}

#[test]
fn each_public_method_has_an_example() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (file, blocks) in BLOCKS {
        let text = fs::read_to_string(source.join(file)).unwrap();
        let (count, without) = without_example(&text, blocks);
        assert!(count > 0, "no methods are found in {file}");
        assert!(without.is_empty(), "these methods of {file} have no example: {without:?}");
    }
}

#[test]
fn a_method_without_an_example_is_found() {
    let text = "impl A {\n    /// ```\n    /// one();\n    /// ```\n    pub fn one() {}\n\n    /// Two.\n    pub fn two<T>() {}\n\n    /// Hidden.\n    #[doc(hidden)]\n    pub fn hidden() {}\n}\n\n\
                impl B {\n    pub fn three() {}\n}\n";
    assert_eq!(without_example(text, &["impl A {"]), (3, vec!["two".to_owned()]));
}
