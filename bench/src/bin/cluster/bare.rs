//! Bare zenoh with the same settings: what the network alone costs.

use std::io::{Write as _, stdin, stdout};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use zenoh::Wait as _;
use zenoh::qos::CongestionControl;
use zenoh::sample::Locality;

use crate::Outcome;
use crate::process::now;

pub(crate) fn run(words: &[&str]) -> Outcome {
    let [_, certificates, port, peers @ ..] = words else { return Err("a node wants more words".into()) };
    let config = config(certificates, port, peers).map_err(|error| error.to_string())?;
    let session = zenoh::open(config).wait().map_err(|error| error.to_string())?;
    let seen = Arc::<Mutex<Vec<(u64, Duration)>>>::default();
    let publisher = |key: &'static str| {
        session
            .declare_publisher(key)
            .congestion_control(CongestionControl::Drop)
            .express(true)
            .allowed_destination(Locality::Remote)
            .wait()
            .map_err(|error| error.to_string())
    };
    let (all, back) = (publisher("bench/all")?, publisher("bench/back")?);
    let notes = Arc::clone(&seen);
    let hear = move |sample: zenoh::sample::Sample| {
        let at = now();
        let bytes = sample.payload().to_bytes();
        let number = bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        if let Ok(mut notes) = notes.lock() {
            notes.push((number, at));
        }
        // What a receipt needs: a word back.
        let _ = back.put(bytes.to_vec()).wait();
    };
    session
        .declare_subscriber("bench/all")
        .allowed_origin(Locality::Remote)
        .callback(hear)
        .background()
        .wait()
        .map_err(|error| error.to_string())?;
    let (sender, answers) = std::sync::mpsc::channel();
    // Only the node that writes hears them, as with acknowledgements: sent to all, they would slow the floor down.
    if peers.first() == Some(port) {
        let hear = move |sample: zenoh::sample::Sample| {
            let bytes = sample.payload().to_bytes();
            let _ = sender.send(bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)));
        };
        session
            .declare_subscriber("bench/back")
            .allowed_origin(Locality::Remote)
            .callback(hear)
            .background()
            .wait()
            .map_err(|error| error.to_string())?;
    }
    for line in stdin().lines() {
        let line = line?;
        let answer = match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["peers"] => session.info().peers_zid().wait().count().to_string(),
            ["seen"] => {
                let seen = std::mem::take(&mut *seen.lock().map_err(|_| "a thread panicked")?);
                seen.iter().map(|(number, at)| format!("{number}:{} ", at.as_nanos())).collect()
            }
            ["write", others, count, pause_us] => {
                let (others, count, pause_us): (usize, u64, u64) = (others.parse()?, count.parse()?, pause_us.parse()?);
                let mut times = String::new();
                for number in 1..=count {
                    let mut payload = vec![0; PAYLOAD_BYTES];
                    payload[..8].copy_from_slice(&number.to_be_bytes());
                    let began = now();
                    all.put(payload).wait().map_err(|error| error.to_string())?;
                    // As many words as a majority needs.
                    let mut heard = 0;
                    while heard < others / 2 {
                        heard += usize::from(answers.recv_timeout(Duration::from_secs(5))? == number);
                    }
                    times.push_str(&format!("{number}:{}:{} ", began.as_nanos(), (now() - began).as_nanos()));
                    thread::sleep(Duration::from_micros(pause_us));
                }
                times
            }
            _ => return Err(format!("what is `{line}`?").into()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

fn config(certificates: &str, port: &str, peers: &[&str]) -> zenoh::Result<zenoh::Config> {
    let dialled: Vec<String> =
        peers.iter().filter(|peer| **peer > port).map(|peer| format!("tls/127.0.0.1:{peer}")).collect();
    let file = |name: &str| format!("{certificates}/{name}");
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", json!("peer")),
        ("listen/endpoints", json!([format!("tls/127.0.0.1:{port}")])),
        ("connect/endpoints", json!(dialled)),
        ("connect/retry", json!({"period_init_ms": 100, "period_max_ms": 200, "period_increase_factor": 1})),
        ("scouting/multicast/enabled", json!(false)),
        (
            "transport/link/tls",
            json!({
                "root_ca_certificate": file("ca.pem"), "listen_certificate": file("node.pem"),
                "listen_private_key": file("node.key"), "connect_certificate": file("node.pem"),
                "connect_private_key": file("node.key"), "enable_mtls": true,
            }),
        ),
    ] {
        config.insert_json5(key, &value.to_string())?;
    }
    Ok(config)
}

/// What a change with its envelope comes to.
const PAYLOAD_BYTES: usize = 300;
