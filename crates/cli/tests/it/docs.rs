//! What the README and the guide show is what happens: each `console` block is run, each `json` block
//! is checked.
//!
//! A line of a `console` block that begins with `$ ` is given to `sh`, in a fresh folder with a copy of
//! `examples/`. What it prints, errors included, has to be the lines below it. `cargo run --`, with or without `--no-default-features`,
//! stands for the program itself. A line `...` after a command shows that it goes on: it is stopped
//! after the lines before that. What depends on the instant at which somebody looks (`in 3d`, `2h ago`,
//! and `at` in the lines of a program that goes on) is not compared.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tidegate_engine::check;

#[test]
fn readme() {
    run_page("README.md");
}

#[test]
fn guide() {
    let mut pages: Vec<String> = fs::read_dir(root().join("docs/guide"))
        .unwrap()
        .map(|entry| format!("docs/guide/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    pages.sort();
    assert!(!pages.is_empty());
    for page in pages {
        run_page(&page);
    }
}

#[test]
fn example_documents_have_no_errors() {
    for entry in fs::read_dir(root().join("examples/documents")).unwrap() {
        let path = entry.unwrap().path();
        assert_accepted(&path.display().to_string(), &fs::read(&path).unwrap());
    }
}

#[test]
fn links_lead_somewhere() {
    let mut pages = Vec::new();
    pages_below(root(), &mut pages);
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap();
            assert!(page.parent().unwrap().join(file).exists(), "{}: `{link}` leads nowhere", page.display());
        }
    }
}

/// The pages that we write, in the root and in the folders of [`WRITTEN`].
fn pages_below(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && (folder != root() || WRITTEN.contains(&name)) {
            pages_below(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// Runs the blocks of one page in turn, in one folder.
fn run_page(page: &str) {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    for block in blocks(&text) {
        let place = format!("{page}:{}", block.line);
        match block.language {
            "console" => steps(&block.lines).iter().for_each(|step| step.run(&place, folder.path())),
            "json" | "jsonc" => assert_accepted(&place, block.lines.join("\n").as_bytes()),
            _ => {}
        }
    }
}

fn assert_accepted(place: &str, document: &[u8]) {
    let checked = check(document);
    assert!(checked.document.is_some(), "{place}: {:#?}", checked.diagnostics);
}

/// A fenced block of a page.
struct Block<'t> {
    language: &'t str,
    /// The line of the fence, from 1.
    line: usize,
    lines: Vec<&'t str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(language), false) => {
                blocks.push(Block { language, line: index + 1, lines: Vec::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => blocks.last_mut().unwrap().lines.push(line),
            (None, false) => {}
        }
    }
    assert!(!is_open, "a block is not closed");
    blocks
}

/// A command and what it has to print.
struct Step {
    command: String,
    expected: Vec<String>,
    /// Whether the program goes on after that, until it is stopped.
    goes_on: bool,
}

fn steps(lines: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        match line.strip_prefix("$ ") {
            Some(command) => {
                let command = command
                    .replace("cargo run --no-default-features --", "tidegate")
                    .replace("cargo run --", "tidegate");
                steps.push(Step { command, expected: Vec::new(), goes_on: false });
            }
            None => steps.last_mut().expect("a block begins with a command").expected.push((*line).to_owned()),
        }
    }
    for step in &mut steps {
        if step.expected.last().is_some_and(|line| line == "...") {
            step.expected.pop();
            step.goes_on = true;
        }
    }
    steps
}

impl Step {
    fn run(&self, place: &str, folder: &Path) {
        let mut shell = self.shell(folder);
        let lines = lines_of(&mut shell);
        let mut printed = Vec::new();
        while !(self.goes_on && printed.len() == self.expected.len()) {
            match lines.recv_timeout(LONGEST_SILENCE) {
                Ok(line) => printed.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!("{place}: `{}` says no more than {printed:#?}", self.command)
                }
            }
        }
        if self.goes_on {
            shell.kill().unwrap();
        }
        shell.wait().unwrap();
        assert!(
            timeless(&printed) == timeless(&self.expected),
            "{place}: `{}` prints\n{}\n\nbut the page says\n{}",
            self.command,
            printed.join("\n"),
            self.expected.join("\n")
        );
    }

    /// A shell that runs the command. One that goes on takes the place of its shell, so that stopping
    /// the one stops the other.
    fn shell(&self, folder: &Path) -> Child {
        let program = Path::new(env!("CARGO_BIN_EXE_tidegate")).parent().unwrap();
        let exec = if self.goes_on { "exec " } else { "" };
        Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{exec}{}", self.command)])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
            .env("HOME", folder)
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// What the command prints, line by line, so that waiting for it can have a deadline.
fn lines_of(shell: &mut Child) -> mpsc::Receiver<String> {
    let output = BufReader::new(shell.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// The lines without what depends on the instant at which they are printed.
fn timeless(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| without_relative_times(&without_event_time(line))).collect()
}

/// `in 3d` and `2h ago` become `...`, and the blanks of such a line, which line up columns, become one.
fn without_relative_times(line: &str) -> String {
    let is_span =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['w', 'd', 'h', 'm', 's']);
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mut found = false;
    for index in 1..words.len() {
        if words[index - 1] == "in" && is_span(&words[index]) || words[index] == "ago" && is_span(&words[index - 1]) {
            (words[index - 1], words[index]) = ("...", "...");
            found = true;
        }
    }
    if found { words.join(" ") } else { line.to_owned() }
}

/// The value of the field `at`, with which the events of `tidegate watch` begin, becomes `...`.
fn without_event_time(line: &str) -> String {
    let Some((before, rest)) = line.split_once("\"at\":\"").filter(|(before, _)| before.starts_with("{\"event\""))
    else {
        return line.to_owned();
    };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    format!("{before}\"at\":\"...\"{after}")
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The folders of the root that hold pages of ours; others hold what tools made.
const WRITTEN: &[&str] = &["docs", "examples", "conformance", "bench"];

/// A program that prints nothing for this long is stuck; far above what a loaded machine needs.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);
