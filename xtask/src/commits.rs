//! Whether the subjects of new commits are as CONTRIBUTING.md wants them.
//!
//! New are the commits that the main branch does not have; on the main branch itself it is the last one. Without Git, or without a
//! history, there is nothing to check. Of a shallow clone it sees what was fetched.

use std::process::Stdio;

use crate::run::{Failure, output, program, succeeds};

/// Fails with all subjects that break a rule.
pub(crate) fn run(_arguments: &[String]) -> Result<(), Failure> {
    if !succeeds(&mut git(&["rev-parse", "--verify", "HEAD^{commit}"])) {
        eprintln!("no history to check");
        return Ok(());
    }
    let log = output(git(&["log", "--no-merges", "--format=%h %s"]).args(new_commits()).stderr(Stdio::inherit()))?;
    let problems: Vec<String> = log.lines().filter_map(problem).collect();
    if problems.is_empty() {
        eprintln!("{} commits checked", log.lines().count());
        return Ok(());
    }
    Err(Failure::new(format!("subjects that CONTRIBUTING.md does not allow:\n{}", problems.join("\n"))))
}

/// Which commits to check, as `git log` wants it.
fn new_commits() -> Vec<String> {
    for main in ["origin/main", "main"] {
        let range = format!("{main}..HEAD");
        // A shallow clone may lack what both have in common; then everything would be new.
        let is_known = succeeds(&mut git(&["merge-base", main, "HEAD"]));
        if is_known && output(&mut git(&["rev-list", "--count", &range])).is_ok_and(|count| count.trim() != "0") {
            return vec![range];
        }
    }
    vec!["--max-count=1".to_owned(), "HEAD".to_owned()]
}

fn git(words: &[&str]) -> std::process::Command {
    let mut command = program("git");
    command.args(words);
    command
}

/// What is wrong with a line of an abbreviated commit and its subject.
fn problem(line: &str) -> Option<String> {
    let (commit, subject) = line.split_once(' ')?;
    let why = fault(subject)?;
    Some(format!("  {commit} `{subject}`: {why}"))
}

fn fault(subject: &str) -> Option<String> {
    let length = subject.chars().count();
    if length > SUBJECT_CHARACTERS_MAX {
        return Some(format!("has {length} characters; at most {SUBJECT_CHARACTERS_MAX}"));
    }
    if subject.starts_with("Revert \"") {
        return None;
    }
    let Some((areas, what)) = subject.split_once(": ") else {
        return Some("begins without `area: `".to_owned());
    };
    if !areas.split(", ").all(is_area) {
        return Some(format!("`{areas}` is not an area: lower case words, several with commas between them"));
    }
    if what.ends_with('.') {
        return Some("ends with a full stop".to_owned());
    }
    what.trim().is_empty().then(|| "says nothing after the area".to_owned())
}

fn is_area(area: &str) -> bool {
    area.starts_with(|c: char| c.is_ascii_lowercase())
        && area.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || " -_/".contains(c))
}

/// What fits in one line of `git log --oneline` on a terminal of 80 columns.
const SUBJECT_CHARACTERS_MAX: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        for subject in [
            "replica: a removal that supersedes is no floor",
            "docs, cli: plainer words in what was added",
            "cluster init: certificates expire a week apart",
            "docs: ARCHITECTURE shows both data flows",
            "Revert \"cli: a mistake\"",
        ] {
            assert_eq!(fault(subject), None, "{subject}");
        }
        let long = format!("cli: {}", "x".repeat(68));
        for (subject, why) in [
            ("x", "begins without"),
            ("A page about clusters", "begins without"),
            ("Docs: a page", "not an area"),
            ("docs,cli: a page", "not an area"),
            ("docs: a page.", "full stop"),
            ("docs:  ", "says nothing"),
            (&long, "73 characters"),
        ] {
            assert!(fault(subject).is_some_and(|fault| fault.contains(why)), "{subject}: {:?}", fault(subject));
        }
    }
}
