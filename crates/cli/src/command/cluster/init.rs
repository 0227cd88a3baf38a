//! `tidegate cluster init`: makes the certificates by which the nodes of a cluster authenticate each other.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;
use tidegate::Micros;
use tidegate::authority::{Authority, Issued};

use crate::args::{Format, FormatArg};
use crate::exit::{Exit, Failure, Outcome, chain};
use crate::output::Output;
use crate::source;
use crate::table::{Cell, Table};
use crate::text::escape;

/// Make a certificate authority for a cluster, and a certificate for each node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster init certs a=10.0.0.7 b=10.0.0.8 c=node-c.example,10.0.0.9
  tidegate cluster init certs a=127.0.0.1:7401 b=127.0.0.1:7402 c=127.0.0.1:7403
  tidegate cluster init certs d=10.0.0.10
  tidegate cluster init certs --renew a --renew b
  tidegate cluster init new --nodes-of certs

The command only writes files. It overwrites none but the `node.pem` of a node that is renewed. DIR/authority has the certificate authority, which is valid for ten years; \
its key can create nodes, so do not copy it to them. DIR/NODE has the certificate of a node, for `tidegate serve \
--certificates`; it is valid for at most a year. The certificates of a cluster expire a week apart, so that an expiry that was \
overlooked affects one node. A renewed node keeps its key and its id, and uses the new certificate within five seconds, without \
a restart. --nodes-of makes an authority that replaces another one: the nodes keep their ids and hosts, and get new keys.")]
pub(crate) struct Args {
    /// The folder for the certificates
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// A node, and the hosts at which other nodes reach it: names or addresses, the first with its port if that is not
    /// 7400; the default is the node's name
    #[arg(value_name = "NODE[=HOST[:PORT],...]", required_unless_present_any = ["renew", "nodes_of"])]
    nodes: Vec<String>,

    /// The name of the cluster
    #[arg(long, value_name = "NAME", default_value = tidegate::DEFAULT_CLUSTER)]
    cluster: String,

    /// Renew the certificate of this node; can be given several times
    #[arg(long, value_name = "NODE")]
    renew: Vec<String>,

    /// Make a certificate for each node in this folder of another authority, with the same id and the same hosts
    #[arg(long, value_name = "DIR", conflicts_with = "renew")]
    nodes_of: Option<PathBuf>,

    #[command(flatten)]
    format: FormatArg,
}

/// A node in the JSON output.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    id: String,
    folder: String,
    expires: Micros,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    let now = u64::try_from(source::now().get() / 1_000_000).unwrap_or(0);
    let failed = |error| Failure::new(Exit::Failed, chain(&error));
    let mut nodes: Vec<(&str, Vec<HostPort>, Vec<String>)> = Vec::new();
    for node in &args.nodes {
        let (name, hosts) = node.split_once('=').unwrap_or((node, node));
        let addresses: Vec<HostPort> = hosts.split(',').map(HostPort::parse).collect();
        let hosts: Vec<String> = addresses.iter().map(|address| address.host.clone()).collect();
        // Before anything is made, so that the command can be repeated once a mistake is fixed.
        Authority::check(name, &hosts).map_err(failed)?;
        if nodes.iter().any(|(other, ..)| *other == name) {
            return Err(Failure::usage(format_args!("the node `{}` is given twice", escape(name))));
        }
        nodes.push((name, addresses, hosts));
    }
    let taken_over = args.nodes_of.as_deref().map(Authority::nodes_in).transpose().map_err(failed)?.unwrap_or_default();
    if let Some(folder) = args.nodes_of.as_ref().filter(|_| taken_over.is_empty()) {
        return Err(Failure::usage(format_args!("no nodes in `{}`", escape(&folder.display().to_string()))));
    }
    let is_new = !Authority::is_in(&args.folder);
    let authority = if is_new {
        if !args.renew.is_empty() {
            let folder = args.folder.display();
            return Err(Failure::usage(format_args!("no authority in `{folder}`, so there is nothing to renew")));
        }
        Authority::create(&args.folder, &args.cluster, now)
    } else {
        Authority::open(&args.folder, &args.cluster)
    };
    let authority = authority.map_err(failed)?;
    let mut made: Vec<Made<'_>> = Vec::new();
    for name in &args.renew {
        made.push(Made { name, address: None, issued: authority.renew(name, now).map_err(failed)? });
    }
    for (name, node, hosts) in &taken_over {
        made.push(Made { name, address: None, issued: authority.issue_as(*node, name, hosts, now).map_err(failed)? });
    }
    for (name, addresses, hosts) in nodes {
        let issued = authority.issue(name, &hosts, now).map_err(failed)?;
        made.push(Made { name, address: addresses.into_iter().next(), issued });
    }
    match args.format.format {
        Format::Json => {
            for Made { name, issued, .. } in &made {
                let (id, folder) = (issued.node.to_string(), issued.folder.display().to_string());
                output.json(&Line { name, id, folder, expires: at(issued.expires) })?;
            }
        }
        Format::Human => {
            let mut table = Table::new(&["NODE", "ID", "FOLDER", "EXPIRES"]);
            for Made { name, issued, .. } in &made {
                let folder = issued.folder.display().to_string();
                table.row([
                    Cell::new(*name),
                    Cell::new(issued.node.to_string()),
                    Cell::new(escape(&folder)),
                    Cell::new(day(issued.expires)),
                ]);
            }
            output.table(&table)?;
            warn_of_common_expiry(&made, output);
            print_next_steps(args, is_new, &authority, &made, output);
        }
    }
    Ok(Exit::Success)
}

/// A node whose certificate was made.
struct Made<'a> {
    name: &'a str,
    /// Where other nodes reach it, if it is new.
    address: Option<HostPort>,
    issued: Issued,
}

/// A host and a port.
struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    fn parse(text: &str) -> Self {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        // An IPv6 address has colons of its own.
        let is_address = bare.parse::<IpAddr>().is_ok();
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if !is_address => {
                let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
                Self { host: host.to_owned(), port }
            }
            _ => Self { host: bare.to_owned(), port: PORT },
        }
    }

    /// Where the node itself listens: for a name, on all addresses.
    fn listen(&self) -> SocketAddr {
        let ip = self.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        SocketAddr::new(ip, self.port)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

/// In a large cluster not all expiry dates can differ.
fn warn_of_common_expiry(made: &[Made<'_>], output: &mut Output) {
    let mut days: BTreeMap<String, usize> = BTreeMap::new();
    for made in made {
        *days.entry(day(made.issued.expires)).or_default() += 1;
    }
    for (day, count) in days.into_iter().filter(|(_, count)| *count > 1) {
        output.warning(format_args!("{count} certificates expire on {day}; renew them before, not all on one day"));
    }
}

/// Prints how to start the nodes.
fn print_next_steps(args: &Args, is_new: bool, authority: &Authority, made: &[Made<'_>], output: &mut Output) {
    if is_new {
        let folder = args.folder.display().to_string();
        output.message(format_args!(
            "`{}/authority` is the certificate authority of the cluster, valid until {}; do not copy its key to the nodes",
            escape(&folder),
            day(authority.expires())
        ));
    }
    let cluster = if args.cluster == tidegate::DEFAULT_CLUSTER {
        String::new()
    } else {
        format!(" --cluster '{}'", escape(&args.cluster))
    };
    let addresses = made.iter().filter_map(|made| made.address.as_ref());
    let peers = addresses.fold(String::new(), |peers, address| peers + " --peer " + &address.to_string());
    for Made { name, address, issued } in made {
        let Some(address) = address else { continue };
        let folder = issued.folder.display().to_string();
        output.message(format_args!(
            "start {name} with: tidegate serve --name {name} --data-dir DIR{cluster} --certificates {} --cluster-listen \
             {}{}",
            escape(&folder),
            address.listen(),
            escape(&peers)
        ));
    }
}

fn at(seconds: u64) -> Micros {
    Micros::new(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

fn day(seconds: u64) -> String {
    at(seconds).to_string().chars().take_while(|letter| *letter != 'T').collect()
}

/// The port that examples use.
const PORT: u16 = 7_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (text, host, listen, shown) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.7:7400", "10.0.0.7:7400"),
            ("10.0.0.7:1", "10.0.0.7", "10.0.0.7:1", "10.0.0.7:1"),
            ("node-c.example:1", "node-c.example", "0.0.0.0:1", "node-c.example:1"),
            ("fd00::7", "fd00::7", "[fd00::7]:7400", "[fd00::7]:7400"),
            ("[fd00::7]", "fd00::7", "[fd00::7]:7400", "[fd00::7]:7400"),
            ("[fd00::7]:1", "fd00::7", "[fd00::7]:1", "[fd00::7]:1"),
        ] {
            let address = HostPort::parse(text);
            assert_eq!(
                (address.host.as_str(), address.listen(), address.to_string().as_str()),
                (host, listen.parse().unwrap(), shown)
            );
        }
    }
}
