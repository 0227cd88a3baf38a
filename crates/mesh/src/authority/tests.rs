//! What an authority makes is what a node can read, and nothing is overwritten.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::identity::Identity;
use crate::trust::Distrust;

const NOW: u64 = 1_800_000_000;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn hosts(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_node_is_made_and_can_be_read() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("certs");
    let authority = Authority::create(&folder, "shop é", NOW).unwrap();
    let issued = authority.issue_as(NodeId::new(7), "a", &hosts(&["node-a.example", "10.0.0.7", "::1"]), NOW).unwrap();
    assert_eq!((issued.node, issued.expires), (NodeId::new(7), NOW + NODE_LIFE));
    let identity = Identity::read(&issued.folder, "shop é", NOW).unwrap();
    assert_eq!((identity.node(), identity.expires()), (issued.node, issued.expires));
    for (path, expected) in [
        (folder.clone(), 0o700),
        (folder.join("authority"), 0o700),
        (folder.join("authority/ca.key"), 0o600),
        (folder.join("a"), 0o700),
        (folder.join("a/node.key"), 0o600),
    ] {
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

#[test]
fn an_authority_is_taken_up_again_and_adds_nodes() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("certs");
    assert!(!Authority::is_in(&folder));
    Authority::create(&folder, "shop", NOW).unwrap().issue_as(NodeId::new(1), "a", &hosts(&["a"]), NOW).unwrap();
    assert!(Authority::is_in(&folder));
    let authority = Authority::open(&folder, "shop").unwrap();
    let issued = authority.issue_as(NodeId::new(2), "b", &hosts(&["b"]), NOW).unwrap();
    assert_eq!(Identity::read(&issued.folder, "shop", NOW).unwrap().node(), NodeId::new(2));
    assert_eq!(fs::read(folder.join("a/ca.pem")).unwrap(), fs::read(folder.join("b/ca.pem")).unwrap());
}

#[test]
fn another_authority_takes_over_the_nodes() {
    let outer = tempfile::tempdir().unwrap();
    let (old, new) = (outer.path().join("old"), outer.path().join("new"));
    let authority = Authority::create(&old, "shop", NOW).unwrap();
    authority.issue_as(NodeId::new(2), "b", &hosts(&["node-b.example", "10.0.0.8", "fd00::8"]), NOW).unwrap();
    authority.issue_as(NodeId::new(1), "a", &hosts(&["10.0.0.7"]), NOW).unwrap();
    fs::create_dir(old.join("not a node")).unwrap();
    let nodes = Authority::nodes_in(&old).unwrap();
    let named: Vec<_> = nodes.iter().map(|(name, node, _)| (name.as_str(), node.get())).collect();
    assert_eq!(named, [("a", 1), ("b", 2)]);
    assert_eq!(nodes[1].2, ["node-b.example", "10.0.0.8", "fd00::8"]);
    let authority = Authority::create(&new, "shop", NOW).unwrap();
    for (name, node, hosts) in &nodes {
        let issued = authority.issue_as(*node, name, hosts, NOW).unwrap();
        assert_eq!(Identity::read(&issued.folder, "shop", NOW).unwrap().node(), *node);
    }
    assert_eq!(Authority::nodes_in(&new).unwrap(), nodes);
    fs::write(old.join("a/node.pem"), "nothing").unwrap();
    assert!(matches!(Authority::nodes_in(&old), Err(AuthorityError::Content { .. })));
}

#[test]
fn existing_files_are_not_overwritten() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("certs");
    let authority = Authority::create(&folder, "shop", NOW).unwrap();
    authority.issue_as(NodeId::new(1), "a", &hosts(&["a"]), NOW).unwrap();
    let before = fs::read(folder.join("a/node.key")).unwrap();
    assert!(matches!(authority.issue_as(NodeId::new(2), "a", &[], NOW), Err(AuthorityError::Exists { .. })));
    assert!(matches!(Authority::create(&folder, "shop", NOW), Err(AuthorityError::Exists { .. })));
    assert!(matches!(Authority::open(&folder, "other"), Err(AuthorityError::OtherCluster { .. })));
    assert_eq!(fs::read(folder.join("a/node.key")).unwrap(), before);
}

#[test]
fn a_renewed_certificate_is_of_the_same_node() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("certs");
    let authority = Authority::create(&folder, "shop", NOW).unwrap();
    authority.issue_as(NodeId::new(7), "a", &hosts(&["node-a.example", "10.0.0.7", "::1"]), NOW).unwrap();
    let (_, before) = names_in(&read(&folder.join("a/node.pem")).unwrap()).unwrap();
    fs::write(folder.join("a/node.pem.new"), "cut short").unwrap();
    let later = NOW + NODE_LIFE + 1;
    assert_eq!(Identity::read(&folder.join("a"), "shop", later).unwrap().invalid(), Some(&Distrust::Expired));
    let renewed = authority.renew("a", later).unwrap();
    let identity = Identity::read(&renewed.folder, "shop", later).unwrap();
    assert_eq!((identity.node(), identity.invalid()), (NodeId::new(7), None));
    let (node, after) = names_in(&read(&folder.join("a/node.pem")).unwrap()).unwrap();
    assert_eq!((node, after), (NodeId::new(7), before));
    assert!(!folder.join("a/node.pem.new").exists());
}

#[test]
fn every_node_has_an_id_of_its_own() {
    let outer = tempfile::tempdir().unwrap();
    let authority = Authority::create(&outer.path().join("certs"), "shop", NOW).unwrap();
    let one = authority.issue("a", &[], NOW).unwrap();
    let other = authority.issue("b", &[], NOW).unwrap();
    assert!(one.node != other.node && one.node.get() != 0);
    assert_eq!(authority.expires(), NOW + AUTHORITY_LIFE);
}

#[test]
fn names_that_are_none_are_refused() {
    let outer = tempfile::tempdir().unwrap();
    let authority = Authority::create(&outer.path().join("certs"), "shop", NOW).unwrap();
    for name in ["", ".a", "../a", "a/b", "authority", "é", &"a".repeat(65)] {
        let refused = authority.issue_as(NodeId::new(1), name, &[], NOW);
        assert!(matches!(refused, Err(AuthorityError::Name { .. })), "{name}: {refused:?}");
    }
    for host in ["", "a b", "10.0.0.7:7400", "http://a", "é.example"] {
        let refused = authority.issue_as(NodeId::new(1), "a", &hosts(&[host]), NOW);
        assert!(matches!(refused, Err(AuthorityError::Host { .. })), "{host}: {refused:?}");
    }
    assert!(!outer.path().join("certs/a").exists());
}

#[test]
fn an_interrupted_run_can_be_repeated() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("certs");
    for name in [".authority.new", ".a.new"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("node.key"), "cut short").unwrap();
    }
    assert!(!Authority::is_in(&folder));
    let authority = Authority::create(&folder, "shop", NOW).unwrap();
    let issued = authority.issue("a", &[], NOW).unwrap();
    assert_eq!(Identity::read(&issued.folder, "shop", NOW).unwrap().node(), issued.node);
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a", "authority"]);
    // What somebody else has put there is not touched, not even a folder without anything in it.
    fs::create_dir(folder.join("b")).unwrap();
    assert!(matches!(authority.issue("b", &[], NOW), Err(AuthorityError::Exists { .. })));
}

#[test]
fn a_key_that_is_not_the_authoritys_alone_issues_nothing() {
    let outer = tempfile::tempdir().unwrap();
    let (folder, other) = (outer.path().join("certs"), outer.path().join("others"));
    let issued = Authority::create(&folder, "shop", NOW).unwrap().issue("a", &[], NOW).unwrap();
    Authority::create(&other, "shop", NOW).unwrap();
    let key = folder.join("authority/ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Authority::open(&folder, "shop"), Err(AuthorityError::KeyReadable { path }) if path == key));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Authority::open(&folder, "shop").is_ok());
    fs::copy(other.join("authority/ca.key"), &key).unwrap();
    assert!(matches!(Authority::open(&folder, "shop"), Err(AuthorityError::OtherKey { path }) if path == key));
    assert_eq!(Identity::read(&issued.folder, "shop", NOW).unwrap().node(), issued.node);
}

#[test]
fn no_certificate_outlives_its_authority() {
    let outer = tempfile::tempdir().unwrap();
    let authority = Authority::create(&outer.path().join("certs"), "shop", NOW).unwrap();
    let end = authority.expires();
    let last = authority.issue("a", &[], end - 1).unwrap();
    assert_eq!(last.expires, end);
    assert!(Identity::read(&last.folder, "shop", end + 1).unwrap().invalid().is_some());
    assert!(matches!(authority.issue("b", &[], end), Err(AuthorityError::Expired { .. })));
    assert!(matches!(authority.renew("a", end), Err(AuthorityError::Expired { .. })));
    assert!(!outer.path().join("certs/b").exists());
}

#[test]
fn no_two_nodes_end_in_one_week() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path(), "shop", NOW).unwrap();
    let mut ends: Vec<u64> = (1..=STAGGERED_MAX)
        .map(|node| authority.issue_as(NodeId::new(node), &node.to_string(), &["localhost".to_owned()], NOW).unwrap())
        .map(|issued| issued.expires)
        .collect();
    assert_eq!(ends[0], NOW + NODE_LIFE);
    // One that is renewed does not stand in its own way, and no other one in the way of what ends much later.
    assert_eq!(authority.renew("1", NOW).unwrap().expires, NOW + NODE_LIFE);
    let later = NOW + NODE_LIFE / 2;
    ends.extend(["1", "2"].map(|name| authority.renew(name, later).unwrap().expires));
    assert_eq!(ends[ends.len() - 2], later + NODE_LIFE);
    ends.sort_unstable();
    assert!(ends.windows(2).all(|pair| pair[1] - pair[0] >= STAGGER), "{ends:?}");
    // There is an end to it, and each still has most of a year.
    assert!(ends[0] > NOW + NODE_LIFE * 3 / 4);
    let last = authority.issue_as(NodeId::new(99), "last", &["localhost".to_owned()], NOW).unwrap();
    assert!(last.expires > NOW + NODE_LIFE * 3 / 4);
}
