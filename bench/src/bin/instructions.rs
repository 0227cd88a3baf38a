//! Runs one case so often, to be counted under callgrind by `cargo xtask instructions`.
//!
//! Without arguments it lists the names of all cases.

use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;

use tidegate_bench::{Case, Times, cases};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else { return list(&cases()) };
    let times = arguments.next().and_then(|times| times.parse::<Times>().ok());
    match (cases().iter().find(|case| case.name == name), times) {
        (Some(case), Some(times)) => {
            black_box(case.run(times));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("error: usage: instructions [CASE TIMES]; without arguments it lists the cases");
            ExitCode::FAILURE
        }
    }
}

fn list(cases: &[Case]) -> ExitCode {
    let lines: String = cases
        .iter()
        .map(|case| format!("{}\t{}\t{}\n", case.name, case.floor.unwrap_or_default(), case.weight()))
        .collect();
    match std::io::stdout().write_all(lines.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
