//! The processor time of a request: Tidegate beside hyper and axum, which give a fixed answer of the same size.
//!
//! In each round every server answers the same requests in turn. The figure is the processor time of the server's process, not
//! the time that passes; the ratio is taken within a round, and the middle of all rounds is shown.

use crate::Outcome;
use crate::client::{Client, Reply};
use crate::process::Server;
use crate::server::pin;

/// How often each server is measured in turn.
pub(crate) const ROUNDS: usize = 9;

/// Connections that are kept open, with one request on each.
const CONNECTIONS: usize = 32;

/// Different keys that are asked for.
const KEYS: usize = 1_024;

/// What is asked.
struct Case {
    name: &'static str,
    /// The most that it may take, beside hyper.
    target: f64,
    requests: &'static [Vec<u8>],
    /// On each connection in one round.
    count: usize,
    status: u16,
    body_bytes: usize,
}

/// A server, and what it took in each round, in microseconds for each request.
struct Row {
    server: Server,
    micros: Vec<f64>,
}

pub(crate) fn measure(rounds: usize) -> Outcome {
    pin(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("| case | bytes | Tidegate | hyper, fixed | axum, fixed | x hyper | at most |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for case in [single().await?, bulk(100).await?, bulk(1_000).await?, not_modified().await?] {
            case.measure(rounds).await?;
        }
        Ok(())
    })
}

async fn single() -> Outcome<Case> {
    let requests: &'static [Vec<u8>] = requests("/flag-00002", "").leak();
    let reply = first_reply(1_000, requests).await?;
    let (name, target) = ("one flag of 1,000, a rollout by key", 1.25);
    Ok(Case { name, target, requests, count: 1_000, status: 200, body_bytes: reply.body_bytes })
}

async fn bulk(flags: usize) -> Outcome<Case> {
    let requests: &'static [Vec<u8>] = requests("", "").leak();
    let reply = first_reply(flags, requests).await?;
    let (name, target) = if flags == 100 { ("all of 100 flags", f64::INFINITY) } else { ("all of 1,000 flags", 3.0) };
    Ok(Case { name, target, requests, count: 20_000 / flags, status: 200, body_bytes: reply.body_bytes })
}

/// One key whose answer the client has already, as a page that asks again.
async fn not_modified() -> Outcome<Case> {
    let server = Server::start(&["tidegate", "1000"])?;
    let mut client = Client::connect(server.address, 1).await?;
    let mut asked = Vec::new();
    for request in &requests("", "") {
        // The tag is that of the answer, whichever process gives it.
        let tag = client.ask(request).await?.tag.ok_or("there is no tag")?;
        let text = str::from_utf8(request)?.replacen("\r\n\r\n", &format!("\r\nif-none-match: {tag}\r\n\r\n"), 1);
        asked.push(text.into_bytes());
    }
    let requests: &'static [Vec<u8>] = asked.leak();
    Ok(Case { name: "304 for 1,000 flags", target: 1.25, requests, count: 1_000, status: 304, body_bytes: 0 })
}

/// A request for each key, with an attribute.
fn requests(flag: &str, headers: &str) -> Vec<Vec<u8>> {
    let request = |number: usize| {
        let body = format!(r#"{{"context":{{"targetingKey":"user-{number:011}","plan":"premium"}}}}"#);
        let length = body.len();
        let head = format!(
            "POST /ofrep/v1/evaluate/flags{flag} HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        format!("{head}{body}").into_bytes()
    };
    (0..KEYS).map(request).collect()
}

async fn first_reply(flags: usize, requests: &[Vec<u8>]) -> Outcome<Reply> {
    let server = Server::start(&["tidegate", &flags.to_string()])?;
    let reply = Client::connect(server.address, 1).await?.ask(&requests[0]).await?;
    if reply.status != 200 {
        return Err(format!("the answer has the status {}", reply.status).into());
    }
    Ok(reply)
}

impl Case {
    async fn measure(&self, rounds: usize) -> Outcome {
        let flags = if self.name.contains("100 flags") { "100" } else { "1000" };
        let (status, bytes) = (self.status.to_string(), self.body_bytes.to_string());
        let fixed = |kind| [kind, status.as_str(), bytes.as_str()];
        let mut rows =
            vec![Row::start(&["tidegate", flags])?, Row::start(&fixed("hyper"))?, Row::start(&fixed("axum"))?];
        for round in 0..=rounds {
            for row in &mut rows {
                // The last ones may have been closed since, because they were idle.
                let client = Client::connect(row.server.address, CONNECTIONS).await?;
                let before = row.server.cpu()?;
                client.load(self.requests, self.count, self.status).await?;
                let taken = row.server.cpu()?.saturating_sub(before);
                // The first round fills caches.
                if round > 0 {
                    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
                    let count = (self.count * CONNECTIONS) as f64;
                    row.micros.push(taken.as_secs_f64() * 1e6 / count);
                }
            }
        }
        let [tide, hyper, axum] = &mut rows[..] else { return Err("three servers".into()) };
        let mut ratios: Vec<f64> = tide.micros.iter().zip(&hyper.micros).map(|(one, other)| one / other).collect();
        let ratio = middle(&mut ratios);
        let target = if self.target.is_finite() { format!("{:.2}", self.target) } else { String::new() };
        let [one, two, three] = [tide, hyper, axum].map(|row| middle(&mut row.micros));
        println!(
            "| {} | {} | {one:.2} us | {two:.2} us | {three:.2} us | {ratio:.2} | {target} |",
            self.name, self.body_bytes
        );
        Ok(())
    }
}

impl Row {
    fn start(words: &[&str]) -> Outcome<Self> {
        Ok(Self { server: Server::start(words)?, micros: Vec::new() })
    }
}

fn middle(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
