//! Answers, and how they go wrong on their way.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::wire::{self, Line};

/// An answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    UntilClose,
    /// The body again and again, in chunks.
    Endless,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), framing: Framing::Length }
    }

    /// 200 with this body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).with_body(body)
    }

    /// 307 to elsewhere.
    pub fn redirect(location: &str) -> Self {
        Self::status(307).header("Location", location)
    }

    /// An error in the form of the specification.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let error = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::status(status).header("Content-Type", "application/json").with_body(error.to_string())
    }

    /// Gives the answer a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header. A `Content-Length` takes the place of the right one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends the body in chunks.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Does not say how long the body is: it ends with the connection.
    #[must_use]
    pub fn without_length(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    /// Sends the body again and again, in chunks, until the client leaves.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.framing = Framing::Endless;
        self
    }

    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Closed as after an answer.
    Close,
    /// Reset. The client may lose some of what was sent last.
    Reset,
    /// Kept open, and nothing more is sent or read into a body.
    Stall,
}

/// How an answer is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    pub(super) cut: Option<(u64, End)>,
    /// So many bytes at a time, with a pause after each.
    pub(super) trickle: Option<(usize, Duration)>,
    pub(super) is_head: bool,
    pub(super) closes: bool,
}

/// Sends an answer and tells `sent` the bytes of each piece of the body, and of all so far. Whether the connection can
/// be used again.
pub(super) fn send(
    line: &mut Line,
    answer: &Answer,
    sending: &Sending,
    mut sent: impl FnMut(u64, u64),
) -> io::Result<bool> {
    let ends_connection = sending.closes || answer.framing == Framing::UntilClose;
    write(line, head(answer, ends_connection).as_bytes())?;
    if sending.is_head || matches!(answer.status, 204 | 304) {
        return Ok(!ends_connection);
    }
    let limit = sending.cut.map_or(u64::MAX, |(after, _)| after);
    let (size, pause) = sending.trickle.unwrap_or((64 * 1024, Duration::ZERO));
    let mut total = 0;
    loop {
        for piece in answer.body.chunks(size.max(1)) {
            let room = usize::try_from(limit - total).unwrap_or(usize::MAX);
            let part = &piece[..piece.len().min(room)];
            total += part.len() as u64;
            // Counted before the client can have it, and look.
            sent(part.len() as u64, total);
            write_piece(line, part, answer.framing)?;
            // A cut at the very end would be none.
            let is_cut = total == limit && (part.len() < piece.len() || total < answer.body.len() as u64);
            if is_cut || total == limit && answer.framing != Framing::Length {
                end(line, sending.cut.map_or(End::Close, |(_, how)| how));
                return Ok(false);
            }
            thread::sleep(pause);
        }
        if answer.framing != Framing::Endless || answer.body.is_empty() {
            break;
        }
    }
    if answer.framing == Framing::Chunked {
        write(line, b"0\r\n\r\n")?;
    }
    let promised = answer.find("Content-Length").and_then(|value| value.parse::<u64>().ok());
    if promised.is_some_and(|promised| promised > total) {
        end(line, sending.cut.map_or(End::Close, |(_, how)| how));
        return Ok(false);
    }
    Ok(!ends_connection)
}

/// Ends the connection in this way, or waits until the client has had enough.
pub(super) fn end(line: &mut Line, how: End) {
    match how {
        End::Close => {}
        End::Reset => wire::reset_on_close(line),
        End::Stall => wire::wait_for_the_end(line),
    }
}

fn head(answer: &Answer, closes: bool) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    match answer.framing {
        Framing::Length if answer.find("Content-Length").is_some() || matches!(answer.status, 204 | 304) => {}
        Framing::Length => head += &format!("Content-Length: {}\r\n", answer.body.len()),
        Framing::Chunked | Framing::Endless => head += "Transfer-Encoding: chunked\r\n",
        Framing::UntilClose => {}
    }
    if closes {
        head += "Connection: close\r\n";
    }
    head + "\r\n"
}

fn reason(status: u16) -> &'static str {
    match status {
        200..=299 => "Fine",
        300..=399 => "Elsewhere",
        400..=499 => "Refused",
        _ => "Failed",
    }
}

fn write_piece(line: &mut Line, bytes: &[u8], framing: Framing) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    match framing {
        Framing::Length | Framing::UntilClose => write(line, bytes),
        Framing::Chunked | Framing::Endless => {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            write(line, &chunk)
        }
    }
}

fn write(line: &mut Line, bytes: &[u8]) -> io::Result<()> {
    let wire = line.get_mut();
    wire.write_all(bytes)?;
    wire.flush()
}
