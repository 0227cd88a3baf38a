//! `simulate`: runs seeds, and ends with 0 only when every one holds. `cargo xtask simulate` is the way to call it.

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;
use std::time::Instant;

use tidegate_replica::Mutant;
use tidegate_replica::simulator::{Outcome, REST_SECONDS, Setup, run, shrink};

const USAGE: &str = "usage: simulate [--seeds N] [--nodes N] [--seconds S] [--seed X] [--mutant NAME | --list-mutants]";

/// What was asked for.
struct Arguments {
    seeds: u64,
    first: u64,
    nodes: usize,
    seconds: u64,
    mutant: Option<Mutant>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|argument| argument == "--list-mutants") {
        return say(&Mutant::ALL.map(|mutant| format!("{mutant}\n")).concat());
    }
    match Arguments::parse(&words) {
        Ok(arguments) => simulate(&arguments),
        Err(problem) => {
            let _ = writeln!(stderr(), "error: {problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut arguments = Self { seeds: 200, first: 1, nodes: 5, seconds: 300, mutant: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` wants a value, or is not known"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("`{word}` wants a whole number, not `{value}`"));
            match word.as_str() {
                "--seeds" => arguments.seeds = number()?,
                "--seed" => (arguments.first, arguments.seeds) = (number()?, 1),
                "--nodes" => arguments.nodes = usize::try_from(number()?.clamp(1, 1_000)).unwrap_or(1),
                "--seconds" => arguments.seconds = number()?.max(1),
                "--mutant" => arguments.mutant = Some(value.parse()?),
                _ => return Err(format!("`{word}` is not known")),
            }
        }
        Ok(arguments)
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock times the simulator; the replicas are given theirs")]
fn simulate(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let mut total = Outcome::default();
    for seed in arguments.first..arguments.first.saturating_add(arguments.seeds) {
        let setup = Setup {
            seed,
            nodes: arguments.nodes,
            seconds: arguments.seconds,
            mutant: arguments.mutant,
            without: Vec::new(),
        };
        let outcome = run(&setup);
        if let Some(violation) = &outcome.violation {
            return fail(&setup, &violation.to_string(), outcome.trace);
        }
        total.trace ^= outcome.trace.rotate_left((seed % 64) as u32);
        total.events += outcome.events;
        total.acknowledged.iter_mut().zip(outcome.acknowledged).for_each(|(sum, count)| *sum += count);
        total.unreached += outcome.unreached;
        total.refused += outcome.refused;
        total.at_rest = (total.at_rest.0 + outcome.at_rest.0, total.at_rest.1 + outcome.at_rest.1);
        if arguments.seeds == 1 && run(&setup).trace != outcome.trace {
            return fail(&setup, "I10 broken: the same seed gave another trace", outcome.trace);
        }
    }
    let [local, one, majority, all] = total.acknowledged;
    let real = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let speed = (arguments.seeds * arguments.seconds) as f64 / real.max(1e-6);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let [messages, bytes] = [total.at_rest.0, total.at_rest.1]
        .map(|sum| sum as f64 / (arguments.seeds * REST_SECONDS) as f64 / arguments.nodes as f64);
    say(&format!(
        "seeds {} to {}, {} nodes, {} virtual seconds each: every invariant held\n\
         trace         {:016x}\n\
         events        {}\n\
         acknowledged  {} writes (local {local}, one {one}, majority {majority}, all {all}), lost 0\n\
         not reached   {} writes were accepted without their level, {} were refused\n\
         at rest       {messages:.2} messages and {bytes:.0} bytes a node a second\n\
         time          {real:.1} s, {speed:.0} times real time\n",
        arguments.first,
        arguments.first.saturating_add(arguments.seeds).saturating_sub(1),
        arguments.nodes,
        arguments.seconds,
        total.trace,
        total.events,
        local + one + majority + all,
        total.unreached,
        total.refused,
    ))
}

fn fail(setup: &Setup, problem: &str, trace: u64) -> ExitCode {
    let smallest = shrink(setup);
    let again = run(&smallest).violation.map_or_else(|| "holds".to_owned(), |violation| violation.to_string());
    let text = format!("{setup}: {problem}\ntrace         {trace:016x}\nsmallest      {smallest}: {again}\n");
    let _ = say(&text);
    ExitCode::FAILURE
}

fn say(text: &str) -> ExitCode {
    if stdout().write_all(text.as_bytes()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
