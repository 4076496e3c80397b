//! HTTP/1.1 as it comes over a connection: heads, and bodies piece by piece.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The longest head that is read, in bytes.
const HEAD_LIMIT: u64 = 256 * 1024;

/// A connection, encrypted or not.
pub(super) trait Wire: Read + Write + Send {
    /// What it goes over.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

/// A connection with what was read ahead.
pub(super) type Line = BufReader<Box<dyn Wire>>;

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// The path with its query, as it came.
    pub target: String,
    /// By their names in lower case. Several of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first parameter of this name in the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut all = self.parameters().into_iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All parameters of the query, decoded, in their order.
    pub fn parameters(&self) -> Vec<(String, String)> {
        form(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// `a=b&c=d`, decoded.
pub(super) fn form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(a, b)| (decode(a), decode(b)))
        .collect()
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, pair.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads a head. `None` when the connection ends before one.
pub(super) fn read_request(line: &mut Line) -> io::Result<Option<Request>> {
    let mut lines = line.take(HEAD_LIMIT);
    let mut text = String::new();
    if lines.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    let mut words = text.split_whitespace();
    // Whoever speaks TLS here gets no answer.
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) =
        (words.next(), words.next(), words.next())
    else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (method, target) = (method.to_ascii_uppercase(), target.to_owned());
    let mut headers = BTreeMap::<String, String>::new();
    loop {
        let mut text = String::new();
        if lines.read_line(&mut text)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = text.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        headers
            .entry(name)
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    Ok(Some(Request { method, target, headers }))
}

/// What is still to come of a request's body.
pub(super) enum Body {
    Length(u64),
    /// Bytes left of the chunk.
    Chunk(u64),
    Ended,
}

impl Body {
    pub(super) fn of(request: &Request) -> Self {
        let chunked = request.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
        match request.header("content-length").and_then(|value| value.parse().ok()) {
            _ if chunked => Self::Chunk(0),
            Some(0) | None => Self::Ended,
            Some(length) => Self::Length(length),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// The next bytes, at most `limit`. `None` at the end; an error when the connection ends before that.
    pub(super) fn next(&mut self, line: &mut Line, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if let Self::Chunk(0) = self {
            *self = match next_chunk(line)? {
                0 => Self::Ended,
                length => Self::Chunk(length),
            };
        }
        let (Self::Length(left) | Self::Chunk(left)) = self else { return Ok(None) };
        let wanted = usize::try_from((*left).min(limit).min(64 * 1024)).expect("it is small");
        let mut piece = vec![0; wanted];
        let count = line.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(count);
        *left -= count as u64;
        if *left == 0 {
            if let Self::Length(_) = self {
                *self = Self::Ended;
            } else {
                line.read_line(&mut String::new())?;
            }
        }
        Ok(Some(piece))
    }
}

/// The length of the next chunk. The last one is read with what follows it.
fn next_chunk(line: &mut Line) -> io::Result<u64> {
    let mut text = String::new();
    if line.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let digits = text.trim().split(';').next().unwrap_or_default();
    let length = u64::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    if length == 0 {
        let mut trailer = "-".to_owned();
        while !trailer.trim().is_empty() {
            trailer.clear();
            line.read_line(&mut trailer)?;
        }
    }
    Ok(length)
}

/// Makes the coming close of the connection a reset.
pub(super) fn reset_on_close(line: &Line) {
    let _ = rustix::net::sockopt::set_socket_linger(line.get_ref().socket(), Some(Duration::ZERO));
}

/// Reads and forgets until the other side has gone.
pub(super) fn wait_for_the_end(line: &mut Line) {
    let mut buffer = [0; 4096];
    while line.get_mut().read(&mut buffer).is_ok_and(|count| count > 0) {}
}
