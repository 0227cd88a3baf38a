//! `tidegate serve`: runs the server, with its HTTP API and its node of the cluster.

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
use crate::source;

/// Run the server: HTTP API and cluster node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate serve --data-dir /var/lib/tidegate
  tidegate serve --document flags.json --document https://flags.example/app.json --data-dir state
  tidegate serve --follow https://flags-1.internal --follow https://flags-2.internal
  tidegate serve --store redis://127.0.0.1:6379
  tidegate serve --data-dir state --certificates certs/a --cluster-listen 10.0.0.7:7400 --peer 10.0.0.8:7400

Every option can also be set in the configuration file (`data_dir = \"state\"`) and in the environment \
(`TIDEGATE_DATA_DIR`). An option takes precedence over a variable, and a variable over the file. Without a data folder, changes \
are kept in memory and are lost when the server stops.

The log goes to standard error: connections of peers, every change with its actor, and every problem. TIDEGATE_LOG sets its \
level (`warn`, `debug`, or `tidegate=info,tidegate_mesh=debug`).

SIGTERM and Ctrl-C stop the server: running requests are finished, within 5 seconds.")]
pub(crate) struct Args {
    /// Listen on this address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// Allow --listen on an address that other hosts can reach, without authentication
    #[arg(long)]
    listen_unprotected: bool,

    /// Also answer /healthz and /readyz on this address, unaffected by the load of other requests [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    health_listen: Option<String>,

    /// Also answer requests for this host name, of a gateway or of DNS; can be given several times [default: localhost, and the
    /// addresses of --listen]
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Let pages of this origin evaluate flags over OFREP; can be given several times; `none` for no page [default: *]
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,

    /// Accept at most this many HTTP connections at once; fewer where the process may open few files [default: 16384]
    #[arg(long, value_name = "NUMBER")]
    connections_max: Option<String>,

    /// Wait at most this long at the start, for the documents and for a comparison with one member of the cluster [default: 5s]
    #[arg(long, value_name = "DURATION")]
    startup_wait: Option<String>,

    /// Store changes in this folder, which is created if needed
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,

    /// Share changes through this Redis or Valkey with all servers and programs that use it: `redis://HOST:PORT/DB`, `rediss://` with
    /// TLS, or `unix://PATH`. A URL with a password belongs in the variable `TIDEGATE_STORE` or in the configuration file
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// Serve the flags of this document, a path or a URL; can be given several times
    #[arg(long = "document", value_name = "SOURCE")]
    documents: Vec<String>,

    /// Follow this server of a cluster, a URL, in place of documents and a data folder: have all its flags, receive each change,
    /// and serve followers; can be given several times with servers of one cluster
    #[arg(long, value_name = "URL")]
    follow: Vec<String>,

    /// The name of this node [default: the name of the host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The name of the cluster [default: tidegate]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,

    /// Listen for other nodes of the cluster on this address [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    cluster_listen: Option<String>,

    /// The address at which other nodes reach this one, if it is not that of --cluster-listen: behind NAT, or a name
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,

    /// The address of another node of the cluster; one that answers is enough. Can be given several times; the address of this
    /// node itself is ignored
    #[arg(long = "peer", value_name = "HOST:PORT")]
    peers: Vec<String>,

    /// The folder with the certificate of this node, as `tidegate cluster init` makes it
    #[arg(long, value_name = "DIR")]
    certificates: Option<String>,

    /// Allow a cluster without certificates on an address that other hosts can reach: anyone there can change every flag
    #[arg(long)]
    cluster_insecure: bool,

    /// The largest difference between the clocks of the nodes, from 500ms to 1m; the same on all nodes [default: 5s]
    #[arg(long, value_name = "DURATION")]
    max_drift: Option<String>,

    /// Trust the certificate authorities in FILE (PEM) for documents at URLs and for Redis, in addition to those of this machine
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
            cors_origins: self.cors_origins.clone(),
            connections_max: self.connections_max.clone(),
            startup_wait: self.startup_wait.clone(),
            data_dir: self.data_dir.clone(),
            store: self.store.clone(),
            documents: self.documents.clone(),
            follow: self.follow.clone(),
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
    let is_kept = config.data_dir.value.is_some() || config.store.value.is_some();
    if !is_kept && config.follow.value.is_empty() {
        output.warning("no data folder: changes are lost when the server stops; set one with --data-dir");
    }
    // Before the network between nodes opens its sockets.
    let connections = config.connections_max.value;
    let mut options = Options::for_connections(connections, raise_file_limit(Options::files_for(connections), output));
    options.hosts.clone_from(&config.hosts.value);
    options.cors_origins.clone_from(&config.cors_origins.value);
    let stop = stop_signal()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed(&error))?;
    // Before the data folder is opened, so that a second server on the same port leaves no trace.
    let (listener, health) = {
        let _runtime = runtime.enter();
        let health = || config.health_listen.value.map(|address| listen(address, Key::HealthListen)).transpose();
        (listen(config.listen.value, Key::Listen)?, health()?)
    };
    let mut listeners = Listeners::new(listener);
    if let Some(listener) = health {
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        output.message(format_args!("answering health checks on http://{address}"));
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
        let tide = connected.map_err(|error| source::connect_failure(&error))?;
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

/// Stops everything within 5 s after the signal, whatever is still running.
fn shut_down(runtime: Runtime, tide: Tidegate, told: Option<Instant>, output: &mut Output) {
    let ends = told.unwrap_or_else(Instant::now) + STOP_MAX;
    let left = || ends.saturating_duration_since(Instant::now());
    // Work that blocks a thread is not waited for; the library finishes what it has begun.
    runtime.shutdown_timeout(RUNTIME_TIMEOUT.min(left()));
    // Dropping the last handle waits until everything that was accepted is on the disk.
    let (sender, gone) = mpsc::channel();
    let shut_down_library = move || {
        drop(tide);
        let _ = sender.send(());
    };
    let is_started = thread::Builder::new().name("shutdown".to_owned()).spawn(shut_down_library).is_ok();
    if is_started && gone.recv_timeout(left()).is_err() {
        output.warning("not everything was written to the disk in time; acknowledged changes were");
    }
}

fn listen(address: SocketAddr, key: Key) -> Result<TcpListener, Failure> {
    tidegate_server::listen(address).map_err(|error| {
        Failure::new(Exit::Failed, format_args!("cannot listen on {address}: {error}"))
            .help(format_args!("stop the program that listens there, or set another address with {}", key.argument()))
    })
}

/// Raises the limit of open files to what the server can use, as far as the system allows, and returns it. Few systems allow
/// more than 1,024 by default.
fn raise_file_limit(wanted: u64, output: &mut Output) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let asked = wanted;
    let wanted = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    let is_raised = current < wanted && setrlimit(Resource::Nofile, raised).is_ok();
    let files = if is_raised { wanted } else { current };
    if files < FILES_EXPECTED.min(asked) {
        output.warning(format_args!(
            "this process can open only {files} files, and accepts few connections; raise the limit (`ulimit -Hn`, \
             `LimitNOFILE=` of systemd) to {asked}"
        ));
    }
    files
}

/// Receives the instant of the signal to stop.
fn stop_signal() -> Result<watch::Receiver<Option<Instant>>, Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| failed(&error))?;
    let (sender, receiver) = watch::channel(None);
    let wait = move || {
        if signals.forever().next().is_some() {
            let _ = sender.send(Some(Instant::now()));
        }
        // Keep the sender: a closed channel is not a signal.
        sender
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(|error| failed(&error))?;
    Ok(receiver)
}

/// Completes when the process is told to stop.
async fn stop_requested(mut stop: watch::Receiver<Option<Instant>>) {
    let _ = stop.wait_for(Option::is_some).await;
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format_args!("the server failed: {error}"))
}

/// From the signal to the end of the process, which takes a moment more.
const STOP_MAX: Duration = Duration::from_millis(4_700);

/// For tasks to end after their connections.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(500);

/// The default of most systems.
const FILES_EXPECTED: u64 = 1_024;
