//! The fuzz corpus, and every document of the conformance set, through the bodies of the fuzz targets.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../../fuzz/src/document.rs"]
mod document;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../../fuzz/src/duration.rs"]
mod duration;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../../fuzz/src/evaluation.rs"]
mod evaluation;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../../fuzz/src/percent.rs"]
mod percent;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../../fuzz/src/time.rs"]
mod time;

/// Runs a body over each file of a folder.
fn replay(folder: &str, least: usize, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The test's own output says which file it was, should one fail.
        eprintln!("{name}");
        run(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= least, "{count} files in {}", folder.display());
}

#[test]
fn documents() {
    replay("fuzz/corpus/document", 20, document::run);
    replay("conformance/documents", 180, document::run);
}

#[test]
fn times() {
    replay("fuzz/corpus/time", 10, time::run);
}

#[test]
fn durations() {
    replay("fuzz/corpus/duration", 10, duration::run);
}

#[test]
fn percentages() {
    replay("fuzz/corpus/percent", 10, percent::run);
}

#[test]
fn evaluations() {
    replay("fuzz/corpus/evaluation", 10, evaluation::run);
}
