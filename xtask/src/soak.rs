//! `cargo xtask soak`: a cluster of real processes in a network of its own, where everything goes wrong.
//!
//! Each round does one thing to the cluster while changes are made on all nodes and a reader asks all of them; then it heals,
//! waits until all nodes hold the same, and compares every flag with what was acknowledged.
//!
//! With `--store redis` the nodes have no links and no disks, and share their changes through a real Redis, where everything goes
//! wrong, too.
//!
//! Everything happens in namespaces that this process makes for itself (network, mounts, processes), so nothing outside is
//! touched, and nothing stays behind when it ends, however it ends.

mod faults;
mod fleet;
mod http;
mod ledger;
mod load;
mod random;
mod redis;
mod redis_faults;
mod report;
mod round;
mod system;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::run::{self, Failure, announce, cargo, finish, target};

use faults::{FAULTS, Fault};
use fleet::Fleet;
use random::Random;
use report::Report;

/// What to do.
#[derive(Debug)]
struct Options {
    rounds: u64,
    nodes: usize,
    seed: u64,
    choice: Choice,
    /// Whether the nodes share their changes through Redis, and have no links.
    has_redis: bool,
    /// Where the nodes' logs are kept; nowhere, if not said. `TIDEGATE_LOG` says how much is in them.
    logs: Option<PathBuf>,
}

/// What is done in a round.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// One thing, drawn by the weights.
    Drawn,
    /// Everything, one after the other.
    Each,
    One(&'static Fault),
}

/// The argument that makes this choice, after a blank.
impl fmt::Display for Choice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drawn => Ok(()),
            Self::Each => write!(to, " --fault {EACH}"),
            Self::One(fault) => write!(to, " --fault {}", fault.name),
        }
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == "--list-faults") {
        for fault in FAULTS {
            eprintln!("{:<16} {}", fault.name, fault.does);
        }
        eprintln!("\nwith --store redis:");
        for fault in redis_faults::FAULTS {
            eprintln!("{:<16} {}", fault.name, fault.does);
        }
        eprintln!("\n{EACH:<16} all of the list, one after the other");
        return Ok(());
    }
    let options = Options::read(arguments)?;
    if let Some(program) = std::env::var_os(INSIDE) {
        return work(&options, Path::new(&program));
    }
    need_programs()?;
    if options.has_redis {
        need_redis()?;
    }
    finish(&mut cargo(&["build", "--release", "--locked", "--package", "tidegate-cli"]))?;
    enter(arguments, &target().join("release/tidegate"))
}

/// What CI runs: a little of everything, with the program that the tests have built.
pub(crate) fn ci() -> Result<(), Failure> {
    need_programs()?;
    finish(&mut cargo(&["build", "--locked", "--profile", "ci", "--package", "tidegate-cli"]))?;
    let program = target().join("ci/tidegate");
    for (fault, rounds) in [("kill", "2"), ("partition", "2"), (EACH, "1")] {
        announce(&format!("soak: {fault}"));
        let words = ["--rounds", rounds, "--nodes", "3", "--fault", fault];
        enter(&words.map(str::to_owned), &program)?;
    }
    announce("soak: Redis");
    need_redis()?;
    let words = ["--store", "redis", "--rounds", "1", "--nodes", "3", "--fault", EACH];
    enter(&words.map(str::to_owned), &program)
}

/// Runs this program again, inside of namespaces of its own; all processes in there end with it.
fn enter(arguments: &[String], program: &Path) -> Result<(), Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new(format!("this program has no path: {error}")))?;
    let program = std::fs::canonicalize(program)
        .map_err(|error| Failure::new(format!("`{}` was not built: {error}", program.display())))?;
    let words = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
    let mut command = run::program("unshare");
    command.args(words).arg(own).arg("soak").args(arguments).env(INSIDE, program);
    let status = command.status().map_err(|error| Failure::new(format!("`unshare` does not start: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new("the cluster did not hold, or could not be made; see above"))
    }
}

fn need_programs() -> Result<(), Failure> {
    for (program, package) in PROGRAMS {
        crate::prerequisites::need(program, package)?;
    }
    let faketime = faults::FAKETIME;
    if !Path::new(faketime).exists() {
        crate::prerequisites::need("faketime", "faketime")?;
    }
    if Path::new(faketime).exists() {
        Ok(())
    } else {
        Err(Failure::new(format!("there is no `{faketime}`; install the package `libfaketime`")))
    }
}

fn need_redis() -> Result<(), Failure> {
    crate::prerequisites::need("redis-server", "redis-server")?;
    crate::prerequisites::need("redis-cli", "redis-tools")
}

fn work(options: &Options, program: &Path) -> Result<(), Failure> {
    let Options { rounds, nodes, seed, choice, has_redis, logs } = options;
    let store = if *has_redis { " --store redis" } else { "" };
    eprintln!("seed {seed}, {nodes} nodes");
    let mut random = Random::new(*seed);
    let mut report = Report::default();
    let failed = |error: String| {
        Failure::new(format!(
            "{error}\nagain with: cargo xtask soak --seed {seed} --nodes {nodes} --rounds {rounds}{store}{choice}"
        ))
    };
    let mut fleet = Fleet::start(*nodes, program, logs.as_deref(), *has_redis).map_err(failed)?;
    for round in 0..*rounds {
        let chosen: Vec<&Fault> = match choice {
            Choice::Drawn => vec![faults::draw(options.faults(), &mut random)],
            Choice::Each => options.faults().iter().collect(),
            Choice::One(fault) => vec![fault],
        };
        for fault in chosen {
            let outcome = round::run(&mut fleet, fault, &mut random)
                .map_err(|error| failed(format!("round {round}, {}: {error}\n{}", fault.name, fleet.logs())))?;
            eprintln!("{round:>4} {:<16} {outcome}", fault.name);
            report.add(fault.name, &outcome);
        }
    }
    eprintln!("\n{report}");
    if report.holds() { Ok(()) } else { Err(failed("the cluster did not hold".to_owned())) }
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos().into());
        let mut options =
            Self { rounds: 20, nodes: 5, seed: clock, choice: Choice::Drawn, has_redis: false, logs: None };
        let mut chosen = None;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| Failure::new(format!("`{word}` wants a value")))?;
            let number = || value.parse().map_err(|_| Failure::new(format!("`{value}` is no number")));
            match word.as_str() {
                "--rounds" => options.rounds = number()?,
                "--nodes" => options.nodes = usize::try_from(number()?.clamp(3, 9)).unwrap_or(5),
                "--seed" => options.seed = number()?,
                "--logs" => options.logs = Some(value.into()),
                "--store" if value == "redis" => options.has_redis = true,
                "--store" => return Err(Failure::new(format!("there is no store `{value}`; write `redis`"))),
                "--fault" => chosen = Some(value),
                _ => return Err(Failure::new(format!("there is no argument `{word}`"))),
            }
        }
        match chosen {
            None => {}
            Some(name) if name == EACH => options.choice = Choice::Each,
            Some(name) => {
                let fault = options.faults().iter().find(|fault| fault.name == name);
                let unknown = || Failure::new(format!("there is no fault `{name}`; --list-faults shows them"));
                options.choice = Choice::One(fault.ok_or_else(unknown)?);
            }
        }
        Ok(options)
    }

    /// What may be done to this fleet.
    fn faults(&self) -> &'static [Fault] {
        if self.has_redis { redis_faults::FAULTS } else { FAULTS }
    }
}

/// What `--fault` takes for all of them.
const EACH: &str = "each";

/// Says to the inner process that it is one, and which program to start.
const INSIDE: &str = "TIDEGATE_SOAK_PROGRAM";

/// Programs beyond Rust, each with the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("strace", "strace"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("kill", "procps"),
];
