//! A short-lived tool: asks its source once, decides, and ends. The cache answers when the source is unreachable.
//!
//!     cargo run -p tidegate --example tool
//!     cargo run -p tidegate --example tool -- https://example.com/flags.json
//!
//! Without a URL the example serves a document to itself, and then takes the server away.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::{env, thread};

use tidegate::{ServedFrom, Tidegate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let run = |url: &str| -> Result<(), Box<dyn std::error::Error>> {
        let tide = Tidegate::builder()
            .http(url)?
            .one_shot(true)
            .cache_name("my-tool")
            // A tool would leave the next two lines out: the usual folders are right for it.
            .cache_dir(folder.path().join("cache"))
            .locks_file(folder.path().join("locks.json"))
            .connect()?;
        report(&tide);
        Ok(())
    };
    if let Some(url) = env::args().nth(1) {
        return run(&url);
    }

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/flags.json", listener.local_addr()?);
    let serving = thread::spawn(move || serve_once(&listener));
    run(&url)?;
    serving.join().map_err(|_| "the server panicked")??;
    say("and with the server gone:");
    run(&url)
}

/// The host decides, so every run on this host decides alike.
fn report(tide: &Tidegate) {
    let host = env::var("HOSTNAME").unwrap_or_else(|_| "this-host".to_owned());
    let target: String = tide.get("features", "install_to", &host, "/opt/old".to_owned());
    let status = tide.status();
    let from = match status.served_from {
        ServedFrom::Source => "the source".to_owned(),
        ServedFrom::Cache => format!("the cache, {} old", status.age.map_or_else(String::new, |age| age.to_string())),
        ServedFrom::NoDocument => "no document, so this is the default".to_owned(),
    };
    say(&format!("install to {target} (from {from})"));
    if let Some(error) = status.last_error {
        say(&format!("note: {}", error.message));
    }
}

/// A server of one answer.
fn serve_once(listener: &TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let request = BufReader::new(stream.try_clone()?);
    // The head of the request ends with an empty line.
    for line in request.lines() {
        if line?.is_empty() {
            break;
        }
    }
    let length = DOCUMENT.len();
    write!(stream, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{DOCUMENT}")
}

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn say(line: &str) {
    println!("{line}");
}

const DOCUMENT: &str = r#"{"features": {"install_to": {
    "stable": "/opt/old", "new": "/opt/new", "start_time": "2020-01-01 00:00Z", "duration": "14d"
}}}"#;
