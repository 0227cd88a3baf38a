//! The developer tasks of this workspace: `cargo xtask TASK`. Std only, so that it builds in a second.
//!
//! A task is a row of [`TASKS`] and a module. Tasks call `cargo` and other programs and stop at the
//! first one that fails; the messages of those programs are the report.

mod audit;
mod bench;
mod binding;
mod check_deps;
mod ci;
mod clients;
mod commits;
mod elixir;
mod fuzz;
mod generate;
#[cfg(test)]
mod generated;
mod instructions;
mod prerequisites;
mod python;
mod run;
mod schemathesis;
mod simulate;
mod soak;

use std::io::Write as _;
use std::process::ExitCode;

use run::Failure;

/// One developer task.
struct Task {
    name: &'static str,
    arguments: &'static str,
    does: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

/// All tasks, in the order in which `--help` lists them.
const TASKS: &[Task] = &[
    Task {
        name: "ci",
        arguments: "",
        does: "everything that a change must pass; CI runs this and nothing else",
        run: ci::run,
    },
    Task {
        name: "generate",
        arguments: "",
        does: "compare generated files with their source; with UPDATE=1 in the environment, write them",
        run: generate::run,
    },
    Task {
        name: "check-deps",
        arguments: "[FILE...]",
        does: "fail when a dependency arrow turns, the engine gains input or output, or modules import each other in a circle; \
               FILE (crates/x/src/lib.rs): only look for circles in that crate",
        run: check_deps::run,
    },
    Task {
        name: "check-commits",
        arguments: "",
        does: "the subjects of the commits that the main branch does not have, against CONTRIBUTING.md; a step of ci",
        run: commits::run,
    },
    Task {
        name: "audit",
        arguments: "",
        does: "licences, bans and sources by cargo-deny; unused dependencies by cargo-machete",
        run: audit::run,
    },
    Task {
        name: "instructions",
        arguments: "",
        does: "instructions of each check under callgrind, held against bench/instructions.tsv (UPDATE=1 writes it)",
        run: instructions::run,
    },
    Task {
        name: "bench",
        arguments: "[CASE | cluster [updates|idle|local] | links [idle] | http [rounds N] | load [SECONDS] | redis | zookeeper | peers]",
        does: "the tables of docs/performance.md, measured here; CASE is a part of a case's name",
        run: bench::run,
    },
    Task {
        name: "simulate",
        arguments: "[--seeds N] [--nodes N] [--seconds S] [--seed X] [--mutant NAME | --list-mutants]",
        does: "clusters of replicas in virtual time, where everything goes wrong; fails with the smallest run that does",
        run: simulate::run,
    },
    Task {
        name: "soak",
        arguments: "[--store redis] [--rounds N] [--nodes N] [--seed X] [--fault NAME | --list-faults]",
        does: "a cluster of real processes in a network of its own, where everything goes wrong (needs root)",
        run: soak::run,
    },
    Task {
        name: "clients",
        arguments: "[FOLDER]",
        does: "real clients of OpenFeature against a real server: all, or those of one folder of clients/",
        run: clients::run,
    },
    Task {
        name: "python",
        arguments: "[wheel|bench]",
        does: "the Python package, installed into a virtual environment and tested; `wheel` builds one for release, `bench` shows what a read costs",
        run: python::run,
    },
    Task {
        name: "elixir",
        arguments: "[bench]",
        does: "the Elixir application, built and tested; `bench` shows what a read costs beside an empty call of a native function",
        run: elixir::run,
    },
    Task {
        name: "schemathesis",
        arguments: "[ARGUMENT...]",
        does: "requests made from the contract of the HTTP API against a real server; ARGUMENT is one of `schemathesis run`",
        run: schemathesis::run,
    },
    Task {
        name: "fuzz",
        arguments: "[TARGET [SECONDS]]",
        does: "fuzz one target, or all for 10 seconds each (needs a nightly toolchain)",
        run: fuzz::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => write_help(),
        Some(name) => run_task(name, &arguments[1..]),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run_task(name: &str, arguments: &[String]) -> Result<(), Failure> {
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(Failure::new(format!("there is no task `{name}`; `cargo xtask --help` lists them")));
    };
    if task.arguments.is_empty() && !arguments.is_empty() {
        return Err(Failure::new(format!("task `{name}` takes no arguments, but got `{}`", arguments.join(" "))));
    }
    run::enter_workspace_root()?;
    (task.run)(arguments)
}

fn write_help() -> Result<(), Failure> {
    let rows =
        TASKS.iter().map(|task| format!("  {:<27} {}\n", format!("{} {}", task.name, task.arguments), task.does));
    let help = format!("Usage: cargo xtask TASK\n\nTasks:\n{}", rows.collect::<String>());
    std::io::stdout().write_all(help.as_bytes()).map_err(|error| Failure::new(format!("standard output: {error}")))
}
