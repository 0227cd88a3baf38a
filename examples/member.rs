//! A cluster member inside a service: ready when it has its flags, and stopped with nothing lost.
//!
//!     cargo run -p tidegate --features cluster --example member -- /tmp/member
//!
//! Alone it is a cluster of one, and is started twice. With the address to listen at, the folder of its certificates (`tidegate cluster init`) and
//! the addresses of other members it joins them:
//!
//!     cargo run -p tidegate --features cluster --example member -- DATA 10.0.0.1:7400 CERTIFICATES b.example:7400

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use tidegate::{Level, Live, Tidegate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().map_or("/tmp/tidegate-member", String::as_str);
    let [_, listen, certificates, peers @ ..] = arguments.as_slice() else {
        return run(Path::new(folder), &mut io::stdout());
    };
    let live = Live::at(folder).name("shop-1").listen(listen.parse()?).certificates(certificates);
    serve(peers.iter().fold(live, Live::peer), &mut io::stdout())
}

/// The service twice in one folder, alone: its second life finds the change of the first.
pub(crate) fn run(folder: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    serve(Live::at(folder).name("shop-1"), out)?;
    serve(Live::at(folder).name("shop-1"), out)
}

/// One life of the service.
fn serve(live: Live, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    // Waits for the first comparison with another member, at most as long as `startup_wait` says. It does not fail where
    // none is reachable: the member answers with what is in its folder.
    let tide = Tidegate::builder().live(live).startup_wait(Duration::from_secs(5)).without_locks().connect()?;

    // What a readiness probe answers. `synced` says whether the node has compared itself with a member since its start.
    let synced = tide.cluster().is_some_and(|cluster| cluster.is_synced());
    writeln!(out, "ready: {}, synced: {synced}", tide.is_ready())?;
    writeln!(out, "checkout for ada: {}", checkout(&tide, "ada"))?;

    // An operator raises the percentage. The receipt says whether a majority of the members has it on disk.
    let change = tide.activate_percentage("shop/new_checkout", 100).actor("dana").reason("all of them");
    let receipt = change.ack(Level::Majority).timeout(Duration::from_secs(2)).send()?;
    writeln!(out, "acknowledged by a majority: {}", receipt.is_reached)?;
    writeln!(out, "checkout for ada: {}", checkout(&tide, "ada"))?;

    // SIGTERM: the service stops accepting requests, then ends the node. What was accepted is on the disk afterwards.
    tide.shutdown(Duration::from_secs(5))?;
    // Requests that are still under way get answers from memory, and changes are refused.
    writeln!(out, "after shutdown: {}, {}", checkout(&tide, "ada"), tide.clear("shop/new_checkout").send().is_err())?;
    Ok(())
}

/// One request.
fn checkout(tide: &Tidegate, user: &str) -> &'static str {
    if tide.is_active_for("shop/new_checkout", user) { "new" } else { "old" }
}
