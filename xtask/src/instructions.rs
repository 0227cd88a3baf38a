//! `cargo xtask instructions`: how many instructions each check takes, held against the committed counts.
//!
//! Wall time on a shared machine says little; instructions under callgrind are the same on every run. Each
//! case of `bench/` runs twice, the second time twice as often: the difference is the work alone, without
//! the start of the program. A count that moved by more than [`TOLERANCE_PERCENT`] fails; `UPDATE=1` writes
//! the new counts, and the diff is for the reviewer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::prerequisites;
use crate::run::{self, Failure, cargo, finish, program};

/// The committed counts: a case, a tab, its instructions.
const COUNTS: &str = "bench/instructions.tsv";

/// The binary that runs one case a number of times.
const BINARY: &str = "bench/target/release/instructions";

/// Compilers of one version give the same count; the C library's own choices by processor move it a little.
const TOLERANCE_PERCENT: u64 = 5;

/// How often a count that has moved is made again: one that has truly moved is the same each time. Hash tables have random seeds, and in
/// almost a third of the runs one grows once more, before the work or within it.
const RECOUNTS: usize = 7;

/// A count this close to the committed one is the same: a check by handle takes some twenty instructions, so
/// that one of them is already 5 per cent.
const TOLERANCE_FEW: u64 = 3;

/// One case, as the binary lists it.
struct Case {
    name: String,
    floor: String,
    times: u64,
}

pub(crate) fn run(_arguments: &[String]) -> Result<(), Failure> {
    prerequisites::need("valgrind", "valgrind")?;
    finish(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--manifest-path",
        "bench/Cargo.toml",
        "--bin",
        "instructions",
    ]))?;
    let cases = cases()?;
    let committed = committed()?;
    let mut counts = BTreeMap::new();
    for case in &cases {
        let is_same =
            |count: &u64| is_shared(case) || committed.get(&case.name).is_some_and(|before| is_close(*before, *count));
        let mut totals = Totals::of(case)?;
        for _ in 0..RECOUNTS {
            if is_same(&totals.of_one(case)) {
                break;
            }
            totals = totals.least(&Totals::of(case)?);
        }
        counts.insert(case.name.as_str(), totals.of_one(case));
    }
    show(&cases, &counts);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        return write(&cases, &counts);
    }
    compare(&cases, &committed, &counts)
}

fn committed() -> Result<BTreeMap<String, u64>, Failure> {
    let text = fs::read_to_string(COUNTS).map_err(|error| Failure::new(format!("cannot read {COUNTS}: {error}")))?;
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?))).collect())
}

fn cases() -> Result<Vec<Case>, Failure> {
    let listed = run::output(&mut program(BINARY))?;
    let case = |line: &str| {
        let mut words = line.split('\t');
        let (name, floor, times) = (words.next()?, words.next()?, words.next()?);
        Some(Case { name: name.to_owned(), floor: floor.to_owned(), times: times.parse().ok()? })
    };
    listed
        .lines()
        .map(|line| case(line).ok_or_else(|| Failure::new(format!("`{BINARY}` listed `{line}`, which is no case"))))
        .collect()
}

/// Instructions of two whole runs of a case, the second with twice the work.
struct Totals {
    once: u64,
    twice: u64,
}

impl Totals {
    fn of(case: &Case) -> Result<Self, Failure> {
        Ok(Self { once: total(case, case.times)?, twice: total(case, case.times * 2)? })
    }

    /// The smaller one of each: a run in which a table grows once more takes millions more than its partner without.
    fn least(&self, other: &Self) -> Self {
        Self { once: self.once.min(other.once), twice: self.twice.min(other.twice) }
    }

    /// Instructions of one repetition, rounded.
    fn of_one(&self, case: &Case) -> u64 {
        (self.twice.saturating_sub(self.once) + case.times / 2) / case.times
    }
}

/// Instructions of a whole run.
fn total(case: &Case, times: u64) -> Result<u64, Failure> {
    let mut command = program("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", BINARY, &case.name, &times.to_string()]);
    let said = run::error_output(&mut command)?;
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    collected.and_then(|count| count.parse().ok()).ok_or_else(|| {
        Failure::new(format!("callgrind did not say how many instructions `{}` took:\n{said}", case.name))
    })
}

fn show(cases: &[Case], counts: &BTreeMap<&str, u64>) {
    eprintln!("{:<70} {:>12} {:>8}", "case", "instructions", "x floor");
    for case in cases {
        let count = counts.get(case.name.as_str()).copied().unwrap_or_default();
        let floor = counts.get(case.floor.as_str()).copied().filter(|floor| *floor > 0);
        let ratio = floor.map_or_else(String::new, |floor| {
            let hundredths = count * 100 / floor;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        });
        eprintln!("{:<70} {count:>12} {ratio:>8}", case.name);
    }
}

fn write(cases: &[Case], counts: &BTreeMap<&str, u64>) -> Result<(), Failure> {
    let mut text = String::new();
    for case in cases {
        let count = counts.get(case.name.as_str()).copied().unwrap_or_default();
        let _ = writeln!(text, "{}\t{count}", case.name);
    }
    fs::write(Path::new(COUNTS), text).map_err(|error| Failure::new(format!("cannot write {COUNTS}: {error}")))
}

fn compare(cases: &[Case], committed: &BTreeMap<String, u64>, counts: &BTreeMap<&str, u64>) -> Result<(), Failure> {
    let mut moved = String::new();
    for case in cases {
        let count = counts.get(case.name.as_str()).copied().unwrap_or_default();
        match committed.get(&case.name) {
            None => {
                let _ = writeln!(moved, "  `{}` takes {count} instructions and has no committed count", case.name);
            }
            Some(&before) if !is_shared(case) && !is_close(before, count) => {
                let _ = writeln!(moved, "  `{}` takes {count} instructions, {before} were committed", case.name);
            }
            Some(_) => {}
        }
    }
    for name in committed.keys().filter(|name| !counts.contains_key(name.as_str())) {
        let _ = writeln!(moved, "  `{name}` is committed and no longer a case");
    }
    if moved.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "instruction counts moved by more than {TOLERANCE_PERCENT} per cent:\n{moved}\
         if that is meant, `UPDATE=1 cargo xtask instructions` writes {COUNTS}"
    )))
}

/// Whether the background thread works meanwhile: it logs each unknown flag once, at a time of its own. Such a count is shown and not
/// compared.
fn is_shared(case: &Case) -> bool {
    case.name.starts_with("unknown flag by")
}

fn is_close(before: u64, now: u64) -> bool {
    let apart = before.abs_diff(now);
    apart <= TOLERANCE_FEW || apart * 100 <= before * TOLERANCE_PERCENT
}

#[cfg(test)]
mod tests {
    use super::{Case, Totals, is_close};

    #[test]
    fn a_run_in_which_a_table_grows_once_more_does_not_count() {
        let case = Case { name: "case".to_owned(), floor: String::new(), times: 500 };
        let (grown, other) =
            (Totals { once: 540_000_000, twice: 528_000_000 }, Totals { once: 526_500_000, twice: 541_000_000 });
        assert_eq!(grown.of_one(&case), 0);
        assert_eq!(other.least(&grown).of_one(&case), 3_000);
    }

    #[test]
    fn close_is_five_per_cent_or_a_few() {
        for (before, now, close) in
            [(20, 23, true), (20, 24, false), (100, 105, true), (100, 106, false), (100, 94, false)]
        {
            assert_eq!(is_close(before, now), close, "{before} and {now}");
        }
    }
}
