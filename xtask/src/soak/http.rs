//! As much of HTTP and JSON as is needed to ask a node.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One request; the status and the body of the answer.
pub(super) fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
    patience: Duration,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_short)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut_short)?;
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length != body.len()) {
        return Err(cut_short());
    }
    Ok((status, body.to_owned()))
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short")
}

/// The first value of a member in JSON without blanks, as it is written; of a string, what is between its quotes.
pub(super) fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = text.find(&format!("\"{name}\":"))? + name.len() + 3;
    let rest = &text[start..];
    if let Some(string) = rest.strip_prefix('"') {
        return string.split('"').next();
    }
    let close = match rest.chars().next()? {
        '[' => return rest.split_once(']').map(|(list, _)| &list[1..]),
        _ => [',', '}'],
    };
    rest.split(close).next()
}
