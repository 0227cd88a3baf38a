//! From a change of a node in ZooKeeper until its document is active, beside a bare client's watch in the same run.

#[path = "../cluster/show.rs"]
mod show;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidegate::Tidegate;
use tidegate_origin::ZooKeeperServer;
use tokio::runtime::{Builder, Runtime};
use zookeeper_client::{Acls, Client, CreateMode};

use show::{percentile, ratio, row};

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// When each version was seen.
type Seen = Arc<Mutex<Vec<(usize, Instant)>>>;

fn main() -> Outcome {
    let server = ZooKeeperServer::start();
    let (runtime, address) = (runtime()?, server.address());
    let writer = runtime.block_on(Client::connect(&address))?;
    let everybody = CreateMode::Persistent.with_acls(Acls::anyone_all());
    runtime.block_on(writer.create(NODE, document(0).as_bytes(), &everybody))?;
    let (bare, seen) = (Seen::default(), Seen::default());
    watch(&address, Arc::clone(&bare))?;
    let tide = Tidegate::builder().zookeeper(&format!("zk://{address}{NODE}"))?.without_cache().without_locks();
    // So seldom that whatever is seen was told by the watch.
    let tide = tide.poll_interval(Duration::from_hours(1)).connect()?;
    subscribe(&tide, Arc::clone(&seen));
    println!("{COUNT} changes of a node, one every {} ms", PAUSE.as_millis());
    let mut written = Vec::new();
    for version in 1..=COUNT {
        written.push((version, Instant::now()));
        runtime.block_on(writer.set_data(NODE, document(version).as_bytes(), None))?;
        thread::sleep(PAUSE);
    }
    thread::sleep(PAUSE * 10);
    let (mut bare, mut seen) = (times(&written, &bare)?, times(&written, &seen)?);
    let floor = row("floor: a bare client's watch, until it has the document", &mut bare);
    let active = row("until the document is active", &mut seen);
    ratio("beside the bare one", active, floor);
    let late = percentile(&mut seen, 99);
    if late > TARGET {
        return Err(format!("one change in a hundred takes {late:?} or more, not {TARGET:?}").into());
    }
    Ok(())
}

/// A document whose flag has this version.
fn document(version: usize) -> String {
    format!(r#"{{"features": {{"version": {{"stable": {version}}}}}}}"#)
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Follows the node without Tidegate.
fn watch(address: &str, seen: Seen) -> Outcome {
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(address))?;
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((data, _, watcher)) = client.get_and_watch_data(NODE).await {
                let at = Instant::now();
                let text = String::from_utf8_lossy(&data);
                let version = text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push((version, at));
                watcher.changed().await;
            }
        });
    });
    Ok(())
}

/// Notes when each version is active.
fn subscribe(tide: &Tidegate, seen: Seen) {
    let (tide, mut subscription) = (tide.clone(), tide.subscribe());
    thread::spawn(move || {
        while subscription.recv().is_ok() {
            let at = Instant::now();
            let version = tide.get("features", "version", "anybody", 0_usize);
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((version, at));
        }
    });
}

/// How long each change took to be seen; one that another has overtaken as long as that one.
fn times(written: &[(usize, Instant)], seen: &Seen) -> Outcome<Vec<Duration>> {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let took = |(version, began): &(usize, Instant)| {
        let at = seen.iter().find(|(found, _)| found >= version).map(|(_, at)| *at);
        at.map(|at| at.saturating_duration_since(*began))
            .ok_or_else(|| format!("version {version} was not seen").into())
    };
    written.iter().map(took).collect()
}

const NODE: &str = "/flags";
const COUNT: usize = 500;
const PAUSE: Duration = Duration::from_millis(30);

/// The longest that a change may take, but for one in a hundred.
const TARGET: Duration = Duration::from_millis(50);
