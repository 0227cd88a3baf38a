//! The data folder: whose it is, who may work in it, and what a start makes of what it finds.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tidegate_replica::NodeId;

use super::super::{Damage, OpenError, SqliteStore, Store};
use super::support::{batch, by_key, copy, names, open, read, register, stamp};
use crate::FileError;
use crate::files::protected::checksum;

fn place() -> (TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("var/data");
    (outer, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_node_keeps_its_id_and_counts_its_starts() {
    let (_outer, path) = place();
    let (store, first) = open(&path);
    assert!(first.is_new && first.starts == 1 && first.damage.is_empty() && first.node.get() != 0, "{first:?}");
    drop(store);
    let mut instances = std::collections::BTreeSet::from([first.instance]);
    for starts in 2..5 {
        let (_, folder) = read(&path);
        assert!(instances.insert(folder.instance));
        assert_eq!((folder.node, folder.starts, folder.is_new), (first.node, starts, false));
    }
    let (_other, elsewhere) = place();
    assert_ne!(read(&elsewhere).1.node, first.node);
}

#[test]
fn a_second_process_is_refused_with_the_name_of_the_first() {
    let (_outer, path) = place();
    let (store, _) = open(&path);
    let error = SqliteStore::open(&path).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{text}");
    assert!(text.contains("stop it, or name another folder"), "{text}");
    drop(store);
    open(&path);
}

#[test]
fn folders_and_files_are_private_whatever_the_umask() {
    // The umask is the process's, so it takes another process; the shell starts this test binary again.
    let (_outer, path) = place();
    let status = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::folder::child_that_commits", "--ignored", "--quiet"])
        .env(FOLDER, &path)
        .status();
    assert!(status.unwrap().success());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    let found = names(&path);
    assert!(found.contains(&"registers.sqlite3-wal".to_owned()) && found.len() >= 5, "{found:?}");
    for name in found {
        assert_eq!(mode(&path.join(&name)), 0o600, "{name}");
    }
}

/// Not a test: it commits in the folder that the variable names, and goes without a close.
#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_that_commits() {
    let path = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (mut store, _) = open(&path);
    store.commit(&[batch(1, "a")]).unwrap();
    std::mem::forget(store);
}

#[test]
fn an_empty_folder_becomes_private_and_a_used_one_is_left_alone() {
    let outer = tempfile::tempdir().unwrap();
    let (empty, used) = (outer.path().join("empty"), outer.path().join("used"));
    for path in [&empty, &used] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(used.join("something"), "else").unwrap();
    open(&empty);
    open(&used);
    assert_eq!((mode(&empty), mode(&used)), (0o700, 0o755));
}

#[test]
fn links_are_not_followed() {
    let (outer, path) = place();
    open(&path);
    let link = outer.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(SqliteStore::open(&link), Err(OpenError::File(FileError::NotOurs { .. }))));
    // One above it is the administrator's business.
    symlink(path.parent().unwrap(), outer.path().join("above")).unwrap();
    open(&outer.path().join("above/data"));
    for name in ["lock", "node", "registers.sqlite3", "registers.sqlite3-wal", "registers.sqlite3-shm"] {
        let (_outer, path) = place();
        open(&path);
        let victim = path.parent().unwrap().join("victim");
        fs::write(&victim, "precious").unwrap();
        let _ = fs::remove_file(path.join(name));
        symlink(&victim, path.join(name)).unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let (outer, path) = place();
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("can be written by everybody"), "{error}");

    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(SqliteStore::open(&file), Err(OpenError::File(FileError::NotOurs { .. }))));
    let error = SqliteStore::open(&file.join("below")).unwrap_err();
    assert!(error.to_string().contains("below"), "{error}");

    let (_outer, path) = place();
    open(&path);
    let database = path.join("registers.sqlite3");
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::File(FileError::IsFolder { .. }))));
    // A file system that takes nothing, from root either.
    let error = SqliteStore::open(Path::new("/proc/tidegate")).unwrap_err();
    assert!(error.to_string().contains("`/proc/tidegate`"), "{error}");
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    let (_outer, path) = place();
    let (mut store, _) = open(&path);
    store.commit(&[batch(1, "a")]).unwrap();
    Box::new(store).close().unwrap();
    let rest = "{\"node\":\"future\"}\n";
    let node = format!("tidegate-node 2 {:032x}\n{rest}", checksum(2, &[rest.as_bytes()]));
    let good = fs::read(path.join("node")).unwrap();
    fs::write(path.join("node"), &node).unwrap();
    let before = content(&path);
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("upgrade this program, or name another data folder"), "{error}");
    assert!(matches!(error, OpenError::Newer { found: 2, .. }));
    assert_eq!(content(&path), before);

    // Where nothing else says what it is, the database's own header is believed.
    fs::remove_file(path.join("node")).unwrap();
    let mut database = fs::read(path.join("registers.sqlite3")).unwrap();
    database[60..64].copy_from_slice(&7_u32.to_be_bytes());
    fs::write(path.join("registers.sqlite3"), &database).unwrap();
    let before = content(&path);
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::Newer { found: 7, .. })));
    assert_eq!(content(&path), before);

    // Where the other file is whole, a migration would have raised it first: this is damage.
    fs::write(path.join("node"), good).unwrap();
    let (loaded, folder) = read(&path);
    assert!(loaded.is_damaged && loaded.registers.len() == 1, "{folder:?}");
    assert!(matches!(folder.damage[..], [Damage::Database { saved: 1, .. }]), "{folder:?}");
}

#[test]
fn a_folder_of_the_first_format_is_read() {
    // Made by the version that had it, and never made again.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data-folder-1");
    let (_outer, path) = place();
    copy(&fixture, &path);
    let (mut store, folder) = open(&path);
    assert!(folder.damage.is_empty() && !folder.is_new && folder.starts == 2, "{folder:?}");
    assert_eq!(folder.node.to_string(), NODE_OF_THE_FIXTURE);
    let loaded = store.load().unwrap();
    let expected: Vec<_> = [(20, "aflags/a"), (11, "aflags/gone")].map(|(seq, key)| register(key, seq)).into();
    assert_eq!(by_key(&loaded).into_values().collect::<Vec<_>>(), expected);
    assert_eq!((loaded.meta.as_deref(), loaded.is_damaged), (Some(&b"remembered 20"[..]), false));
    let history = store.history().page(b"aflags/a", None, 9).unwrap();
    let stamps: Vec<_> = history.iter().map(|event| (event.register.stamp, event.lost_to)).collect();
    assert_eq!(stamps, [(stamp(20), None), (stamp(10), Some(stamp(20)))]);
}

/// Everything but the lock, which says who came last.
fn content(path: &Path) -> Vec<(String, Vec<u8>)> {
    let names = names(path).into_iter().filter(|name| name != "lock");
    names.map(|name| (name.clone(), fs::read(path.join(name)).unwrap())).collect()
}

#[test]
fn a_copy_without_the_id_is_another_node() {
    let (outer, path) = place();
    let (mut store, first) = open(&path);
    store.commit(&[batch(1, "a")]).unwrap();
    Box::new(store).close().unwrap();
    let clone = outer.path().join("clone");
    copy(&path, &clone);
    fs::remove_file(clone.join("node")).unwrap();
    let (loaded, folder) = read(&clone);
    assert!(folder.node != first.node && folder.is_new && folder.starts == 1, "{folder:?}");
    assert!(!loaded.is_damaged && loaded.registers.len() == 1);
    assert_eq!(read(&clone).1.node, folder.node);
}

#[test]
fn a_folder_is_made_for_a_node_and_stays_with_it() {
    let (_outer, path) = place();
    let node = NodeId::new(0xabc);
    let (store, folder) = SqliteStore::open_as(&path, node).unwrap();
    assert_eq!((folder.node, folder.is_new), (node, true));
    drop(store);
    assert_eq!(read(&path).1.node, node);
    let before = content(&path);
    match SqliteStore::open_as(&path, NodeId::new(0xdef)) {
        Err(OpenError::OtherNode { found, wanted, .. }) => assert_eq!((found, wanted), (node, NodeId::new(0xdef))),
        other => panic!("{other:?}"),
    }
    assert_eq!(content(&path), before);
    // A damaged file does not make it another node's.
    fs::write(path.join("node"), "x").unwrap();
    let (_, folder) = SqliteStore::open_as(&path, node).unwrap();
    assert_eq!((folder.node, folder.starts), (node, 3));
}

#[test]
fn a_damaged_id_comes_back_from_its_copy() {
    let (_outer, path) = place();
    let (_, first) = read(&path);
    let length = fs::read(path.join("node")).unwrap().len();
    for offset in 0..length {
        let mut bytes = fs::read(path.join("node")).unwrap();
        bytes[offset % length] ^= 1 << (offset % 8);
        fs::write(path.join("node"), &bytes).unwrap();
        let (loaded, folder) = read(&path);
        assert_eq!((folder.node, folder.starts), (first.node, offset as u64 + 2), "at {offset}: {folder:?}");
        assert!(matches!(folder.damage[..], [Damage::NodeFile { is_same_node: true, .. }]), "{folder:?}");
        assert!(!loaded.is_damaged);
    }
    fs::write(path.join("node"), [0; 5_000]).unwrap();
    assert_eq!(read(&path).1.node, first.node);
    let asides = names(&path).iter().filter(|name| name.starts_with("node.damaged-")).count();
    assert_eq!(asides, length + 1, "none is overwritten");
}

const FOLDER: &str = "TIDEGATE_TEST_FOLDER";

const NODE_OF_THE_FIXTURE: &str = "abe6f8a098398138";
