//! A proxy between a client and an origin: it forwards, tunnels, and refuses on request.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A proxy on a free loopback port, until it is dropped. Whatever host a request names, it goes to the origin's port on the
/// loopback interface, so that names need not exist.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The first line of each request.
    asked: Mutex<Vec<String>>,
    refusal: Mutex<Option<u16>>,
    is_over: AtomicBool,
}

impl Proxy {
    /// Starts a proxy that lets everything through.
    ///
    /// # Panics
    /// The loopback interface has no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&own);
                thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line of each request so far.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// Answers every request with this status, from now on.
    pub fn refuse_with(&self, status: u16) {
        *lock(&self.shared.refusal) = Some(status);
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            (&mut reader).take(HEAD_LINE_MAX).read_line(&mut line)?;
            let is_last = line.trim_end().is_empty();
            head.push(line);
            if is_last || head.len() > HEAD_LINES_MAX {
                break;
            }
        }
        let first = head.first().map(|line| line.trim_end().to_owned()).unwrap_or_default();
        lock(&self.asked).push(first.clone());
        let refusal = *lock(&self.refusal);
        if let Some(status) = refusal {
            let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            (&mut &*client).write_all(answer.as_bytes())?;
            return client.shutdown(Shutdown::Write);
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let authority = target.strip_prefix("http://").unwrap_or(target).split('/').next().unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        if method == "CONNECT" {
            (&mut &*client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            let path =
                target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
            let first = format!("{method} {path} HTTP/1.1\r\n");
            let rest: String = head.iter().skip(1).map(String::as_str).collect();
            server.write_all((first + &rest).as_bytes())?;
        }
        let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
        let back = thread::spawn(move || {
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let _ = io::copy(&mut reader, &mut server);
        let _ = server.shutdown(Shutdown::Write);
        let _ = back.join();
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // So that the thread looks.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line of a request's head.
const HEAD_LINE_MAX: u64 = 16 * 1024;

/// Lines of a request's head.
const HEAD_LINES_MAX: usize = 100;
