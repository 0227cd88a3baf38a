//! Nodes that echo: the first sends 300 bytes to all others, and each sends them back.
//!
//! What carries the bytes is a [`Link`]. Everything else, the instants that are taken included, is here, so that
//! the times of two kinds of links differ by the links alone.

use std::fmt::Write as _;
use std::io::{Write as _, stdin, stdout};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tidegate_bench::observe::now;

use crate::Outcome;

/// A connection to another node.
pub(crate) trait Link {
    fn send(&self, frame: &[u8; FRAME_BYTES]) -> Outcome;
}

/// Where the certificates of a node are, where it listens, and where the others do.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) certificates: PathBuf,
    pub(crate) port: u16,
    peers: Vec<u16>,
}

impl Seat {
    /// Reads the words of a [`crate::process::Place`].
    fn read(words: &[&str]) -> Outcome<Self> {
        let [_, certificates, port, peers @ ..] = words else { return Err("a node wants more words".into()) };
        let peers = peers.iter().map(|peer| peer.parse()).collect::<Result<_, _>>()?;
        Ok(Self { certificates: PathBuf::from(certificates), port: port.parse()?, peers })
    }

    /// The nodes that this one connects to. The others connect to this one.
    pub(crate) fn dialed(&self) -> Vec<u16> {
        self.peers.iter().copied().filter(|peer| *peer > self.port).collect()
    }
}

/// What a node has to do with others.
#[derive(Debug)]
pub(crate) struct Node<L> {
    /// Whether it is the one that sends.
    is_first: bool,
    links: Mutex<Vec<Arc<L>>>,
    seen: Mutex<Vec<(u64, Duration)>>,
    answers: mpsc::Sender<u64>,
}

/// Runs a node whose links `open` opens, in the background, until its input ends.
pub(crate) fn run<L: Link>(words: &[&str], open: impl FnOnce(&Seat, &Arc<Node<L>>) -> Outcome) -> Outcome {
    let seat = Seat::read(words)?;
    let (answers, answered) = mpsc::channel();
    let is_first = seat.peers.first() == Some(&seat.port);
    let node = Arc::new(Node { is_first, links: Mutex::default(), seen: Mutex::default(), answers });
    open(&seat, &node)?;
    for line in stdin().lines() {
        let line = line?;
        let answer = match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["peers"] => node.links.lock().map_err(|_| "a thread panicked")?.len().to_string(),
            ["seen"] => {
                let seen = std::mem::take(&mut *node.seen.lock().map_err(|_| "a thread panicked")?);
                seen.iter().map(|(number, at)| format!("{number}:{}", at.as_nanos())).collect::<Vec<_>>().join(" ")
            }
            ["write", others, count, pause_us] => {
                node.write(&answered, others.parse()?, count.parse()?, pause_us.parse()?)?
            }
            _ => return Err(format!("what is `{line}`?").into()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

impl<L: Link> Node<L> {
    /// From now on, what this node sends is sent on this link too.
    pub(crate) fn add(&self, link: &Arc<L>) -> Outcome {
        self.links.lock().map_err(|_| "a thread panicked")?.push(Arc::clone(link));
        Ok(())
    }

    /// Takes a frame that a link has brought.
    pub(crate) fn hear(&self, link: &L, frame: &[u8; FRAME_BYTES]) -> Outcome {
        let at = now();
        let number = frame.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        if self.is_first {
            return Ok(self.answers.send(number)?);
        }
        self.seen.lock().map_err(|_| "a thread panicked")?.push((number, at));
        link.send(frame)
    }

    /// When each frame was sent, how long two of four took to answer, and how long all.
    fn write(&self, answers: &mpsc::Receiver<u64>, others: usize, count: u64, pause_us: u64) -> Outcome<String> {
        let mut times = String::new();
        for number in 1..=count {
            let mut frame = [0; FRAME_BYTES];
            frame[..8].copy_from_slice(&number.to_be_bytes());
            let began = now();
            for link in self.links.lock().map_err(|_| "a thread panicked")?.iter() {
                link.send(&frame)?;
            }
            let (mut heard, mut half) = (0, Duration::ZERO);
            while heard < others {
                heard += usize::from(answers.recv_timeout(Duration::from_secs(5))? == number);
                if heard == others / 2 && half.is_zero() {
                    half = now().saturating_sub(began);
                }
            }
            let all = now().saturating_sub(began);
            write!(times, "{number}:{}:{}:{} ", began.as_nanos(), half.as_nanos(), all.as_nanos())?;
            thread::sleep(Duration::from_micros(pause_us));
        }
        Ok(times)
    }
}

/// What a change with everything around it comes to.
pub(crate) const FRAME_BYTES: usize = 300;
