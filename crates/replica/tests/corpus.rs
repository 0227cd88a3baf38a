//! The fuzz corpus of messages, through the body of the fuzz target.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../fuzz/src/message.rs"]
mod message;

#[test]
fn messages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/message");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // The test's own output says which file it was, should one fail.
        eprintln!("{}", path.display());
        message::run(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{count} files in {}", folder.display());
}
