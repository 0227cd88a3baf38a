//! `simulate`: runs seeds, and ends with 0 only when every one holds. `cargo xtask simulate` is the way to call it.

use std::io::{BufWriter, Write as _, stderr, stdout};
use std::process::ExitCode;
use std::time::Instant;

use tidegate_replica::Mutant;
use tidegate_replica::simulator::{Fault, Outcome, REST_SECONDS, Setup, Violation, run, run_logged, shrink};

const HELP: &str = "\
Run clusters of replicas in virtual time, under faults that each seed draws.

Usage: cargo xtask simulate [OPTIONS]

Options:
  --seeds N        Run N seeds, 1 to N [default: 200]
  --seed X         Run seed X only, twice: both runs must give the same trace. With --seeds N: run N seeds from X on
  --nodes N        Nodes of the cluster [default: 5]
  --seconds S      Virtual seconds during which nodes write and faults happen [default: 300]
  --without FAULT  Leave a fault out; may be given several times
  --mutant NAME    Leave a rule of the replica out: the run has to fail
  --log            With --seed: print a line for each step of each node
  --list-mutants   Print the names of all mutants
  --list-faults    Print the names of all faults
  --help           Print this

A failure prints the seed, the invariant, and the command that runs the smallest run that breaks the same invariant.
docs/reference/simulator.md explains the output.
";

/// The arguments of the command line.
struct Arguments {
    /// How many, if that was said.
    seeds: Option<u64>,
    /// The first one, if that was said.
    first: Option<u64>,
    has_log: bool,
    setup: Setup,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| words.iter().any(|word| word == option);
    if has("--help") {
        return print(HELP);
    }
    if has("--list-mutants") {
        return print(&Mutant::ALL.map(|mutant| format!("{mutant}\n")).concat());
    }
    if has("--list-faults") {
        return print(&Fault::ALL.map(|fault| format!("{fault}\n")).concat());
    }
    match Arguments::parse(&words) {
        Ok(arguments) if arguments.has_log => simulate_logged(&arguments),
        Ok(arguments) => simulate(&arguments),
        Err(problem) => {
            let _ = writeln!(stderr(), "error: {problem}\nhint: `cargo xtask simulate --help` lists the options");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self, String> {
        let setup = Setup { seed: 1, nodes: 5, seconds: 300, mutant: None, without: Vec::new() };
        let mut arguments = Self { seeds: None, first: None, has_log: false, setup };
        let setup = &mut arguments.setup;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--log" {
                arguments.has_log = true;
                continue;
            }
            if !OPTIONS.contains(&word.as_str()) {
                return Err(format!("unknown option `{word}`"));
            }
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("`{word}` needs a whole number, not `{value}`"));
            match word.as_str() {
                "--seeds" => arguments.seeds = Some(number()?),
                "--seed" => arguments.first = Some(number()?),
                "--nodes" => setup.nodes = usize::try_from(number()?.clamp(1, 1_000)).unwrap_or(1),
                "--seconds" => setup.seconds = number()?.max(1),
                "--mutant" => setup.mutant = Some(value.parse()?),
                _ => setup.without.push(value.parse()?),
            }
        }
        if arguments.has_log && !arguments.is_single() {
            return Err("`--log` needs `--seed`: a log is of one run".to_owned());
        }
        Ok(arguments)
    }

    fn is_single(&self) -> bool {
        self.first.is_some() && self.seeds.is_none()
    }

    fn seeds(&self) -> u64 {
        if self.is_single() { 1 } else { self.seeds.unwrap_or(SEEDS) }
    }

    fn first(&self) -> u64 {
        self.first.unwrap_or(1)
    }

    fn last(&self) -> u64 {
        self.first().saturating_add(self.seeds()).saturating_sub(1)
    }
}

/// How many seeds run unless something else was said.
const SEEDS: u64 = 200;

/// The options that have a value.
const OPTIONS: [&str; 6] = ["--seeds", "--seed", "--nodes", "--seconds", "--mutant", "--without"];

#[expect(clippy::disallowed_methods, reason = "the clock times the simulator; the replicas are given theirs")]
fn simulate(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let mut total = Outcome::default();
    for seed in arguments.first()..=arguments.last() {
        let setup = Setup { seed, ..arguments.setup.clone() };
        let outcome = run(&setup);
        if let Some(violation) = &outcome.violation {
            return fail(&setup, violation, outcome.trace);
        }
        total.trace ^= outcome.trace.rotate_left((seed % 64) as u32);
        total.events += outcome.events;
        total.acknowledged.iter_mut().zip(outcome.acknowledged).for_each(|(sum, count)| *sum += count);
        total.unreached += outcome.unreached;
        total.refused += outcome.refused;
        total.at_rest = (total.at_rest.0 + outcome.at_rest.0, total.at_rest.1 + outcome.at_rest.1);
        if arguments.is_single() && run(&setup).trace != outcome.trace {
            return print_failure(&format!(
                "{setup}: I10 broken: the same seed gave another trace\nreproduce     cargo xtask simulate {}\n",
                setup.arguments()
            ));
        }
    }
    print(&summary(arguments, &total, started.elapsed().as_secs_f64()))
}

fn summary(arguments: &Arguments, total: &Outcome, real: f64) -> String {
    let (seeds, Setup { nodes, seconds, .. }) = (arguments.seeds(), &arguments.setup);
    let [local, one, majority, all] = total.acknowledged;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let speed = (seeds * seconds) as f64 / real.max(1e-6);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let [messages, bytes] =
        [total.at_rest.0, total.at_rest.1].map(|sum| sum as f64 / (seeds * REST_SECONDS) as f64 / *nodes as f64);
    format!(
        "seeds {} to {}, {nodes} nodes, {seconds} virtual seconds each: every invariant held\n\
         trace         {:016x}\n\
         events        {}\n\
         acknowledged  {} writes (local {local}, one {one}, majority {majority}, all {all}), lost 0\n\
         not reached   {} writes were accepted without their level, {} were refused\n\
         at rest       {messages:.2} messages and {bytes:.0} bytes a node a second\n\
         time          {real:.1} s, {speed:.0} times real time\n",
        arguments.first(),
        arguments.last(),
        total.trace,
        total.events,
        local + one + majority + all,
        total.unreached,
        total.refused,
    )
}

/// One run, with a line for each step.
fn simulate_logged(arguments: &Arguments) -> ExitCode {
    let setup = Setup { seed: arguments.first(), ..arguments.setup.clone() };
    let mut out = BufWriter::new(stdout().lock());
    let outcome = run_logged(&setup, &mut |line| _ = writeln!(out, "{line}"));
    let end = outcome.violation.as_ref().map_or_else(|| "every invariant held".to_owned(), Violation::to_string);
    let is_written = writeln!(out, "{setup}: {end}").and_then(|()| out.flush()).is_ok();
    if is_written && outcome.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fail(setup: &Setup, violation: &Violation, trace: u64) -> ExitCode {
    let smallest = shrink(setup, violation.invariant);
    let again = run(&smallest).violation.map_or_else(|| "holds".to_owned(), |violation| violation.to_string());
    print_failure(&format!(
        "{setup}: {violation}\n\
         trace         {trace:016x}\n\
         reproduce     cargo xtask simulate {}\n\
         smallest      {smallest}: {again}\n\
         reproduce     cargo xtask simulate {}\n\
         log           cargo xtask simulate {} --log\n",
        setup.arguments(),
        smallest.arguments(),
        smallest.arguments(),
    ))
}

fn print_failure(text: &str) -> ExitCode {
    let _ = print(text);
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    if stdout().write_all(text.as_bytes()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_seed_and_a_number_of_seeds_make_a_range() {
        let range = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Arguments::parse(&words).map(|arguments| (arguments.first(), arguments.last(), arguments.is_single()))
        };
        assert_eq!(range(""), Ok((1, 200, false)));
        assert_eq!(range("--seeds 30"), Ok((1, 30, false)));
        assert_eq!(range("--seed 7"), Ok((7, 7, true)));
        assert_eq!(range("--seed 1001 --seeds 1000"), Ok((1001, 2000, false)));
        assert!(range("--seed 7 --seeds 2 --log").is_err() && range("--seed x").is_err());
    }
}
