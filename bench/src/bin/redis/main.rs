//! What it costs to share changes through Redis, beside a bare script and a stream in the same run.
//!
//! `cargo xtask bench redis` starts a `redis-server`, four processes that read a bare stream, and four that are instances of
//! Tidegate. This process writes for both in turn.

mod reader;
#[path = "../cluster/show.rs"]
mod show;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use redis::Connection;
use tidegate::{Level, Live, Tidegate};
use tidegate_bench::observe::{now, read_time};
use tidegate_origin::RedisServer;

use show::{ratio, row};

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["reader", kind, url] => reader::run(kind, url),
        [] => {
            let server = RedisServer::start();
            let spread = changes(&server.url())?;
            let read = reads(&server.url())?;
            if spread > SPREAD_MAX {
                return Err(format!("a change takes {spread:.2} times as long as a bare one, not {SPREAD_MAX}").into());
            }
            if read > READ_MAX {
                return Err(format!("a read takes {read:.2} times as long as without Redis").into());
            }
            Ok(())
        }
        _ => Err("usage: redis".into()),
    }
}

/// From a change until the last of four other processes has it, beside the same with a bare script and a stream.
fn changes(url: &str) -> Outcome<f64> {
    println!("four readers, {} changes, one every {} ms", ROUNDS * COUNT, PAUSE.as_millis());
    let mut bare = Bare::connect(url)?;
    let start = |kind: &str| (0..READERS).map(|_| Reader::start(kind, url)).collect::<Outcome<Vec<_>>>();
    let (mut bare_readers, mut readers) = (start("bare")?, start("tidegate")?);
    let tide = reader::connect(url)?;
    let (mut floors, mut round_trips, mut times, mut receipts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // In turn, so that what else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        let written = write(|number| bare.write(number), &mut round_trips)?;
        floors.extend(until_all(&mut bare_readers, &written)?);
        let written = write(|number| change(&tide, number, Level::Local), &mut Vec::new())?;
        times.extend(until_all(&mut readers, &written)?);
        write(|number| change(&tide, number, Level::Majority), &mut receipts)?;
        until_all(&mut readers, &BTreeMap::new())?;
    }
    let floor = row("floor: a bare script and stream, until the last of four has it", &mut floors);
    let spread = row("a change, until it is active in the last of four", &mut times);
    ratio("beside the bare one (target 2.00)", spread, floor);
    let round_trip = row("floor: a bare script, until Redis has answered", &mut round_trips);
    let receipt = row("a change, until its receipt says that Redis has it", &mut receipts);
    ratio("beside the bare one", receipt, round_trip);
    Ok(spread.as_secs_f64() / floor.as_secs_f64())
}

/// Makes one change after the other: when each began. `took` gets how long each call took.
fn write(mut change: impl FnMut(u64) -> Outcome, took: &mut Vec<Duration>) -> Outcome<BTreeMap<u64, Duration>> {
    let mut written = BTreeMap::new();
    for number in 1..=COUNT {
        let began = now();
        change(number)?;
        took.push(now().saturating_sub(began));
        written.insert(number, began);
        std::thread::sleep(PAUSE);
    }
    Ok(written)
}

fn change(tide: &Tidegate, number: u64, level: Level) -> Outcome {
    let percentage = format!("{}.{:06}", number / 1_000_000, number % 1_000_000);
    tide.activate_percentage("bench", percentage.as_str()).ack(level).timeout(Duration::from_secs(5)).send()?;
    Ok(())
}

/// From the beginning of each change until the last reader had it.
fn until_all(readers: &mut [Reader], written: &BTreeMap<u64, Duration>) -> Outcome<Vec<Duration>> {
    std::thread::sleep(SETTLE);
    let mut last: BTreeMap<u64, (Duration, usize)> = BTreeMap::new();
    let count = readers.len();
    for reader in readers {
        for word in reader.ask("seen")?.split_whitespace() {
            let (number, at) = word.split_once(':').ok_or("no instant")?;
            let (latest, seen) = last.entry(number.parse()?).or_default();
            *latest = (*latest).max(Duration::from_nanos(at.parse()?));
            *seen += 1;
        }
    }
    // A change that another one has overtaken was not seen by all; the next one was.
    let times: Vec<Duration> = written
        .iter()
        .filter_map(|(number, began)| {
            let (at, _) = last.get(number).filter(|(_, seen)| *seen == count)?;
            Some(at.saturating_sub(*began))
        })
        .collect();
    if times.len() * 10 < written.len() * 9 {
        return Err(format!("{} of {} changes were seen by all", times.len(), written.len()).into());
    }
    Ok(times)
}

/// Reading by handle with a connection to Redis, beside reading without.
fn reads(url: &str) -> Outcome<f64> {
    let connected = reader::connect(url)?;
    let alone = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    let keys: Vec<String> = (0..1_024).map(|number| format!("user-{number:010}")).collect();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..=ROUNDS * 2 {
        for (tide, times) in [&alone, &connected].into_iter().zip(&mut times) {
            tide.activate_percentage("bench", 50).ack(Level::Local).send()?;
            times.push(read_time(&tide.flag("features", "bench"), &keys));
        }
    }
    let [alone, connected] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("{:<66} {alone:>9.2} ns", "floor: a read by handle, without Redis");
    println!("{:<66} {connected:>9.2} ns", "a read by handle, with Redis");
    println!("{:<66} {:>9.2} x", "beside the one without (target 1.00)", connected / alone);
    Ok(connected / alone)
}

/// A connection that writes without Tidegate.
struct Bare {
    connection: Connection,
    script: String,
}

impl Bare {
    fn connect(url: &str) -> Outcome<Self> {
        let mut connection = redis::Client::open(url)?.get_connection()?;
        let script = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query(&mut connection)?;
        Ok(Self { connection, script })
    }

    fn write(&mut self, number: u64) -> Outcome {
        let mut asked = redis::cmd("EVALSHA");
        asked.arg(&self.script).arg(2).arg("{bare}:reg").arg(reader::BARE_LOG).arg(format!("{number:0>200}"));
        let () = asked.query(&mut self.connection)?;
        Ok(())
    }
}

/// A process that reads.
struct Reader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reader {
    fn start(kind: &str, url: &str) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(["reader", kind, url]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process has no pipes".into());
        };
        let mut reader = Self { child, input, output: BufReader::new(output) };
        reader.hear()?;
        Ok(reader)
    }

    fn ask(&mut self, line: &str) -> Outcome<String> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        self.hear()
    }

    fn hear(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a process has ended".into());
        }
        Ok(line)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SCRIPT: &str = "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'r', ARGV[1]) \
                      return redis.call('HSET', KEYS[1], 'f', ARGV[1])";

const READERS: usize = 4;
const ROUNDS: u64 = 10;
const COUNT: u64 = 100;
const PAUSE: Duration = Duration::from_millis(5);
const SETTLE: Duration = Duration::from_millis(300);

/// The target: a change in another process at most twice the bare one.
const SPREAD_MAX: f64 = 2.0;
/// 1.0, with what the same loop differs from run to run.
const READ_MAX: f64 = 1.1;
