//! A small web server on this machine that answers as a test wants it to, with faults if wished.
//!
//! It is a second, simpler opinion of HTTP: one request for each connection, headers and bodies as plain text.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that runs until the test's process ends.
#[derive(Debug)]
pub struct WebServer {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// For example `/a?b`.
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// How many requests for this path came before.
    pub earlier: usize,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Fault,
    has_length: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    BreakAfter(usize),
    StallAfter(usize),
}

impl Answer {
    /// 200 with this body.
    pub fn file(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), fault: Fault::None, has_length: true }
    }

    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::file("") }
    }

    /// Leads elsewhere.
    pub fn redirect(location: &str) -> Self {
        Self::status(302).header("Location", location)
    }

    /// The same answer as a part of a file: 206.
    #[must_use]
    pub fn partial(self) -> Self {
        Self { status: 206, ..self }
    }

    /// Does not say how long the body is: it ends with the connection.
    #[must_use]
    pub fn without_length(self) -> Self {
        Self { has_length: false, ..self }
    }

    /// Adds a header. `Content-Length` takes the place of the right one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Closes the connection after so many bytes of the body.
    #[must_use]
    pub fn break_after(mut self, bytes: usize) -> Self {
        self.fault = Fault::BreakAfter(bytes);
        self
    }

    /// Sends nothing more after so many bytes of the body, and keeps the connection open.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize) -> Self {
        self.fault = Fault::StallAfter(bytes);
        self
    }
}

impl WebServer {
    /// Starts a server that answers each request with what `answer` makes of it.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || {
                    let Some(mut request) = read_request(&stream) else { return };
                    {
                        let mut seen = seen.lock().expect("nobody panics while holding it");
                        request.earlier = seen.iter().filter(|other| other.path == request.path).count();
                        seen.push(request.clone());
                    }
                    // The client may be gone; that is for the test to find out.
                    let _ = write_answer(stream, &answer(&request));
                });
            }
        });
        Self { address, requests }
    }

    /// The address of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// All that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("nobody panics while holding it").clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.take(64 * 1024)).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { path, headers, earlier: 0 })
}

fn write_answer(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Something\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let has_length = answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if answer.has_length && !has_length && answer.status != 304 {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let (Fault::BreakAfter(count) | Fault::StallAfter(count)) = answer.fault else {
        return stream.write_all(&answer.body);
    };
    stream.write_all(&answer.body[..count.min(answer.body.len())])?;
    if matches!(answer.fault, Fault::StallAfter(_)) {
        // Until the client has had enough.
        let _ = stream.read(&mut [0; 16]);
    }
    Ok(())
}
