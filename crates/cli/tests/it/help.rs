//! Help, manual, completions, colour, pipes: what surrounds the commands.

use std::process::{Command, Stdio};

use crate::run::Host;

const FLAGS: &str = r#"{"f": {"x": {"stable": 1}}}"#;

#[test]
fn help_goes_to_standard_output() {
    let host = Host::new();
    for line in ["--help", "-h", "get --help", "lock -h", "--version"] {
        let said = host.run(line).said();
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{line}");
        assert!(said.stdout.contains("tidegate"), "{line}: {}", said.stdout);
    }
    let said = host.run("").said();
    assert_eq!((said.stdout.as_str(), said.code), ("", 2));
    assert!(said.stderr.contains("Usage: tidegate"), "{}", said.stderr);
    let said = host.run("explian flags.json").said();
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("a similar subcommand exists: 'explain'"), "{}", said.stderr);
}

/// `help COMMAND` prints what `COMMAND --help` prints, at every depth.
#[test]
fn help_explains_each_command() {
    let host = Host::new();
    assert_eq!(host.run("help").said().stdout, host.run("--help").said().stdout);
    for line in ["get", "serve", "cluster", "cluster init", "cluster quarantine", "cluster quarantine accept"] {
        let help = host.run(&format!("{line} --help")).code(0).said().stdout;
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        assert_eq!(host.run("help").words(line).code(0).said().stdout, help, "help {line}");
        if !rest.is_empty() {
            assert_eq!(host.run(first).word("help").words(rest).code(0).said().stdout, help, "{first} help {rest}");
        }
    }
    let said = host.run("help explian").code(2).said();
    assert!(said.stderr.contains("unrecognized subcommand 'explian'"), "{}", said.stderr);
}

#[test]
fn an_option_that_was_renamed_is_an_error_with_its_new_name() {
    let host = Host::new();
    for (old, new) in [("--who", "--actor"), ("--why", "--reason"), ("--for", "--until")] {
        let said = host.run("lock f x new --reason r").words(&format!("{old} 2h")).code(2).said();
        assert!(said.stderr.contains(&format!("tip: the option is called '{new}'")), "{old}: {}", said.stderr);
    }
}

#[test]
fn a_word_of_another_system_is_an_error_with_the_command_that_is_meant() {
    let host = Host::new();
    let lines = [
        ("activate x 20", "`tidegate percentage FLAG PERCENTAGE`"),
        ("activate x 2.5%", "`tidegate percentage FLAG PERCENTAGE`"),
        ("activate x --percentage 20", "`tidegate percentage FLAG PERCENTAGE`"),
        ("activate_percentage x 20", "`tidegate percentage FLAG PERCENTAGE`"),
        ("enable x", "`tidegate activate FLAG`"),
        ("disable x", "`tidegate deactivate FLAG`"),
        ("active? x", "`tidegate on SOURCE FLAG`"),
        ("delete x", "`tidegate remove FLAG`"),
    ];
    for (line, command) in lines {
        let said = host.run(line).code(2).said();
        let tips: Vec<_> = said.stderr.lines().filter(|line| line.trim_start().starts_with("tip:")).collect();
        assert!(tips.len() == 1 && tips[0].contains(command), "{line}: {}", said.stderr);
    }
    let said = host.run("activate x y").code(2).said();
    assert!(!said.stderr.contains("percentage"), "{}", said.stderr);
}

#[test]
fn completions_for_each_shell() {
    let host = Host::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = host.run(&format!("completions {shell}")).said();
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{shell}");
        assert!(said.stdout.contains("simulate") && said.stdout.contains("keys-from"), "{shell}");
    }
    // The shell that is there on every machine reads its script.
    let script = host.run("completions bash").said().stdout;
    host.write("completions.bash", script);
    let read = Command::new("bash").arg("-n").arg(host.path("completions.bash")).status().unwrap();
    assert!(read.success());
    assert_eq!(host.run("completions tcsh").said().code, 2);
}

#[test]
fn a_manual_page_for_each_command() {
    let host = Host::new();
    assert!(host.run("man").said().stdout.contains(".SH NAME\ntidegate"));
    host.run("man pages/man1").check();
    let mut pages: Vec<String> = std::fs::read_dir(host.path("pages/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    pages.sort();
    assert_eq!(
        pages.join(" "),
        "tidegate-activate.1 tidegate-backup.1 tidegate-check.1 tidegate-clear.1 tidegate-cluster-forget.1 tidegate-cluster-init.1 tidegate-cluster-quarantine-accept.1 tidegate-cluster-quarantine-drop.1 \
         tidegate-cluster-quarantine-list.1 tidegate-cluster-quarantine.1 tidegate-cluster-repair-clock.1 \
         tidegate-cluster-status.1 tidegate-cluster.1 tidegate-completions.1 \
         tidegate-deactivate.1 tidegate-define.1 tidegate-explain.1 tidegate-flags.1 tidegate-get.1 tidegate-history.1 \
         tidegate-hold.1 tidegate-list.1 tidegate-lock.1 tidegate-locks.1 tidegate-man.1 tidegate-on.1 \
         tidegate-percentage.1 tidegate-plan.1 tidegate-remove.1 tidegate-restore.1 tidegate-schema.1 \
         tidegate-serve.1 tidegate-simulate.1 tidegate-status.1 tidegate-unlock.1 tidegate-watch.1 tidegate-when.1 tidegate.1"
    );
    let page = std::fs::read_to_string(host.path("pages/man1/tidegate-get.1")).unwrap();
    assert!(page.contains(".SH SYNOPSIS\n\\fBtidegate get\\fR"), "{page}");
    host.write("file", "");
    assert_eq!(host.run("man file").said().code, 7);
}

#[test]
fn the_schema_is_json() {
    let said = Host::new().run("schema").said();
    let schema: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(schema["$defs"]["entry"]["properties"]["end_pct"].is_object());
}

#[test]
fn colour_only_where_it_is_wanted() {
    let mut host = Host::with(FLAGS);
    let is_coloured = |said: crate::run::Said| (said.stdout.contains('\u{1b}'), said.stderr.contains('\u{1b}'));
    assert_eq!(is_coloured(host.run("list flags.json").said()), (false, false));
    assert_eq!(is_coloured(host.run("list flags.json --color always").said()), (true, false));
    assert_eq!(is_coloured(host.run("--color=always get flags.json y").said()), (false, true));
    assert_eq!(is_coloured(host.run("list flags.json --color always --format json").said()), (false, false));
    assert_eq!(is_coloured(host.run("--help --color always").said()), (true, false));
    host.set("CLICOLOR_FORCE", "1");
    assert_eq!(is_coloured(host.run("list flags.json").said()), (true, false));
    assert_eq!(is_coloured(host.run("list flags.json --color never").said()), (false, false));
    host.set("NO_COLOR", "1");
    assert_eq!(is_coloured(host.run("list flags.json").said()), (false, false));
    assert_eq!(host.run("list flags.json --color blue").said().code, 2);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let flags: Vec<String> = (0..20_000).map(|number| format!("\"f{number}\": {{\"stable\": 1}}")).collect();
    let host = Host::with(&format!("{{\"f\": {{{}}}}}", flags.join(",")));
    let mut process = host
        .command(&["list".to_owned(), "flags.json".to_owned()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn an_output_that_cannot_be_written_is_code_7() {
    let host = Host::with(FLAGS);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = host
        .command(&["get".to_owned(), "flags.json".to_owned(), "f".to_owned(), "x".to_owned()])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: cannot write to standard output: No space left"), "{stderr}");
}
