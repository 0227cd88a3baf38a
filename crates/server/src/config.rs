//! The configuration of a server, from its file, its environment and its arguments. Later sources take precedence.
//!
//! Every value knows its origin, so that an error names the place to fix, and a server can print its effective configuration. An
//! unknown key is an error: it is usually misspelled.

mod error;
mod file;
mod key;
mod values;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate::{Builder, Live, Tidegate};

use crate::limits;

pub use error::ConfigError;
pub use key::Key;
pub use values::StoreUrl;
use values::{
    address, connections, cors_origin, document, drift, follow, host, name, path, peer, source, span, store,
    without_secrets,
};

/// The effective configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where HTTP is served. Default: `127.0.0.1:8080`.
    pub listen: Setting<SocketAddr>,
    /// Whether HTTP may be served to other hosts, although it does not authenticate clients. Default: no.
    pub listen_unprotected: Setting<bool>,
    /// Where `/healthz` and `/readyz` are answered, too, whatever keeps `listen` busy. Default: nowhere.
    pub health_listen: Setting<Option<SocketAddr>>,
    /// Names under which this server is asked, besides `localhost` and the addresses that it listens on: those of gateways and
    /// of DNS. Default: none.
    pub hosts: Setting<Vec<String>>,
    /// Origins whose pages may evaluate flags over OFREP: `*` for every origin, `none`, or origins such as `https://shop.example`.
    /// Default: `*`.
    pub cors_origins: Setting<Vec<String>>,
    /// HTTP connections at once; fewer where the process may open few files. Default: [`limits::CONNECTIONS_MAX`].
    pub connections_max: Setting<usize>,
    /// How long a start waits for the first answers of the documents' sources and for a member of the cluster to compare itself
    /// with. Default: the library's, 5 s.
    pub startup_wait: Setting<Option<Duration>>,
    /// The data folder. Default: none, so that live changes are kept in memory only.
    pub data_dir: Setting<Option<PathBuf>>,
    /// The documents: paths, and URLs of `http`, `https` or (with the feature `zookeeper`) `zk`.
    pub documents: Setting<Vec<String>>,
    /// The Redis or Valkey through which live changes are shared: `redis://`, `rediss://` or `unix://`. Default: none.
    pub store: Setting<Option<StoreUrl>>,
    /// The servers that this one follows, in place of documents and a cluster.
    pub follow: Setting<Vec<String>>,
    /// The name of this node. Default: that of the host.
    pub name: Setting<Option<String>>,
    /// The name of the cluster. Default: the library's.
    pub cluster: Setting<Option<String>>,
    /// Where other nodes reach this one. Default: nowhere, so that this node is alone.
    pub cluster_listen: Setting<Option<SocketAddr>>,
    /// What other nodes are told about where this one is, `host:port`. Default: the library's.
    pub advertise: Setting<Option<String>>,
    /// Other nodes, `host:port`.
    pub peers: Setting<Vec<String>>,
    /// The folder with the certificates of the cluster.
    pub certificates: Setting<Option<PathBuf>>,
    /// Whether nodes on several hosts may do without certificates. Default: no.
    pub cluster_insecure: Setting<bool>,
    /// How far clocks may be apart. Default: the library's.
    pub max_drift: Setting<Option<Duration>>,
    /// A file with certificate authorities, in PEM, that documents at URLs may have besides those of the machine. Default: none.
    pub cacert: Setting<Option<PathBuf>>,
}

/// A value, and where it was said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it was said.
    pub origin: Origin,
}

/// Where a value was said.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Origin {
    /// Nowhere.
    #[error("the default")]
    Default,
    /// In the file.
    #[error("{}, line {line}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// By a variable of the environment.
    #[error("the variable {0}")]
    Environment(&'static str),
    /// By an argument.
    #[error("the argument {0}")]
    Argument(&'static str),
}

/// What was said with arguments; none and empty for what was not.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// `--listen`
    pub listen: Option<String>,
    /// `--listen-unprotected`
    pub listen_unprotected: bool,
    /// `--health-listen`
    pub health_listen: Option<String>,
    /// `--host`, each time
    pub hosts: Vec<String>,
    /// `--cors-origin`, each time
    pub cors_origins: Vec<String>,
    /// `--connections-max`
    pub connections_max: Option<String>,
    /// `--startup-wait`
    pub startup_wait: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--document`, each time
    pub documents: Vec<String>,
    /// `--store`
    pub store: Option<String>,
    /// `--follow`, each time
    pub follow: Vec<String>,
    /// `--name`
    pub name: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--cluster-listen`
    pub cluster_listen: Option<String>,
    /// `--advertise`
    pub advertise: Option<String>,
    /// `--peer`, each time
    pub peers: Vec<String>,
    /// `--certificates`
    pub certificates: Option<String>,
    /// `--cluster-insecure`
    pub cluster_insecure: bool,
    /// `--max-drift`
    pub max_drift: Option<String>,
    /// `--cacert`
    pub cacert: Option<String>,
}

/// A value as it was said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    key: Key,
    value: Value,
    origin: Origin,
}

/// What is said has one of three shapes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    Text(String),
    List(Vec<String>),
    Switch(bool),
}

impl Config {
    /// Puts the configuration together: `file`, if there is one, then what `environment` says of each variable, then the
    /// arguments. Lists are replaced as a whole.
    ///
    /// # Errors
    /// [`ConfigError`] names the place, the key and the remedy. Nothing was started.
    pub fn read(
        file: Option<&Path>,
        environment: impl Fn(&'static str) -> Option<String>,
        arguments: &Arguments,
    ) -> Result<Self, ConfigError> {
        let mut said = match file {
            Some(path) => file::read(path)?,
            None => Vec::new(),
        };
        for key in Key::ALL {
            // An empty variable is one that is not set: a service manager has no other way to say so.
            if let Some(text) = environment(key.variable()).filter(|text| !text.is_empty()) {
                said.push(Said::from_variable(key, text)?);
            }
        }
        said.extend(Said::from_arguments(arguments));
        Self::from_said(&said)
    }

    fn from_said(said: &[Said]) -> Result<Self, ConfigError> {
        let last = |key| said.iter().rfind(|said| said.key == key);
        let config = Self {
            listen: one(last(Key::Listen), LOCAL, address)?,
            listen_unprotected: switch(last(Key::ListenUnprotected)),
            health_listen: one(last(Key::HealthListen), None, |said, text| address(said, text).map(Some))?,
            hosts: list(last(Key::Hosts), host)?,
            cors_origins: list(last(Key::CorsOrigins), cors_origin)?.or_default(|| vec![ANY_ORIGIN.to_owned()]),
            connections_max: one(last(Key::ConnectionsMax), limits::CONNECTIONS_MAX, connections)?,
            startup_wait: one(last(Key::StartupWait), None, |said, text| span(said, text).map(Some))?,
            data_dir: one(last(Key::DataDir), None, |said, text| path(said, text).map(Some))?,
            documents: list(last(Key::Documents), document)?,
            store: one(last(Key::Store), None, |said, text| store(said, text).map(Some))?,
            follow: list(last(Key::Follow), follow)?,
            name: one(last(Key::Name), None, |said, text| name(said, text).map(Some))?,
            cluster: one(last(Key::Cluster), None, |said, text| name(said, text).map(Some))?,
            cluster_listen: one(last(Key::ClusterListen), None, |said, text| address(said, text).map(Some))?,
            advertise: one(last(Key::Advertise), None, |said, text| peer(said, text).map(Some))?,
            peers: list(last(Key::Peers), peer)?,
            certificates: one(last(Key::Certificates), None, |said, text| path(said, text).map(Some))?,
            cluster_insecure: switch(last(Key::ClusterInsecure)),
            max_drift: one(last(Key::MaxDrift), None, |said, text| drift(said, text).map(Some))?,
            cacert: one(last(Key::Cacert), None, |said, text| path(said, text).map(Some))?,
        };
        let listen = &config.listen;
        if !listen.value.ip().is_loopback() && !config.listen_unprotected.value {
            return Err(ConfigError::Unprotected { address: listen.value, origin: listen.origin.clone() });
        }
        if let (Some(text), None) = (&config.advertise.value, config.cluster_listen.value) {
            let origin = config.advertise.origin.clone();
            let (problem, help) = ("this node does not listen for others", "set `cluster_listen`, too");
            return Err(ConfigError::value(Key::Advertise, text, origin, problem, help));
        }
        config.check_follow()?;
        Ok(config)
    }

    /// A follower has its documents and its changes from its server.
    fn check_follow(&self) -> Result<(), ConfigError> {
        if self.follow.value.is_empty() {
            return Ok(());
        }
        let others = [
            (Key::Documents, !self.documents.value.is_empty()),
            (Key::DataDir, self.data_dir.value.is_some()),
            (Key::Store, self.store.value.is_some()),
            (Key::Peers, !self.peers.value.is_empty()),
            (Key::ClusterListen, self.cluster_listen.value.is_some()),
        ];
        let Some((key, _)) = others.into_iter().find(|(_, is_said)| *is_said) else { return Ok(()) };
        let shown: Vec<String> = self.follow.value.iter().map(|server| without_secrets(server)).collect();
        let (problem, help) = (
            format!("`{key}` is set, too, and a follower has documents and changes from its server"),
            format!("leave `{key}` out, or `follow`"),
        );
        Err(ConfigError::value(Key::Follow, &shown.join(", "), self.follow.origin.clone(), &problem, &help))
    }

    /// Every value with its key and its origin, for people and for the log. No value is secret: what is in a URL before its
    /// host, and after its path, is left out.
    pub fn lines(&self) -> Vec<(Key, String, Origin)> {
        fn line<T>(key: Key, setting: &Setting<T>, text: impl Fn(&T) -> String) -> (Key, String, Origin) {
            (key, text(&setting.value), setting.origin.clone())
        }
        let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
        let folder = |path: &Option<PathBuf>| path.as_ref().map_or(NONE.to_owned(), |path| path.display().to_string());
        let socket = |address: &Option<SocketAddr>| address.map_or(NONE.to_owned(), |address| address.to_string());
        let joined = |all: &Vec<String>| if all.is_empty() { NONE.to_owned() } else { all.join(", ") };
        let shown = |all: &Vec<String>| joined(&all.iter().map(|document| without_secrets(document)).collect());
        vec![
            line(Key::Listen, &self.listen, ToString::to_string),
            line(Key::ListenUnprotected, &self.listen_unprotected, ToString::to_string),
            line(Key::HealthListen, &self.health_listen, socket),
            line(Key::Hosts, &self.hosts, joined),
            line(Key::CorsOrigins, &self.cors_origins, joined),
            line(Key::ConnectionsMax, &self.connections_max, ToString::to_string),
            line(Key::StartupWait, &self.startup_wait, |wait| wait.map_or(NONE.to_owned(), |wait| format!("{wait:?}"))),
            line(Key::DataDir, &self.data_dir, folder),
            line(Key::Documents, &self.documents, shown),
            line(Key::Store, &self.store, |url| url.as_ref().map_or(NONE.to_owned(), ToString::to_string)),
            line(Key::Follow, &self.follow, shown),
            line(Key::Name, &self.name, optional),
            line(Key::Cluster, &self.cluster, optional),
            line(Key::ClusterListen, &self.cluster_listen, socket),
            line(Key::Advertise, &self.advertise, optional),
            line(Key::Peers, &self.peers, joined),
            line(Key::Certificates, &self.certificates, folder),
            line(Key::ClusterInsecure, &self.cluster_insecure, ToString::to_string),
            line(Key::MaxDrift, &self.max_drift, |drift| drift.map_or(NONE.to_owned(), |drift| format!("{drift:?}"))),
            line(Key::Cacert, &self.cacert, folder),
        ]
    }

    /// The library's builder for this configuration, with its documents and its live changes.
    ///
    /// # Errors
    /// A document is at a URL that is none, or the file with certificate authorities cannot be read.
    pub fn builder(&self) -> Result<Builder, ConfigError> {
        let mut builder = Tidegate::builder().serve_followers(self.name.value.clone().unwrap_or_default());
        let authorities = self.authorities()?;
        if self.follow.value.is_empty() {
            builder = builder.live(self.live(authorities.as_deref()));
        }
        for server in &self.follow.value {
            let wrong = |error: tidegate::SourceError| {
                let (origin, help) = (self.follow.origin.clone(), "name the URL of a server");
                ConfigError::value(Key::Follow, &without_secrets(server), origin, &error.to_string(), help)
            };
            builder = builder.follow(server).map_err(wrong)?;
        }
        for document in &self.documents.value {
            builder = builder.additional_source(source(document, &self.documents.origin)?);
        }
        if let Some(authorities) = authorities {
            builder = builder.root_certificates(authorities);
        }
        if let Some(wait) = self.startup_wait.value {
            builder = builder.startup_wait(wait);
        }
        Ok(builder)
    }

    /// The file with certificate authorities.
    fn authorities(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        let Some(path) = &self.cacert.value else { return Ok(None) };
        let unreadable = |problem: tidegate::FileProblem| {
            let (text, origin) = (path.display().to_string(), self.cacert.origin.clone());
            let help = "name a file with certificates in PEM";
            ConfigError::value(Key::Cacert, &text, origin, &format!("it {problem}"), help)
        };
        tidegate::read_file(path, CACERT_BYTES_MAX).map(Some).map_err(unreadable)
    }

    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "only Redis needs them"))]
    fn live(&self, authorities: Option<&[u8]>) -> Live {
        let mut live = match &self.data_dir.value {
            Some(folder) => Live::at(folder),
            None => Live::in_memory(),
        };
        if let Some(name) = &self.name.value {
            live = live.name(name);
        }
        if let Some(cluster) = &self.cluster.value {
            live = live.cluster(cluster);
        }
        if let Some(address) = self.cluster_listen.value {
            live = live.listen(address);
        }
        if let Some(address) = &self.advertise.value {
            live = live.advertise(address);
        }
        if let Some(folder) = &self.certificates.value {
            live = live.certificates(folder);
        }
        if self.cluster_insecure.value {
            live = live.insecure();
        }
        if let Some(drift) = self.max_drift.value {
            live = live.max_drift(drift);
        }
        #[cfg(feature = "redis")]
        if let Some(url) = &self.store.value {
            live = live.with_redis(url.with_secrets());
            if let Some(authorities) = authorities {
                live = live.redis_root_certificates(authorities);
            }
        }
        self.peers.value.iter().fold(live, Live::peer)
    }
}

impl Said {
    fn from_variable(key: Key, text: String) -> Result<Self, ConfigError> {
        let origin = Origin::Environment(key.variable());
        let value = match key.shape() {
            key::Shape::Text | key::Shape::Number => Value::Text(text),
            key::Shape::List => {
                Value::List(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            key::Shape::Switch => match text.as_str() {
                "true" | "1" => Value::Switch(true),
                "false" | "0" => Value::Switch(false),
                _ => {
                    return Err(ConfigError::value(
                        key,
                        &text,
                        origin,
                        "it is neither true nor false",
                        "say `true` or `false`",
                    ));
                }
            },
        };
        Ok(Self { key, value, origin })
    }

    fn from_arguments(arguments: &Arguments) -> Vec<Self> {
        let said = |key: Key, value| Self { key, value, origin: Origin::Argument(key.argument()) };
        let text = |key, text: &Option<String>| text.clone().map(|text| said(key, Value::Text(text)));
        let list = |key, all: &[String]| (!all.is_empty()).then(|| said(key, Value::List(all.to_vec())));
        let switch = |key, is_on: bool| is_on.then(|| said(key, Value::Switch(true)));
        let all = [
            text(Key::Listen, &arguments.listen),
            switch(Key::ListenUnprotected, arguments.listen_unprotected),
            text(Key::HealthListen, &arguments.health_listen),
            list(Key::Hosts, &arguments.hosts),
            list(Key::CorsOrigins, &arguments.cors_origins),
            text(Key::ConnectionsMax, &arguments.connections_max),
            text(Key::StartupWait, &arguments.startup_wait),
            text(Key::DataDir, &arguments.data_dir),
            text(Key::Store, &arguments.store),
            list(Key::Documents, &arguments.documents),
            list(Key::Follow, &arguments.follow),
            text(Key::Name, &arguments.name),
            text(Key::Cluster, &arguments.cluster),
            text(Key::ClusterListen, &arguments.cluster_listen),
            text(Key::Advertise, &arguments.advertise),
            list(Key::Peers, &arguments.peers),
            text(Key::Certificates, &arguments.certificates),
            switch(Key::ClusterInsecure, arguments.cluster_insecure),
            text(Key::MaxDrift, &arguments.max_drift),
            text(Key::Cacert, &arguments.cacert),
        ];
        all.into_iter().flatten().collect()
    }

    /// Paths of the file are meant from its folder, all others from the working folder.
    fn resolve(&self, path: &str) -> PathBuf {
        match &self.origin {
            Origin::File { path: file, .. } => file.parent().unwrap_or(Path::new("")).join(path),
            _ => PathBuf::from(path),
        }
    }

    fn wrong(&self, text: &str, problem: &str, help: &str) -> ConfigError {
        ConfigError::value(self.key, text, self.origin.clone(), problem, help)
    }
}

impl<T> Setting<T> {
    /// The same, with this value where none is set.
    fn or_default(self, default: impl FnOnce() -> T) -> Self {
        if self.origin == Origin::Default { Self { value: default(), ..self } } else { self }
    }
}

fn one<T>(
    said: Option<&Said>,
    default: T,
    read: impl Fn(&Said, &str) -> Result<T, ConfigError>,
) -> Result<Setting<T>, ConfigError> {
    match said {
        Some(said @ Said { value: Value::Text(text), origin, .. }) => {
            Ok(Setting { value: read(said, text)?, origin: origin.clone() })
        }
        // Shapes were looked at when it was said.
        _ => Ok(Setting { value: default, origin: Origin::Default }),
    }
}

fn list(
    said: Option<&Said>,
    read: impl Fn(&Said, &str) -> Result<String, ConfigError>,
) -> Result<Setting<Vec<String>>, ConfigError> {
    match said {
        Some(said @ Said { value: Value::List(all), origin, .. }) => {
            let value = all.iter().map(|text| read(said, text)).collect::<Result<_, _>>()?;
            Ok(Setting { value, origin: origin.clone() })
        }
        _ => Ok(Setting { value: Vec::new(), origin: Origin::Default }),
    }
}

fn switch(said: Option<&Said>) -> Setting<bool> {
    match said {
        Some(Said { value: Value::Switch(value), origin, .. }) => Setting { value: *value, origin: origin.clone() },
        _ => Setting { value: false, origin: Origin::Default },
    }
}

/// Where HTTP is served, and where the command line looks for it.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// All public authorities take a quarter of it.
const CACERT_BYTES_MAX: usize = 1024 * 1024;

/// Every origin may evaluate.
const ANY_ORIGIN: &str = "*";

/// What stands for a value that is not set.
const NONE: &str = "-";

#[cfg(test)]
mod tests;
