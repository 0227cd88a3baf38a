use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, symlink};

use super::*;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("a/b/tidegate");
    (outer, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_replaced_as_a_whole_and_private() {
    let (outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    assert_eq!(folder.read("x", 10).unwrap(), None);
    folder.replace("x", 10_000, &[b"on", b"e"]).unwrap();
    assert_eq!(folder.read("x", 10).unwrap().unwrap(), b"one");
    folder.replace("x", 10_000, &[b"two"]).unwrap();
    assert_eq!(folder.read("x", 3).unwrap().unwrap(), b"two");
    assert_eq!(names(&path), ["x"]);
    assert_eq!((mode(&path), mode(&path.join("x"))), (0o700, 0o600));
    assert_eq!(mode(&outer.path().join("a")), 0o700);
}

#[test]
fn an_open_reader_keeps_the_old_content() {
    let (_outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    folder.replace("x", 10_000, &[b"one"]).unwrap();
    let mut reader = File::open(path.join("x")).unwrap();
    folder.replace("x", 10_000, &[b"two"]).unwrap();
    let mut content = String::new();
    reader.read_to_string(&mut content).unwrap();
    assert_eq!(content, "one");
}

#[test]
fn what_its_reader_would_refuse_is_not_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::create(home.path()).unwrap();
    folder.replace("x", 4, &[b"on", b"e"]).unwrap();
    assert!(matches!(folder.replace("x", 4, &[b"thr", b"ee"]), Err(FileError::TooBig { limit: 4, .. })));
    assert_eq!(folder.read("x", 4).unwrap().unwrap(), b"one");
}

#[test]
fn links_are_not_followed() {
    let (outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    let victim = outer.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, path.join("x")).unwrap();
    assert!(matches!(folder.read("x", 10), Err(FileError::NotOurs { .. })));
    assert!(folder.open_to_lock("x").is_err());
    folder.replace("x", 10_000, &[b"one"]).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(fs::read_to_string(path.join("x")).unwrap(), "one");

    symlink(&path, outer.path().join("link")).unwrap();
    assert!(matches!(Folder::create(&outer.path().join("link")), Err(FileError::NotOurs { .. })));
    assert!(matches!(Folder::create(&victim), Err(FileError::NotOurs { .. })));
}

#[test]
fn a_folder_that_everybody_may_write_is_refused() {
    let (_outer, path) = folder();
    Folder::create(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Folder::create(&path).unwrap_err();
    assert!(error.to_string().contains("name a folder of your own"), "{error}");
    // As the folder for temporary files is: only owners may rename there.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
    Folder::create(&path).unwrap();
}

#[test]
fn what_is_no_file_of_ours_is_not_read() {
    let (_outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    assert!(matches!(folder.read("folder", 10), Err(FileError::IsFolder { .. })));
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(folder.read("pipe", 10), Err(FileError::NotRegular { kind: FileKind::Pipe, .. })));
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    assert!(matches!(folder.read("socket", 10), Err(FileError::NotRegular { kind: FileKind::Socket, .. })));
    folder.replace("large", 10_000, &[&[0; 11]]).unwrap();
    assert!(matches!(folder.read("large", 10), Err(FileError::TooBig { limit: 10, .. })));
}

#[test]
fn a_full_disk_is_named_and_changes_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = fill(full, &[b"one"]).unwrap_err();
    assert!(matches!(FileError::sort(Path::new("x"), error), FileError::Full { .. }));
}

#[test]
fn a_failed_replacement_leaves_nothing_behind() {
    let (_outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    // A folder in the way: everything succeeds but the rename.
    fs::create_dir(path.join("x")).unwrap();
    folder.replace("x", 10_000, &[b"one"]).unwrap_err();
    assert_eq!(names(&path), ["x"]);
    // The folder itself is gone.
    fs::remove_dir_all(&path).unwrap();
    assert!(matches!(folder.replace("x", 10_000, &[b"one"]), Err(FileError::NotFound { .. })));
}

#[test]
fn causes_are_told_apart() {
    let check = |error: rustix::io::Errno, words: &str| {
        let error = FileError::sort(Path::new("/some/where"), error.into());
        let text = error.to_string();
        assert!(text.contains("`/some/where`") && text.contains(words), "{text}");
    };
    check(rustix::io::Errno::NOSPC, "no space");
    check(rustix::io::Errno::DQUOT, "no space");
    check(rustix::io::Errno::ROFS, "cannot be written by this process");
    check(rustix::io::Errno::ACCESS, "cannot be written by this process");
    check(rustix::io::Errno::IO, "os error 5");
    check(rustix::io::Errno::NOENT, "does not exist");
}

#[test]
fn abandoned_files_are_swept_and_young_ones_are_not() {
    let (_outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    for name in [".x.new-1-1-1", ".x.new-2-2-2", ".y.new-1-1-1", "x"] {
        fs::write(path.join(name), "half").unwrap();
    }
    let old = SystemTime::now() - ABANDONED - Duration::from_mins(1);
    for name in [".x.new-1-1-1", ".y.new-1-1-1", "x"] {
        OpenOptions::new().write(true).mode(0o600).open(path.join(name)).unwrap().set_modified(old).unwrap();
    }
    folder.sweep("x");
    assert_eq!(names(&path), [".x.new-2-2-2", ".y.new-1-1-1", "x"]);
}

#[test]
fn many_writers_leave_one_whole_file() {
    let (_outer, path) = folder();
    let folder = Folder::create(&path).unwrap();
    std::thread::scope(|scope| {
        for letter in b'a'..=b'h' {
            let path = &path;
            scope.spawn(move || {
                let folder = Folder::open(path).unwrap();
                for _ in 0..20 {
                    folder.replace("x", 10_000, &[&[letter; 1_000], &[letter; 1_000]]).unwrap();
                }
            });
        }
        for _ in 0..200 {
            if let Some(content) = folder.read("x", 2_000).unwrap() {
                assert!(content.len() == 2_000 && content.iter().all(|byte| *byte == content[0]));
            }
        }
    });
    assert_eq!(names(&path), ["x"]);
}

/// Not a test: it makes a folder and replaces a file in it.
#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_that_replaces() {
    let folder = Folder::create(Path::new(&std::env::var_os(FOLDER).unwrap())).unwrap();
    folder.replace("x", 10_000, &[b"one"]).unwrap();
    folder.rename("x", "y").unwrap();
}

/// Not a test: it opens a data folder for the first time.
#[cfg(feature = "cluster")]
#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_that_starts() {
    crate::store::SqliteStore::open(Path::new(&std::env::var_os(FOLDER).unwrap())).unwrap();
}

/// The calls of a child that change what is on the disk, in order, with paths below `outer` as `.`.
fn calls(outer: &Path, path: &Path, child: &str) -> Vec<String> {
    let log = outer.join("trace");
    let outcome = process::Command::new("strace")
        .args(["-f", "-qq", "-y", "-s", "0", "-o", log.to_str().unwrap()])
        .args(["-e", "trace=mkdir,mkdirat,fsync,fdatasync,rename,renameat,renameat2,write,pwrite64"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("files::atomic_file::tests::{child}"), "--ignored", "--quiet"])
        .env(FOLDER, path)
        .output()
        .expect("no strace on this machine; install the package `strace`");
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stdout));
    let trace = fs::read_to_string(log).unwrap().replace(outer.to_str().unwrap(), ".");
    let call = |line: &str| {
        let call = line.split_once(' ')?.1.trim_start();
        // A name is kept; what a process or an instant puts into it is not.
        let call = call.split(".new-").enumerate().map(|(count, part)| match (count, part.find(['"', '>'])) {
            (0, _) | (_, None) => part.to_owned(),
            (_, Some(end)) => format!(".new{}", &part[end..]),
        });
        let call = call.collect::<String>();
        let (name, rest) = call.split_once('(')?;
        let paths: Vec<&str> =
            rest.split(['"', '<', '>']).filter(|part| part.starts_with('.') && !part.starts_with("..")).collect();
        (!paths.is_empty()).then(|| format!("{name} {}", paths.join(" ")))
    };
    trace.lines().filter_map(call).collect()
}

/// The mutant "no sync after the rename" cannot be seen by reading files: only a power cut, or the calls, show it.
#[test]
fn what_is_renamed_is_on_the_disk_before_and_its_name_after() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().canonicalize().unwrap();
    let found = calls(&root, &root.join("a/b"), "child_that_replaces");
    let expected = [
        "mkdir ./a",
        "fsync .",
        "mkdir ./a/b",
        "fsync ./a",
        "write ./a/b/.x.new",
        "fsync ./a/b/.x.new",
        "renameat ./a/b .x.new ./a/b",
        "fsync ./a/b",
        "renameat ./a/b ./a/b",
        "fsync ./a/b",
    ];
    assert_eq!(found, expected);
}

#[cfg(feature = "cluster")]
#[test]
fn the_folders_above_a_new_data_folder_are_on_the_disk_before_its_identity() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().canonicalize().unwrap();
    // Made by an earlier start, which did not live to make it durable.
    fs::create_dir_all(root.join("a/b")).unwrap();
    let found = calls(&root, &root.join("a/b"), "child_that_starts");
    let place =
        |call: &str| found.iter().position(|found| found == call).unwrap_or_else(|| panic!("{call}: {found:?}"));
    let identity = place("renameat ./a/b .node.new ./a/b");
    assert!(place("fsync ./a") < identity && place("fsync .") < identity, "{found:?}");
    let found = calls(&root, &root.join("a/b"), "child_that_starts");
    assert!(!found.contains(&"fsync ./a".to_owned()), "only the first start: {found:?}");
}

const FOLDER: &str = "TIDEGATE_TEST_FOLDER";
