//! `cargo xtask schemathesis`: requests that schemathesis makes from the contract, against a real server.
//!
//! It sends the examples, values at the edges of each schema, and random ones with a fixed seed: what the contract allows has to be
//! accepted, what it does not allow refused, and each answer has to be as the contract says. Nothing is accepted as known.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use crate::clients;
use crate::run::{self, Failure, finish, program};

/// By a developer: with the profile `dev`, and arguments for schemathesis after the bounded ones, such as `--max-examples 1000`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    check(&clients::build("dev", "debug")?, arguments)
}

/// The same in CI, with the program that other steps have built.
pub(crate) fn ci() -> Result<(), Failure> {
    check(&clients::build("ci", "ci")?, &[])
}

fn check(server: &Path, arguments: &[String]) -> Result<(), Failure> {
    let python = clients::python_environment("schemathesis")?;
    let data = run::target().join("clients/schemathesis-data");
    let failed = |error: std::io::Error| Failure::new(format!("cannot empty `{}`: {error}", data.display()));
    if data.exists() {
        fs::remove_dir_all(&data).map_err(failed)?;
    }
    fs::create_dir_all(&data).map_err(failed)?;
    let server = Server::start(server, &data)?;
    let schemathesis = python.with_file_name("schemathesis");
    let mut command = program(&schemathesis);
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", "clients/schemathesis");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["--config-file", "clients/schemathesis/schemathesis.toml", "run"]);
    command.arg(format!("{}/openapi.json", server.url)).args([
        "--no-color",
        "--seed",
        SEED,
        "--max-examples",
        EXAMPLES,
    ]);
    finish(command.args(["--workers", "1", "--continue-on-failure"]).args(arguments))
}

/// A server that ends with its value.
struct Server {
    process: Child,
    url: String,
    /// Read to its end, so that the server never waits for it.
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(path: &Path, data: &Path) -> Result<Self, Failure> {
        let mut command = program(path);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--document",
            "clients/schemathesis/flags.json",
            "--data-dir",
        ]);
        command.arg(data).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process =
            command.spawn().map_err(|error| Failure::new(format!("cannot start `{}`: {error}", path.display())))?;
        let mut log = BufReader::new(process.stderr.take().ok_or_else(|| Failure::new("the server has no log"))?);
        match address(&mut log) {
            Ok(url) => {
                let drain = move || log.lines().map_while(Result::ok).for_each(drop);
                Ok(Self { process, url, reader: Some(std::thread::spawn(drain)) })
            }
            Err(failure) => {
                // It may have ended already.
                let _ = process.kill();
                let _ = process.wait();
                Err(failure)
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Where the server says that it listens.
fn address(log: &mut BufReader<ChildStderr>) -> Result<String, Failure> {
    let mut said = String::new();
    for line in log.lines().map_while(Result::ok) {
        if let Some(url) = line.strip_prefix("listening on ") {
            return Ok(url.trim().to_owned());
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(Failure::new(format!("the server does not listen:\n{said}")))
}

/// The same requests in each run.
const SEED: &str = "4711";

/// Random requests of an operation at most, valid and invalid ones each.
const EXAMPLES: &str = "20";
