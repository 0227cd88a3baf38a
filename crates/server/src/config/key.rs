//! The keys, with their names in the file, in the environment and among the arguments.

use std::fmt;

/// A key of the configuration. [`Display`](fmt::Display) is its name in the file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Key {
    /// Where HTTP is served.
    Listen,
    /// Whether HTTP may be served to other hosts.
    ListenUnprotected,
    /// Where health is answered apart.
    HealthListen,
    /// Names under which this server is asked.
    Hosts,
    /// Origins whose pages may evaluate flags.
    CorsOrigins,
    /// How many connections there may be.
    ConnectionsMax,
    /// How long a start waits.
    StartupWait,
    /// The data folder.
    DataDir,
    /// The documents.
    Documents,
    /// The Redis through which live changes are shared.
    Store,
    /// The servers that this one follows.
    Follow,
    /// The name of this node.
    Name,
    /// The name of the cluster.
    Cluster,
    /// Where other nodes reach this one.
    ClusterListen,
    /// What others are told about where this node is.
    Advertise,
    /// Other nodes.
    Peers,
    /// The certificates of the cluster.
    Certificates,
    /// Whether nodes may do without certificates.
    ClusterInsecure,
    /// How far clocks may be apart.
    MaxDrift,
    /// Further certificate authorities.
    Cacert,
}

/// What shape a value has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Text,
    List,
    Switch,
    /// A whole number, also as a text.
    Number,
}

impl Key {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 20] = [
        Self::Listen,
        Self::ListenUnprotected,
        Self::HealthListen,
        Self::Hosts,
        Self::CorsOrigins,
        Self::ConnectionsMax,
        Self::StartupWait,
        Self::DataDir,
        Self::Documents,
        Self::Store,
        Self::Follow,
        Self::Name,
        Self::Cluster,
        Self::ClusterListen,
        Self::Advertise,
        Self::Peers,
        Self::Certificates,
        Self::ClusterInsecure,
        Self::MaxDrift,
        Self::Cacert,
    ];

    /// Its name in the file, its variable, its argument.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Listen => ("listen", "TIDEGATE_LISTEN", "--listen"),
            Self::ListenUnprotected => ("listen_unprotected", "TIDEGATE_LISTEN_UNPROTECTED", "--listen-unprotected"),
            Self::HealthListen => ("health_listen", "TIDEGATE_HEALTH_LISTEN", "--health-listen"),
            Self::Hosts => ("hosts", "TIDEGATE_HOSTS", "--host"),
            Self::CorsOrigins => ("cors_origins", "TIDEGATE_CORS_ORIGINS", "--cors-origin"),
            Self::ConnectionsMax => ("connections_max", "TIDEGATE_CONNECTIONS_MAX", "--connections-max"),
            Self::StartupWait => ("startup_wait", "TIDEGATE_STARTUP_WAIT", "--startup-wait"),
            Self::DataDir => ("data_dir", "TIDEGATE_DATA_DIR", "--data-dir"),
            Self::Documents => ("documents", "TIDEGATE_DOCUMENTS", "--document"),
            Self::Store => ("store", "TIDEGATE_STORE", "--store"),
            Self::Follow => ("follow", "TIDEGATE_FOLLOW", "--follow"),
            Self::Name => ("name", "TIDEGATE_NAME", "--name"),
            Self::Cluster => ("cluster", "TIDEGATE_CLUSTER", "--cluster"),
            Self::ClusterListen => ("cluster_listen", "TIDEGATE_CLUSTER_LISTEN", "--cluster-listen"),
            Self::Advertise => ("advertise", "TIDEGATE_ADVERTISE", "--advertise"),
            Self::Peers => ("peers", "TIDEGATE_PEERS", "--peer"),
            Self::Certificates => ("certificates", "TIDEGATE_CERTIFICATES", "--certificates"),
            Self::ClusterInsecure => ("cluster_insecure", "TIDEGATE_CLUSTER_INSECURE", "--cluster-insecure"),
            Self::MaxDrift => ("max_drift", "TIDEGATE_MAX_DRIFT", "--max-drift"),
            Self::Cacert => ("cacert", "TIDEGATE_CACERT", "--cacert"),
        }
    }

    /// Its name in the file.
    pub const fn as_str(self) -> &'static str {
        self.names().0
    }

    /// Its variable of the environment.
    pub const fn variable(self) -> &'static str {
        self.names().1
    }

    /// Its argument.
    pub const fn argument(self) -> &'static str {
        self.names().2
    }

    pub(super) const fn shape(self) -> Shape {
        match self {
            Self::Hosts | Self::CorsOrigins | Self::Documents | Self::Follow | Self::Peers => Shape::List,
            Self::ListenUnprotected | Self::ClusterInsecure => Shape::Switch,
            Self::ConnectionsMax => Shape::Number,
            _ => Shape::Text,
        }
    }

    /// The port that examples use.
    pub(super) const fn default_port(self) -> u16 {
        match self {
            Self::ClusterListen => 7400,
            Self::HealthListen => 8081,
            _ => 8080,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
