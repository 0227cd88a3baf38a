//! Starts on a disk that takes nothing: reads go on, changes are refused, and it goes on by itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::copy;
use crate::{ChangeError, Live, Tidegate};

fn start(path: &Path) -> Tidegate {
    Tidegate::builder().live(Live::at(path).name("a")).without_locks().connect().unwrap()
}

fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::yield_now();
    }
}

/// A start where nothing can be written, and what happens when it can be again.
fn check(what: &str, path: &Path, fix: impl FnOnce()) {
    let tide = start(path);
    let cluster = tide.cluster().unwrap();
    assert!(tide.is_active("old"), "{what}");
    let status = cluster.status().unwrap();
    assert!(status.disk.is_some() && status.node.registers == 1, "{what}: {status:?}");
    let history = cluster.history("old", None, 10).unwrap();
    assert_eq!((history.changes.len(), history.changes[0].actor.as_str()), (1, "dana"), "{what}");
    for outcome in [tide.activate("new").send(), tide.deactivate("old").send()] {
        assert!(matches!(&outcome, Err(ChangeError::Disk { message }) if !message.is_empty()), "{what}: {outcome:?}");
    }
    assert!(cluster.repair_clock("dana", "").is_err() && tide.is_active("old"), "{what}");
    fix();
    soon(what, || cluster.status().unwrap().disk.is_none());
    assert!(tide.activate("new").actor("eve").send().unwrap().is_reached, "{what}");
    assert_eq!(cluster.history("new", None, 10).unwrap().changes.len(), 1, "{what}");
    let node = cluster.status().unwrap().node.id;
    drop((tide, cluster));
    let tide = start(path);
    assert!(tide.is_active("old") && tide.is_active("new"), "{what}");
    assert_eq!(tide.cluster().unwrap().status().unwrap().node.id, node, "{what}");
}

/// Not a test: it works in the folder that the variable names, which has to be a small file system of its own.
#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_whose_disk_takes_nothing() {
    let disk = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let paths = ["closed", "killed", "remounted", "remounted-killed"].map(|name| disk.join(name));
    for path in &paths {
        let live = path.with_extension("live");
        let tide = start(&live);
        assert!(tide.activate("old").actor("dana").send().unwrap().is_reached);
        // As a process that is killed leaves it, with all that it has acknowledged in the log.
        if path.to_string_lossy().ends_with("killed") {
            copy(&live, path);
        }
        drop(tide);
        if !path.exists() {
            copy(&live, path);
        }
        fs::remove_dir_all(live).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    let ballast = disk.join("ballast");
    let fill = || {
        let mut file = fs::File::create(&ballast).unwrap();
        while Write::write(&mut file, &[b'x'; 4_096]).is_ok_and(|count| count > 0) {}
    };
    for path in &paths[..2] {
        fill();
        check(&path.display().to_string(), path, || fs::remove_file(&ballast).unwrap());
    }
    // A node that has nothing yet starts, too, and is the same node afterwards.
    fill();
    let new = start(&disk.join("new"));
    let cluster = new.cluster().unwrap();
    let node = cluster.status().unwrap().node.id;
    assert!(matches!(new.activate("x").send(), Err(ChangeError::Disk { .. })));
    fs::remove_file(&ballast).unwrap();
    soon("a new one", || cluster.status().unwrap().disk.is_none());
    assert!(new.activate("x").send().unwrap().is_reached);
    drop((new, cluster));
    assert_eq!(start(&disk.join("new")).cluster().unwrap().status().unwrap().node.id, node);
    let remount = |how: &str| {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&disk).status();
        assert!(status.unwrap().success());
    };
    for path in &paths[2..] {
        remount("ro");
        check(&path.display().to_string(), path, || remount("rw"));
    }
    // Where there is nothing to answer from, it is a mistake.
    remount("ro");
    let error = Tidegate::builder().live(Live::at(disk.join("nowhere"))).without_locks().connect().unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    let mut out = std::io::stdout().lock();
    writeln!(out, "all is well").and_then(|()| out.flush()).unwrap();
}

#[test]
fn a_start_on_a_disk_that_takes_nothing_answers_from_what_is_there() {
    let outer = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m tmpfs \"$TIDEGATE_TEST_FOLDER\" && exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::unwritable::child_whose_disk_takes_nothing", "--ignored", "--nocapture"])
        .env(FOLDER, outer.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let needed = "this test needs a mount of its own: root, or user namespaces for everybody";
    assert!(text.contains("all is well"), "{needed}\n{text}");
}

const FOLDER: &str = "TIDEGATE_TEST_FOLDER";
const PATIENCE: Duration = Duration::from_secs(20);
