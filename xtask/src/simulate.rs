//! `cargo xtask simulate`: clusters of replicas in virtual time, under every fault.
//!
//! The simulator is a program of the replica's crate; this builds it and calls it. In CI it also has to show that it can
//! fail: each mutant leaves out one rule, and has to be caught.

use std::fs;
use std::process::Command;

use crate::run::{self, Failure, announce, cargo, finish};

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    finish(simulator().args(arguments))
}

/// What CI runs.
pub(crate) fn ci() -> Result<(), Failure> {
    finish(simulator().args(["--seeds", "200"]))?;
    let kept = fs::read_to_string(KEPT_SEEDS)
        .map_err(|error| Failure::new(format!("`{KEPT_SEEDS}` cannot be read: {error}")))?;
    for options in kept_seeds(&kept)? {
        announce(&format!("kept: {}", options.join(" ")));
        finish(simulator().args(options))?;
    }
    finish(simulator().args(["--seeds", "200", "--nodes", "1"]))?;
    finish(simulator().args(["--seeds", "50", "--nodes", "2"]))?;
    finish(simulator().args(["--seeds", "3", "--nodes", "50", "--seconds", "60"]))?;
    let mutants = run::output(simulator().arg("--list-mutants"))?;
    for mutant in mutants.lines() {
        announce(&format!("the mutant {mutant} has to be caught"));
        let output = simulator().args(["--seeds", MUTANT_SEEDS, "--mutant", mutant]).output();
        let output = output.map_err(|error| Failure::new(format!("the simulator does not start: {error}")))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.code() != Some(1) || !said.contains(" broken after ") {
            return Err(Failure::new(format!("the simulator does not notice the mutant `{mutant}`:\n{said}")));
        }
        eprintln!("{}", said.lines().next().unwrap_or_default());
    }
    Ok(())
}

/// The options of each run that is kept.
fn kept_seeds(file: &str) -> Result<Vec<Vec<&str>>, Failure> {
    let mut kept = Vec::new();
    for (number, line) in (1..).zip(file.lines()).filter(|(_, line)| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [options, _, _] = columns.as_slice() else {
            return Err(Failure::new(format!("line {number} of `{KEPT_SEEDS}` has {} columns, not 3", columns.len())));
        };
        if *options != "options" {
            kept.push(options.split_whitespace().collect());
        }
    }
    Ok(kept)
}

fn simulator() -> Command {
    cargo(&[
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "tidegate-replica",
        "--features",
        "simulate",
        "--bin",
        "simulate",
        "--",
    ])
}

/// Runs that have failed, and what they showed.
const KEPT_SEEDS: &str = "crates/replica/tests/seeds.tsv";

/// The seeds that are tried for each mutant. All are caught within 43.
const MUTANT_SEEDS: &str = "200";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_seeds_have_three_columns() {
        let file = "# comment\noptions\twhat it showed\ttest\n--seed 2 --nodes 1\ta\tb\n--seed 9\ta\tb\n";
        assert_eq!(kept_seeds(file).unwrap(), [["--seed", "2", "--nodes", "1"].as_slice(), &["--seed", "9"]]);
        assert!(kept_seeds("--seed 2\ta\n").is_err());
    }

    #[test]
    fn the_committed_file_is_read() {
        let kept = kept_seeds(include_str!("../../crates/replica/tests/seeds.tsv")).unwrap();
        assert!(kept.len() >= 11 && kept.iter().all(|options| options.first() == Some(&"--seed")), "{kept:?}");
    }
}
