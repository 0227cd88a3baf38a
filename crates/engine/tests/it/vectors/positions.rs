use serde::Deserialize;
use tidegate_engine::HashAlgorithm;

use super::{Differences, load};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    hash: String,
    salt: String,
    key: String,
    position: u32,
}

#[test]
fn each_key_has_its_position() {
    let file: File = load("positions.json");
    let mut differences = Differences::default();
    for vector in &file.vectors {
        let algorithm = match vector.hash.as_str() {
            "sha1" => HashAlgorithm::Sha1,
            "xxh3" => HashAlgorithm::Xxh3,
            "murmur3" => HashAlgorithm::Murmur3,
            other => panic!("no hash `{other}`"),
        };
        differences.expect(&vector.id, &algorithm.position(&vector.salt, &vector.key).get(), &vector.position);
    }
    differences.none(file.vectors.len(), 500);
}
