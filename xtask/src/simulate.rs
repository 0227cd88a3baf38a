//! `cargo xtask simulate`: clusters of replicas in virtual time, where everything goes wrong.
//!
//! The simulator is a program of the replica's crate; this builds it and calls it. In CI it also has to show that it can
//! fail: each mutant leaves out one rule, and has to be caught.

use std::process::Command;

use crate::run::{self, Failure, announce, cargo, finish};

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    finish(simulator().args(arguments))
}

/// What CI runs.
pub(crate) fn ci() -> Result<(), Failure> {
    finish(simulator().args(["--seeds", "200"]))?;
    for seed in KEPT_SEEDS {
        finish(simulator().args(["--seed", seed]))?;
    }
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

/// Seeds that have failed beyond those of each run.
const KEPT_SEEDS: [&str; 7] = ["738", "809", "1892", "1900", "2373", "2922", "5902"];

/// So many seeds have a try at each mutant. All are caught within thirty.
const MUTANT_SEEDS: &str = "200";
