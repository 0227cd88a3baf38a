//! Certificates that are not good, each with its reason.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::authority::Authority;

const NOW: u64 = 1_800_000_000;

struct Place {
    outer: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { outer: tempfile::tempdir().unwrap() };
        place.make("certs");
        place
    }

    fn make(&self, folder: &str) {
        let authority = Authority::create(&self.outer.path().join(folder), "shop", NOW).unwrap();
        for (name, node) in [("a", 1), ("b", 2)] {
            authority.issue_as(NodeId::new(node), name, &["localhost".to_owned()], NOW).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.outer.path().join(name)
    }

    fn check(&self, cluster: &str, now: u64, words: &[&str]) {
        let error = Identity::read(&self.path("certs/a"), cluster, now).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn each_mistake_names_the_file_and_the_remedy() {
    let place = Place::new();
    place.check("other", NOW, &["certs/a/node.pem", "`other`", "it belongs to the cluster `shop`"]);
    fs::set_permissions(place.path("certs/a/node.key"), fs::Permissions::from_mode(0o640)).unwrap();
    place.check("shop", NOW, &["certs/a/node.key", "chmod 600"]);
    fs::copy(place.path("certs/b/node.key"), place.path("certs/a/node.key")).unwrap();
    fs::set_permissions(place.path("certs/a/node.key"), fs::Permissions::from_mode(0o600)).unwrap();
    place.check("shop", NOW, &["certs/a/node.key", "not that of the certificate"]);
    fs::write(place.path("certs/a/node.key"), "x").unwrap();
    place.check("shop", NOW, &["certs/a/node.key", "no private key"]);
    fs::write(place.path("certs/a/node.pem"), "x").unwrap();
    place.check("shop", NOW, &["certs/a/node.pem", "no certificate"]);
    fs::remove_file(place.path("certs/a/node.pem")).unwrap();
    place.check("shop", NOW, &["certs/a/node.pem", "cannot be read"]);
}

#[test]
fn the_certificate_of_another_authority_is_not_believed() {
    let place = Place::new();
    place.make("others");
    fs::copy(place.path("others/authority/ca.pem"), place.path("certs/a/ca.pem")).unwrap();
    place.check("shop", NOW, &["certs/a/node.pem", "has not issued it"]);
}

#[test]
fn the_authority_itself_is_no_node() {
    let place = Place::new();
    fs::copy(place.path("certs/authority/ca.pem"), place.path("certs/a/node.pem")).unwrap();
    fs::copy(place.path("certs/authority/ca.key"), place.path("certs/a/node.key")).unwrap();
    place.check("shop", NOW, &["has not issued it"]);
}

#[test]
fn an_expired_certificate_is_still_read() {
    let place = Place::new();
    let read = |now| Identity::read(&place.path("certs/a"), "shop", now).unwrap();
    for (now, invalid) in [
        (NOW, None),
        (NOW - 7_200, Some(Distrust::NotYetValid)),
        (0, Some(Distrust::NotYetValid)),
        (NOW + 366 * 86_400, Some(Distrust::Expired)),
        (NOW + 3_660 * 86_400, Some(Distrust::Expired)),
    ] {
        let identity = read(now);
        assert_eq!((identity.node(), identity.invalid()), (NodeId::new(1), invalid.as_ref()), "{now}");
        assert_eq!(identity.refused().is_some(), invalid.is_some());
    }
    // What is wrong with it besides is wrong at any time.
    place.make("others");
    fs::copy(place.path("others/a/ca.pem"), place.path("certs/a/ca.pem")).unwrap();
    for now in [NOW, 0, NOW + 366 * 86_400] {
        place.check("shop", now, &["authority has not issued it"]);
        place.check("other", now, &["certs/a/"]);
    }
}
