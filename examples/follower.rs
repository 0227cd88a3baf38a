//! A service that follows a server: all flags in its own memory, each change within milliseconds, and a start without the server.
//!
//!     tidegate serve --document examples/documents/switches.json
//!     cargo run -p tidegate --features cluster --example follower -- http://127.0.0.1:8080
//!     tidegate activate shop/new_checkout --create --server http://127.0.0.1:8080

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use tidegate::{RecvTimeoutError, Tidegate};

fn main() -> Result<(), Box<dyn Error>> {
    let servers: Vec<String> = std::env::args().skip(1).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let servers = if servers.is_empty() { &["http://127.0.0.1:8080"][..] } else { &servers };
    run(servers, Path::new("/tmp/tidegate-follower"), &mut io::stdout())
}

/// Follows one of the servers, and prints the answer and each change of it until nothing has changed for ten minutes.
pub(crate) fn run(servers: &[&str], cache: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut builder = Tidegate::builder().cache_dir(cache).cache_name("checkout").without_locks();
    for server in servers {
        builder = builder.follow(server)?;
    }
    // It does not fail where no server is reachable: then the service answers with what it has on its disk.
    let tide = builder.startup_wait(Duration::from_secs(5)).connect()?;
    let status = tide.follower().ok_or("it follows")?.status();
    writeln!(out, "ready: {}, connected: {}, agreed: {:?}", tide.is_ready(), status.is_connected, status.is_equal)?;

    // A read is a look at memory, whatever the server does.
    writeln!(out, "checkout for ada: {}", checkout(&tide, "ada"))?;
    let mut subscription = tide.subscribe();
    loop {
        match subscription.recv_timeout(Duration::from_mins(10)) {
            Ok(changes) if changes.flags.contains("shop/new_checkout") => {
                writeln!(out, "checkout for ada: {}", checkout(&tide, "ada"))?;
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The code that a request runs.
fn checkout(tide: &Tidegate, user: &str) -> &'static str {
    if tide.is_active_for("shop/new_checkout", user) { "new" } else { "old" }
}
