//! Nodes as processes, each in a network namespace of its own, on one bridge.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::http;
use super::ledger::Standing;
use super::redis::{REGISTERS, Redis};
use super::system::{address, call};

/// The nodes of one cluster, and room for one more process.
pub(super) struct Fleet {
    program: PathBuf,
    folder: PathBuf,
    logs: PathBuf,
    pub(super) nodes: Vec<Node>,
    /// A process that does not belong to the cluster, or should not.
    pub(super) extra: Option<Child>,
    /// Through which the nodes share their changes, if they have no links.
    pub(super) redis: Option<Redis>,
}

/// One node.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    child: Option<Child>,
    /// Odd while the node should answer; it rises each time that changes.
    pub(super) up: Arc<AtomicU64>,
}

/// How long it took, from the end of a fault on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Healed {
    /// Until all nodes held the same.
    pub(super) agreed: Duration,
    /// Until, besides, every node was connected to every other.
    pub(super) in_reach: Duration,
}

/// How a process is started.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    /// Words before the program, such as a tracer.
    pub(super) before: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
}

impl Fleet {
    /// Makes the network, the certificates and the folders, and starts all nodes.
    pub(super) fn start(count: usize, program: &Path, logs: Option<&Path>, has_redis: bool) -> Result<Self, String> {
        // Links between hosts are made in namespaces that this process has for itself.
        let folder = std::env::temp_dir().join(format!("tidegate-soak-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        call("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
        call("mount", &["-t", "tmpfs", "-o", "size=4g,mode=700", "tmpfs", &text(&folder)])?;
        call("ip", &["link", "set", "lo", "up"])?;
        call("ip", &["link", "add", "hub", "type", "bridge"])?;
        call("ip", &["link", "set", "hub", "up"])?;
        call("ip", &["addr", "add", "10.77.0.254/24", "dev", "hub"])?;
        let logs = logs.unwrap_or(&folder).to_owned();
        fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
        let mut fleet = Self { program: program.to_owned(), folder, logs, nodes: Vec::new(), extra: None, redis: None };
        for index in 0..=count {
            plug(index)?;
        }
        if has_redis {
            let redis = Redis::start(count, fleet.path("redis"), fleet.logs.join("redis.log"))?;
            fleet.redis = Some(redis);
        }
        let nodes: Vec<String> = (0..count).map(|index| format!("n{index}={}", address(index))).collect();
        let mut words = vec!["cluster", "init", "certs", "--cluster", "soak"];
        words.extend(nodes.iter().map(String::as_str));
        fleet.tidegate(&words)?;
        for index in 0..count {
            let name = format!("n{index}");
            let data = fleet.folder.join(&name);
            fs::create_dir(&data).map_err(|error| error.to_string())?;
            // A disk of its own, which can be full without the others being so.
            call("mount", &["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", &text(&data)])?;
            fleet.nodes.push(Node { name, address: address(index), child: None, up: Arc::default() });
        }
        for index in 0..count {
            fleet.launch(index, &Start::default())?;
        }
        for index in 0..count {
            fleet.wait_until_up(index)?;
        }
        fleet.wait_until_equal(Duration::from_secs(30))?;
        Ok(fleet)
    }

    /// Starts a node without waiting for it.
    pub(super) fn launch(&mut self, index: usize, start: &Start) -> Result<(), String> {
        let name = self.nodes[index].name.clone();
        let child = match &self.redis {
            None => self.spawn(index, &name, &name, &format!("certs/{name}"), "soak", start)?,
            Some(redis) => self.serve(index, &name, start, &["--cluster", "soak", "--store", &redis.url()])?,
        };
        self.nodes[index].child = Some(child);
        Ok(())
    }

    /// Starts any process in a namespace.
    pub(super) fn spawn(
        &self,
        space: usize,
        name: &str,
        data: &str,
        certificates: &str,
        cluster: &str,
        start: &Start,
    ) -> Result<Child, String> {
        let (own, mut peers) = (format!("{}:7400", address(space)), Vec::new());
        for peer in 0..self.nodes.len() {
            peers.extend(["--peer".to_owned(), format!("{}:7400", address(peer))]);
        }
        let mut words = vec!["--data-dir", data, "--cluster", cluster, "--certificates", certificates];
        words.extend(["--cluster-listen", &own]);
        words.extend(peers.iter().map(String::as_str));
        self.serve(space, name, start, &words)
    }

    /// Starts a server in a namespace.
    fn serve(&self, space: usize, name: &str, start: &Start, words: &[&str]) -> Result<Child, String> {
        let log = self.logs.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("s{space}")]).args(&start.before).arg(&self.program);
        command.args([
            "serve",
            "--name",
            name,
            "--listen-unprotected",
            "--listen",
            &format!("{}:8080", address(space)),
        ]);
        command.args(words).envs(start.environment.iter().cloned());
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        command.spawn().map_err(|error| format!("{name} does not start: {error}"))
    }

    /// Waits until a node answers reads: `/healthz` is answered before, while the node still starts.
    pub(super) fn wait_until_up(&mut self, index: usize) -> Result<(), String> {
        let to = self.nodes[index].http();
        let deadline = Instant::now() + LONGEST_WAIT;
        let path = "/api/v1/flags/soak/f0/decision?key=k";
        while !matches!(http::ask(to, "GET", path, "", SHORT), Ok((200 | 404, _))) {
            let node = &mut self.nodes[index];
            let ended = node.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(format!("{} ended instead of answering: {status}", node.name));
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not answer", self.nodes[index].name));
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.nodes[index].set_up(true);
        Ok(())
    }

    /// Ends a node at once, if it runs.
    pub(super) fn kill(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.set_up(false);
        if let Some(mut child) = node.child.take() {
            // A tracer lets go of what it traces when it dies, so that has to end first.
            signal_children(child.id(), "KILL");
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether a node's process has ended by itself.
    pub(super) fn has_ended(&mut self, index: usize) -> bool {
        let child = self.nodes[index].child.as_mut();
        child.is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    /// Sends a signal to a node.
    pub(super) fn signal(&self, index: usize, signal: &str) {
        if let Some(child) = &self.nodes[index].child {
            let _ = call("kill", &[&format!("-{signal}"), &child.id().to_string()]);
        }
    }

    /// Ends the extra process, if one runs.
    pub(super) fn end_extra(&mut self) {
        if let Some(mut extra) = self.extra.take() {
            let _ = extra.kill();
            let _ = extra.wait();
        }
    }

    /// Waits until the extra process has ended by itself; `None` if it still runs then.
    pub(super) fn wait_for_extra(&mut self, patience: Duration) -> Result<Option<ExitStatus>, String> {
        let deadline = Instant::now() + patience;
        let extra = self.extra.as_mut().ok_or("no extra process runs")?;
        loop {
            let ended = extra.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                return Ok(ended);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the extra process has started: until then it answers with 503.
    pub(super) fn wait_until_extra_answers(&self) -> Result<(), String> {
        let to = (address(self.spare()), 8080).into();
        let deadline = Instant::now() + EXTRA_START;
        loop {
            let state = http::ask(to, "GET", "/api/v1/cluster", "", SHORT);
            if matches!(state, Ok((200, _))) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the extra process does not start: {state:?}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The namespace that no node has.
    pub(super) fn spare(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command of the program, in the folder of the fleet.
    pub(super) fn tidegate(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.program).args(words).current_dir(&self.folder).output();
        let output = output.map_err(|error| format!("the program does not start: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(said) } else { Err(format!("tidegate {}: {said}", words.join(" "))) }
    }

    /// Waits until all nodes see each other and hold the same; how long it took.
    pub(super) fn wait_until_equal(&self, patience: Duration) -> Result<Healed, String> {
        if let Some(redis) = &self.redis {
            return self.wait_until_shared(redis, patience);
        }
        let began = Instant::now();
        // Writing has ended: once they agree, they stay so.
        let mut agreed = None;
        loop {
            let states: Vec<Option<String>> = self.nodes.iter().map(Node::state).collect();
            let own: Vec<Option<&str>> = states.iter().map(|state| own_digest(state.as_deref()?)).collect();
            let in_reach = |state: &Option<String>| {
                state
                    .as_deref()
                    .is_some_and(|state| state.matches("\"reachable\":true").count() + 1 >= self.nodes.len())
            };
            let is_equal = own[0].is_some() && own.iter().all(|digest| *digest == own[0]);
            agreed = is_equal.then(|| agreed.unwrap_or_else(|| began.elapsed()));
            if let Some(agreed) = agreed.filter(|_| states.iter().all(in_reach)) {
                return Ok(Healed { agreed, in_reach: began.elapsed() });
            }
            if began.elapsed() > patience {
                return Err(format!("the nodes do not agree after {patience:?}: {own:?}\n{states:#?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all nodes hold the same, are connected to Redis, and it has all that they hold.
    fn wait_until_shared(&self, redis: &Redis, patience: Duration) -> Result<Healed, String> {
        let began = Instant::now();
        let mut agreed = None;
        loop {
            let all: Vec<_> = (0..self.nodes.len()).map(|index| self.standing(index)).collect();
            let is_equal = all.iter().all(|one| one.is_ok() && *one == all[0]);
            agreed = is_equal.then(|| agreed.unwrap_or_else(|| began.elapsed()));
            let states: Vec<Option<String>> = self.nodes.iter().map(Node::state).collect();
            let held = redis.ask(&["HLEN", REGISTERS])?;
            let is_settled = |state: &Option<String>| is_settled(state.as_deref().unwrap_or_default(), &held);
            if let Some(agreed) = agreed.filter(|_| states.iter().all(is_settled)) {
                return Ok(Healed { agreed, in_reach: began.elapsed() });
            }
            if began.elapsed() > patience {
                return Err(format!(
                    "the nodes do not agree after {patience:?}, Redis has {held} registers: {all:#?}\n{states:#?}"
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What stands at a node, flag by flag.
    pub(super) fn standing(&self, index: usize) -> Result<BTreeMap<usize, Standing>, String> {
        let (_, text) =
            http::ask(self.nodes[index].http(), "GET", "/api/v1/flags", "", LONG).map_err(|error| error.to_string())?;
        let mut standing = BTreeMap::new();
        for part in text.split("{\"flag\":").skip(1) {
            let flag = part.strip_prefix("\"soak/f").and_then(|flag| flag.split('"').next()?.parse().ok());
            let (percentage, stamp) = (http::member(part, "percentage"), http::member(part, "stamp"));
            if let (Some(flag), Some(percentage), Some(stamp)) = (flag, percentage, stamp) {
                standing.insert(flag, Standing { stamp: stamp.to_owned(), percentage: percentage.to_owned() });
            }
        }
        Ok(standing)
    }

    /// The last lines of every log.
    pub(super) fn logs(&self) -> String {
        let mut all = String::new();
        for node in &self.nodes {
            let log = fs::read_to_string(self.logs.join(format!("{}.log", node.name))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(LOG_LINES);
            all.extend(["--- ", &node.name, "\n", &lines[last..].join("\n"), "\n"]);
        }
        if let Some(redis) = &self.redis {
            let log = fs::read_to_string(redis.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(LOG_LINES);
            all.extend(["--- Redis\n", &lines[last..].join("\n"), "\n"]);
        }
        all
    }
}

impl Node {
    pub(super) fn http(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.address), 8080)
    }

    /// Says whether the node should answer from now on.
    pub(super) fn set_up(&self, is_up: bool) {
        let now = self.up.load(Ordering::SeqCst);
        if (now % 2 == 1) != is_up {
            self.up.store(now + 1, Ordering::SeqCst);
        }
    }

    /// What it says of the cluster.
    pub(super) fn state(&self) -> Option<String> {
        let (status, text) = http::ask(self.http(), "GET", "/api/v1/cluster", "", SHORT).ok()?;
        (status == 200).then_some(text)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end_extra();
        drop(self.redis.take());
        for index in 0..self.nodes.len() {
            self.kill(index);
        }
        for node in &self.nodes {
            let _ = call("umount", &["-l", &text(&self.folder.join(&node.name))]);
        }
        let _ = call("umount", &["-l", &text(&self.folder)]);
        let _ = fs::remove_dir(&self.folder);
    }
}

/// A namespace with a link to the hub.
fn plug(index: usize) -> Result<(), String> {
    let (space, near, far) = (format!("s{index}"), format!("near{index}"), format!("far{index}"));
    call("ip", &["netns", "add", &space])?;
    call("ip", &["link", "add", &near, "type", "veth", "peer", "name", &far])?;
    call("ip", &["link", "set", &far, "netns", &space])?;
    call("ip", &["link", "set", &near, "master", "hub"])?;
    call("ip", &["link", "set", &near, "up"])?;
    let within = |words: &[&str]| call("ip", &[&["netns", "exec", &space, "ip"], words].concat());
    within(&["link", "set", "lo", "up"])?;
    within(&["addr", "add", &format!("{}/24", address(index)), "dev", &far])?;
    within(&["link", "set", &far, "up"])
}

/// What a node no longer hears: everything from these others. Rules of before are taken back.
pub(super) fn deafen(index: usize, to: &[usize]) -> Result<(), String> {
    let space = format!("s{index}");
    let nft = |words: &[&str]| call("ip", &[&["netns", "exec", &space, "nft"], words].concat());
    nft(&["flush", "ruleset"])?;
    if to.is_empty() {
        return Ok(());
    }
    nft(&["add", "table", "inet", "soak"])?;
    nft(&["add", "chain", "inet", "soak", "in", "{ type filter hook input priority 0; }"])?;
    let from: Vec<String> = to.iter().map(|other| address(*other).to_string()).collect();
    nft(&["add", "rule", "inet", "soak", "in", "ip", "saddr", &format!("{{ {} }}", from.join(", ")), "drop"])
}

/// Whether a node is connected to Redis, and has nothing that Redis with as many registers does not have.
fn is_settled(state: &str, held: &str) -> bool {
    let (node, redis) = (state.split_once("\"node\":{"), state.split_once("\"redis\":{"));
    let (Some((_, node)), Some((_, redis))) = (node, redis) else { return false };
    http::member(redis, "connected") == Some("true")
        && http::member(redis, "waiting") == Some("0")
        && http::member(node, "registers") == Some(held)
}

/// The digest of the node that was asked.
fn own_digest(state: &str) -> Option<&str> {
    http::member(state.split_once("\"node\":{").map(|(_, node)| node)?, "digest")
}

/// Sends a signal to the children of a process.
fn signal_children(parent: u32, signal: &str) {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    for child in children.split_whitespace() {
        let _ = call("kill", &[&format!("-{signal}"), child]);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Far above what a loaded machine needs.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// An extra process that reaches no node waits for `startup_wait`, whose default is half of this.
const EXTRA_START: Duration = Duration::from_secs(10);
pub(super) const SHORT: Duration = Duration::from_secs(2);
pub(super) const LONG: Duration = Duration::from_secs(20);

/// The part of each log that is shown when something failed.
const LOG_LINES: usize = 15;
