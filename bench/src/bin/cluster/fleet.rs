//! Several nodes, the first of which writes: what of it the others have seen, and when.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{Place, Process};

/// Starts all nodes and waits until each sees all others.
pub(crate) fn start(program: &Path, place: &Place, kind: &str, others: usize) -> Outcome<Vec<Process>> {
    let count = others + 1;
    let mut nodes: Vec<Process> =
        (0..count).map(|index| Process::start(program, &place.words(kind, index))).collect::<Outcome<_>>()?;
    let deadline = Instant::now() + Duration::from_mins(1);
    for node in &mut nodes {
        while node.ask("peers")?.parse::<usize>()? < others {
            if Instant::now() > deadline {
                return Err("the nodes do not see each other".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(nodes)
}

/// Has the first node write: until the last of the others had each number, and how long its answers took.
pub(crate) fn run(nodes: &mut [Process], order: &str) -> Outcome<(Vec<Duration>, Vec<Vec<Duration>>)> {
    for node in nodes.iter_mut() {
        node.ask("seen")?;
    }
    let written = nodes[0].ask(order)?;
    std::thread::sleep(Duration::from_millis(500));
    let mut last: BTreeMap<u64, (Duration, usize)> = BTreeMap::new();
    for node in nodes.iter_mut().skip(1) {
        for word in node.ask("seen")?.split_whitespace() {
            let (number, at) = word.split_once(':').ok_or("no instant")?;
            let (latest, count) = last.entry(number.parse()?).or_default();
            *latest = (*latest).max(Duration::from_nanos(at.parse()?));
            *count += 1;
        }
    }
    let (mut to_all, mut answers) = (Vec::new(), Vec::new());
    for word in written.split_whitespace() {
        let parts: Vec<u64> = word.split(':').map(str::parse).collect::<Result<_, _>>()?;
        let [number, began, took @ ..] = parts.as_slice() else { return Err("no numbers".into()) };
        answers.push(took.iter().copied().map(Duration::from_nanos).collect());
        // A change that another one has overtaken was not seen by all; the next one was.
        if let Some((at, _)) = last.get(number).filter(|(_, count)| *count >= nodes.len() - 1) {
            to_all.push(at.saturating_sub(Duration::from_nanos(*began)));
        }
    }
    Ok((to_all, answers))
}
