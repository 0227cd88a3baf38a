//! `tidegate serve`: a node that any language can ask over HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate::Tidegate;
use tidegate_server::config::Key;
use tidegate_server::{Arguments, Config, ConfigError, Listeners, Options, Server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::exit::{Exit, Failure, Outcome, chain};
use crate::log;
use crate::output::Output;

/// Answer over HTTP, and take changes while it runs
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate serve --data-dir /var/lib/tidegate
  tidegate serve --document flags.json --document https://flags.example/app.json --data-dir state
  tidegate serve --data-dir state --certificates certs/a --cluster-listen 10.0.0.7:7400 --peer 10.0.0.8:7400

Every option can also stand in the configuration file (`data_dir = \"state\"`) and in the environment \
(`TIDEGATE_DATA_DIR`); an option goes before a variable, and a variable before the file. Without a data folder, changes \
are kept in memory and are gone when the server ends.

The log goes to standard error: peers that come and go, every change with who made it, and all that is wrong. TIDEGATE_LOG says \
how much of it (`warn`, `debug`, or `tidegate=info,tidegate_mesh=debug`).

SIGTERM and Ctrl-C end it: requests under way are finished, within 5 seconds.")]
pub(crate) struct Args {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// Listen on an address that other hosts can reach, although nobody has to say who he is
    #[arg(long)]
    listen_unprotected: bool,

    /// Answer /healthz and /readyz on this address too, unaffected by the load of other requests [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    health_listen: Option<String>,

    /// Answer requests for this host name, too: that of a gateway or of DNS. May be given several times [default: localhost,
    /// and the addresses that it listens on]
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Wait at the start for the documents, and for a member of the cluster to compare with, at most that long [default: 5s]
    #[arg(long, value_name = "DURATION")]
    startup_wait: Option<String>,

    /// Keep changes in this folder, which is made if need be
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,

    /// Serve the flags of this document, a path or a URL; may be given several times
    #[arg(long = "document", value_name = "SOURCE")]
    documents: Vec<String>,

    /// What this node is called [default: the name of the host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// What the cluster is called [default: tidegate]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,

    /// Where other nodes of the cluster reach this one [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    cluster_listen: Option<String>,

    /// What other nodes are told about where this one is, if that is not where it listens: behind NAT, or a name
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,

    /// Another node of the cluster, where it listens for others; one that answers is enough. May be given several times, this
    /// node's own included
    #[arg(long = "peer", value_name = "HOST:PORT")]
    peers: Vec<String>,

    /// The folder with this node's certificate, as `tidegate cluster init` makes it
    #[arg(long, value_name = "DIR")]
    certificates: Option<String>,

    /// Do without certificates although other hosts can reach this node: whoever reaches it can change every flag
    #[arg(long)]
    cluster_insecure: bool,

    /// How far the clocks of the nodes may be apart, from 500ms to 1m; the same on all nodes [default: 5s]
    #[arg(long, value_name = "DURATION")]
    max_drift: Option<String>,

    /// Trust the certificate authorities in FILE, in PEM, besides those of this machine, for documents at URLs
    #[arg(long, value_name = "FILE")]
    cacert: Option<String>,

    /// Read the configuration from this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Args {
    fn config(&self) -> Result<Config, ConfigError> {
        let arguments = Arguments {
            listen: self.listen.clone(),
            listen_unprotected: self.listen_unprotected,
            health_listen: self.health_listen.clone(),
            hosts: self.hosts.clone(),
            startup_wait: self.startup_wait.clone(),
            data_dir: self.data_dir.clone(),
            documents: self.documents.clone(),
            name: self.name.clone(),
            cluster: self.cluster.clone(),
            cluster_listen: self.cluster_listen.clone(),
            advertise: self.advertise.clone(),
            peers: self.peers.clone(),
            certificates: self.certificates.clone(),
            cluster_insecure: self.cluster_insecure,
            max_drift: self.max_drift.clone(),
            cacert: self.cacert.clone(),
        };
        Config::read(self.config.as_deref(), |name| std::env::var(name).ok(), &arguments)
    }
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let config = args.config().map_err(|error| Failure::usage(chain(&error)))?;
    log::start()?;
    let builder = config.builder().map_err(|error| Failure::usage(chain(&error)))?;
    if config.data_dir.value.is_none() {
        output.warning("there is no data folder: changes are gone when the server ends; name one with --data-dir");
    }
    // Before the network between nodes takes its share.
    let mut options = Options::for_files(raise_file_limit(output));
    options.hosts.clone_from(&config.hosts.value);
    let stop = stop_signal()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed(&error))?;
    // Taken before the data folder is, so that a second server on one port fails without a trace.
    let mut listeners = Listeners::new(runtime.block_on(listen(config.listen.value, Key::Listen))?);
    let health = config.health_listen.value.map(|address| runtime.block_on(listen(address, Key::HealthListen)));
    if let Some(listener) = health.transpose()? {
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        output.message(format_args!("answering for health on http://{address}"));
        listeners = listeners.health(listener);
    }
    let address = listeners.address().map_err(|error| failed(&error))?;
    output.flush()?;
    // From here on probes are answered, also while the library waits for documents and for the cluster.
    let server = runtime.block_on(async { Server::start(listeners, options) }).map_err(|error| failed(&error))?;
    let connecting = runtime.spawn_blocking(move || builder.connect());
    let connected = runtime.block_on(async {
        tokio::select! {
            connected = connecting => Some(connected),
            () = stop_requested(stop.clone()) => None,
        }
    });
    if let Some(connected) = connected {
        let connected = connected.map_err(|error| failed(&io::Error::other(error)))?;
        let tide = connected.map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
        server.open(tide.clone());
        output.message(format_args!("listening on http://{address}"));
        output.flush()?;
        runtime.block_on(server.run_until(stop_requested(stop.clone())));
        shut_down(runtime, tide, *stop.borrow(), output);
    } else {
        drop(server);
        runtime.shutdown_timeout(RUNTIME_TIMEOUT);
    }
    output.message("stopped");
    Ok(Exit::Success)
}

/// Lets everything go, within 5 s after the process was told to end, whatever is still at work.
fn shut_down(runtime: Runtime, tide: Tidegate, told: Option<Instant>, output: &mut Output) {
    let ends = told.unwrap_or_else(Instant::now) + STOP_MAX;
    let left = || ends.saturating_duration_since(Instant::now());
    // Work that blocks a thread is not waited for; what it has begun is the library's to finish.
    runtime.shutdown_timeout(RUNTIME_TIMEOUT.min(left()));
    // The last handle waits until everything that was accepted is on the disk.
    let (sender, gone) = mpsc::channel();
    let shut_down_library = move || {
        drop(tide);
        let _ = sender.send(());
    };
    let is_started = thread::Builder::new().name("shutdown".to_owned()).spawn(shut_down_library).is_ok();
    if is_started && gone.recv_timeout(left()).is_err() {
        output.warning("the disk did not take everything in time; what was acknowledged is on it");
    }
}

async fn listen(address: SocketAddr, key: Key) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Exit::Failed, format_args!("cannot listen on {address}: {error}"))
            .help(format_args!("stop what listens there, or name another address with {}", key.argument()))
    })
}

/// Raises the number of files that this process may open to what its parts can use, as far as it may, and returns it. Few
/// systems allow a process more than 1,024 unless it asks.
fn raise_file_limit(output: &mut Output) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = FILES_WANTED.min(limit.maximum.unwrap_or(u64::MAX));
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    let is_raised = current < wanted && setrlimit(Resource::Nofile, raised).is_ok();
    let files = if is_raised { wanted } else { current };
    if files < FILES_EXPECTED {
        output.warning(format_args!(
            "this process may open only {files} files, so it takes few connections; raise the limit (`ulimit -Hn`, \
             `LimitNOFILE=` of systemd) to {FILES_WANTED}"
        ));
    }
    files
}

/// Has the instant at which the process is told to end.
fn stop_signal() -> Result<watch::Receiver<Option<Instant>>, Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| failed(&error))?;
    let (sender, receiver) = watch::channel(None);
    let wait = move || {
        if signals.forever().next().is_some() {
            let _ = sender.send(Some(Instant::now()));
        }
        // Its end is no signal.
        sender
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(|error| failed(&error))?;
    Ok(receiver)
}

/// Ready when the process is told to end.
async fn stop_requested(mut stop: watch::Receiver<Option<Instant>>) {
    let _ = stop.wait_for(Option::is_some).await;
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format_args!("the server cannot go on: {error}"))
}

/// From the signal to the end of the process; it takes a moment more to be gone.
const STOP_MAX: Duration = Duration::from_millis(4_700);

/// For tasks to end when their connections have.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(500);

/// All connections of clients, of nodes and of strangers at the port of the cluster, four times over: each of these has a
/// limit of its own.
const FILES_WANTED: u64 = 16_384;

/// What every system gives a process without being asked.
const FILES_EXPECTED: u64 = 1_024;
