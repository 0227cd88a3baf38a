//! Certificates that are replaced while nodes run.

use std::fs;
use std::path::Path;

use crate::support::{Node, certificates, certify, certify_at, meet, now, soon};

/// Puts one node's files into the place of another's.
fn replace(from: &Path, to: &Path, files: &[&str]) {
    for file in files {
        let new = to.join(format!("{file}.new"));
        fs::copy(from.join(file), &new).unwrap();
        fs::rename(new, to.join(file)).unwrap();
    }
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    let year = 365 * 86_400;
    certify_at(&certs, &[1], "127.0.0.1", now() - year + 10);
    certify_at(&certs, &[2], "127.0.0.1", now());
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let b = Node::start(2, 20, &[&a], certificates(&certs, 2));
    meet(&[&a, &b]);
    let before = a.mesh.status().certificate_expires.unwrap();
    tidegate_mesh::authority::Authority::open(&certs, "shop").unwrap().renew("1", now()).unwrap();
    soon("it is loaded", || a.mesh.status().certificate_expires.unwrap() > before);
    // The link that began with the old one ends with it, and the next one has the new one.
    soon("the old one has expired", || now() > before + 1);
    soon("they are connected", || a.sees(&b) && b.sees(&a));
    a.tells(&b, "with a new certificate");
    assert!(a.mesh.status().problems.is_empty());
}

#[test]
fn invalid_files_leave_the_previous_certificates_active() {
    let folder = tempfile::tempdir().unwrap();
    let (certs, others) = (folder.path().join("certs"), folder.path().join("others"));
    certify(&certs, &[1, 2, 3]);
    certify(&others, &[1]);
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let own = certs.join("1");
    let saved = folder.path().join("saved");
    fs::create_dir(&saved).unwrap();
    replace(&own, &saved, &["ca.pem", "node.pem", "node.key"]);
    let has_problem = |words: &[&str]| {
        let problems = a.mesh.status().problems;
        words.iter().all(|word| problems.iter().any(|problem| problem.contains(word)))
    };
    fs::write(own.join("node.pem"), "half of a fi").unwrap();
    soon("the problem is reported", || has_problem(&["node.pem", "certificate"]));
    replace(&certs.join("2"), &own, &["node.pem", "node.key"]);
    soon("the other node is reported", || has_problem(&["another node"]));
    replace(&others.join("1"), &own, &["node.pem", "node.key"]);
    soon("the other authority is reported", || has_problem(&["authority has not issued it"]));
    // All the while others come in.
    let c = Node::start(3, 30, &[&a], certificates(&certs, 3));
    meet(&[&a, &c]);
    replace(&saved, &own, &["ca.pem", "node.pem", "node.key"]);
    soon("it is well again", || a.mesh.status().problems.is_empty());
}

#[test]
fn an_authority_is_replaced_without_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    certify(&old, &[1, 2, 3]);
    certify(&new, &[1, 2]);
    let nodes: Vec<Node> = {
        let a = Node::start(1, 10, &[], certificates(&old, 1));
        let b = Node::start(2, 20, &[&a], certificates(&old, 2));
        let stolen = Node::start(3, 30, &[&a, &b], certificates(&old, 3));
        vec![a, b, stolen]
    };
    let [a, b, stolen] = nodes.as_slice() else { unreachable!("three") };
    meet(&[a, b, stolen]);
    // First both authorities are trusted, ...
    let read = |path: &Path| fs::read_to_string(path.join("ca.pem")).unwrap();
    let both = read(&old.join("1")) + &read(&new.join("1"));
    for node in ["1", "2"] {
        fs::write(old.join(node).join("ca.pem"), &both).unwrap();
    }
    let expires = |node: &Node| node.mesh.status().certificate_expires.unwrap();
    let before = [expires(a), expires(b)];
    // ... then each node has a certificate of the new one, ...
    for node in ["1", "2"] {
        replace(&new.join(node), &old.join(node), &["node.pem", "node.key"]);
    }
    let is_loaded = |node: &Node| node.mesh.status().problems.is_empty();
    soon("all is loaded", || is_loaded(a) && is_loaded(b) && [expires(a), expires(b)] >= before);
    a.tells(b, "with both");
    // ... and then only that one is trusted: who has no new certificate is put out, and its link ends.
    for node in ["1", "2"] {
        replace(&new.join(node), &old.join(node), &["ca.pem"]);
    }
    soon("the stolen one is out", || !a.sees(stolen) && !b.sees(stolen));
    soon("the others are connected", || a.sees(b) && b.sees(a));
    a.tells(b, "with the new one");
    stolen.fails(&a.address().to_string(), "unknown-authority");
    assert!(!a.sees(stolen) && !b.sees(stolen));
}

#[test]
fn a_node_with_an_expired_certificate_starts_and_connects_once_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    let year = 365 * 86_400;
    certify_at(&certs, &[1], "127.0.0.1", now() - 2 * year);
    certify_at(&certs, &[2], "127.0.0.1", now());
    let b = Node::start(2, 20, &[], certificates(&certs, 2));
    let a = Node::start(1, 10, &[&b], certificates(&certs, 1));
    a.fails(&b.address().to_string(), "certificate-refused");
    let status = a.mesh.status();
    assert!(status.certificate_expires.unwrap() < now(), "{status:?}");
    assert!(status.problems.iter().any(|problem| problem.contains("has expired")), "{status:?}");
    assert!(!a.heard_of(2) && !b.heard_of(1));
    tidegate_mesh::authority::Authority::open(&certs, "shop").unwrap().renew("1", now()).unwrap();
    meet(&[&a, &b]);
    a.tells(&b, "with a new certificate");
    soon("it is well", || a.mesh.status().problems.is_empty());
}
