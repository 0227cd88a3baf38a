//! Files that a command line names: of every kind, and with a byte order mark.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::run::{Host, Said, until};
use crate::server_process::ServerProcess;

const DOCUMENT: &str = r#"{"f": {"x": {"stable": false, "new": true, "early_adopters": ["alice"]}}}"#;

/// A host with something of each kind that is not a regular file.
fn host() -> (Host, UnixListener) {
    let host = Host::with(DOCUMENT);
    mknodat(CWD, host.path("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    std::fs::create_dir(host.path("folder")).unwrap();
    let socket = UnixListener::bind(host.path("socket")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", host.path("zero")).unwrap();
    (host, socket)
}

/// Runs a command that must not wait for anybody.
fn run(host: &Host, line: &str) -> Said {
    struct Guard(Child);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
    let mut command = host.command(&words);
    let mut child = Guard(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut stderr = child.0.stderr.take().unwrap();
    let status = until(&format!("`tidegate {line}` ends"), || child.0.try_wait().unwrap());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut text).unwrap();
    Said { stdout: String::new(), stderr: text, code: status.code().unwrap_or(-1) }
}

#[test]
fn a_pipe_a_socket_a_device_or_a_folder_is_an_error_at_once_wherever_a_file_is_named() {
    let (host, _socket) = host();
    let kinds = [
        ("pipe", "is a named pipe (FIFO)"),
        ("socket", "is a socket"),
        ("zero", "is a device"),
        ("folder", "is a folder"),
    ];
    let uses = [
        ("get FILE f x", 4),
        ("on FILE f x", 4),
        ("check FILE", 4),
        ("list FILE", 4),
        ("plan FILE", 4),
        ("when FILE f x", 4),
        ("explain FILE f x", 4),
        ("simulate FILE f x --population 9", 4),
        ("check flags.json --against FILE", 4),
        ("when flags.json f x --keys-from FILE", 2),
        ("simulate flags.json f x --keys-from FILE", 2),
        ("get flags.json f x --trusted-key FILE", 2),
        ("get http://127.0.0.1:9/ f x --header-file FILE", 2),
        ("define --server 127.0.0.1:9 f/x FILE", 2),
        ("restore --server 127.0.0.1:9 FILE", 2),
        ("serve --config FILE", 2),
    ];
    for (line, code) in uses {
        for (file, kind) in kinds {
            let line = line.replace("FILE", file);
            let said = run(&host, &line);
            assert!(said.stderr.contains(kind), "tidegate {line}: {}", said.stderr);
            assert_eq!(said.code, code, "tidegate {line}: {}", said.stderr);
        }
    }
}

#[test]
fn so_is_a_file_of_locks_and_a_certificate() {
    let (mut host, _socket) = host();
    host.run("cluster init certs --cluster shop a=127.0.0.1").code(0).said();
    for file in ["ca.pem", "node.pem", "node.key"] {
        let (file, kept) = (host.path("certs/a").join(file), host.path("kept"));
        std::fs::rename(&file, &kept).unwrap();
        mknodat(CWD, &file, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let said =
            run(&host, "serve --cluster shop --listen 127.0.0.1:0 --cluster-listen 127.0.0.1:0 --certificates certs/a");
        assert!(said.stderr.contains("is a named pipe (FIFO)"), "{}", said.stderr);
        assert_ne!(said.code, 0, "{}", said.stderr);
        std::fs::rename(&kept, &file).unwrap();
    }
    std::fs::rename(host.path("certs/authority/ca.key"), host.path("kept")).unwrap();
    mknodat(CWD, host.path("certs/authority/ca.key"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let said = run(&host, "cluster init certs --cluster shop b=127.0.0.1");
    assert!(said.stderr.contains("is a named pipe (FIFO)"), "{}", said.stderr);
    host.set("TIDEGATE_LOCKS", host.path("pipe").to_str().unwrap());
    let said = run(&host, "locks");
    assert!(said.stderr.contains("is a named pipe (FIFO)"), "{}", said.stderr);
    assert_eq!(said.code, 7, "{}", said.stderr);
}

#[test]
fn a_server_says_what_is_wrong_with_its_document() {
    let (host, _socket) = host();
    let serving = ServerProcess::start(&host, "--document pipe --document flags.json");
    serving.logged(|line| line.contains("is a named pipe (FIFO)"));
    host.run(&format!("get --server {} f/x --key alice", serving.url)).stdout("true\n").check();
}

#[test]
fn nothing_is_written_to_a_pipe_or_takes_the_place_of_a_device() {
    let (host, _socket) = host();
    let said = run(&host, "plan flags.json --svg pipe");
    assert!(said.code == 7 && said.stderr.contains("is a named pipe (FIFO)"), "{}", said.stderr);
    host.run("plan flags.json --svg /dev/stdout").code(0).said();
    std::fs::create_dir(host.path("pages")).unwrap();
    mknodat(CWD, host.path("pages/tidegate.1"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let said = run(&host, "man pages");
    assert!(said.code == 7 && said.stderr.contains("is a named pipe (FIFO)"), "{}", said.stderr);
    let said = run(&host, "backup --server 127.0.0.1:9 zero");
    assert_eq!((said.code, Path::new("/dev/zero").exists()), (2, true), "{}", said.stderr);
    assert!(said.stderr.contains("is a device"), "{}", said.stderr);
}

#[test]
fn what_a_shell_opens_for_the_program_is_read_to_its_end() {
    let host = Host::with(DOCUMENT);
    host.run("get /dev/stdin f x --key alice").stdin(DOCUMENT).stdout("true\n").check();
    host.run("check /proc/self/fd/0").stdin(DOCUMENT).stdout("/proc/self/fd/0: no problems\n").check();
    let said = host.run("when flags.json f x --keys-from /dev/fd/0 --format json").stdin("alice\n").said();
    assert!(said.stdout.contains("\"alice\""), "{}", said.stderr);
}

#[test]
fn a_byte_order_mark_is_accepted_wherever_a_file_is_read() {
    let host = Host::with(&format!("\u{feff}{DOCUMENT}"));
    host.run("get flags.json f x --key alice").stdout("true\n").check();
    host.write("keys", "\u{feff}alice\nbob\n");
    let said = host.run("when flags.json f x --keys-from keys --format json").said();
    assert!(said.stdout.contains("\"alice\"") && !said.stdout.contains('\u{feff}'), "{}", said.stdout);
    host.write("serve.toml", "\u{feff}name = \"n1\"\n");
    let serving = ServerProcess::start(&host, "--config serve.toml");
    host.write("entry.json", "\u{feff}{\"stable\": 1, \"new\": 2}");
    host.run(&format!("define --server {} g/y entry.json", serving.url)).code(0).said();
    host.run(&format!("get --server {} g/y", serving.url)).stdout("1\n").check();
    std::fs::create_dir_all(host.path("state/tidegate")).unwrap();
    host.write("state/tidegate/locks.json", "\u{feff}{\"locks\": [{\"flag\": \"f/x\", \"value\": 7}]}");
    host.run("get flags.json f x --key alice").stdout("7\n").check();
}
