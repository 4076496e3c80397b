//! A client for tests: one connection for each request, and full control over what goes over it.

#![allow(dead_code, reason = "no test needs all of it")]
#![allow(clippy::needless_pass_by_value, reason = "calls read better without `&`")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tempfile::TempDir;
use tug_oci::{Algorithm, Digest, Hasher};
use tug_registry_server::{Options, Running, Server};

/// A registry in a temporary folder, and a client for it.
pub(crate) struct Registry {
    pub(crate) client: Client,
    pub(crate) running: Running,
    pub(crate) root: TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts one with other options.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let mut options = Options::new(root.path());
        change(&mut options);
        let running = Server::start(options).expect("a registry starts in an empty folder");
        Self { client: Client(running.address()), running, root }
    }

    /// The same data under a new server.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    /// The same data under a new server with other options.
    pub(crate) fn restart_with(self, change: impl FnOnce(&mut Options)) -> Self {
        self.running.stop();
        let mut options = Options::new(self.root.path());
        change(&mut options);
        let running = Server::start(options).expect("a registry starts again");
        Self { client: Client(running.address()), running, root: self.root }
    }
}

/// Talks to one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) SocketAddr);

/// A request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    in_chunks: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None, in_chunks: false }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// With a body and its length.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a body whose length only shows at its end.
    pub(crate) fn streamed(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.in_chunks = true;
        self.body(body)
    }

    /// With one more parameter behind the `?`.
    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        let value = value.to_string().replace(':', "%3A").replace('+', "%2B");
        self.target = format!("{}{separator}{name}={value}", self.target);
        self
    }

    /// The head as it goes over the wire.
    fn head(&self, host: SocketAddr) -> String {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match (&self.body, self.in_chunks) {
            (Some(_), true) => head.push_str("transfer-encoding: chunked\r\n"),
            (Some(body), false) => head.push_str(&format!("content-length: {}\r\n", body.len())),
            (None, _) if matches!(self.method, "POST" | "PUT" | "PATCH") => {
                head.push_str("content-length: 0\r\n");
            }
            (None, _) => {}
        }
        head.push_str("\r\n");
        head
    }

    pub(crate) fn wire(&self, host: SocketAddr) -> Vec<u8> {
        let mut wire = self.head(host).into_bytes();
        let body = self.body.as_deref().unwrap_or_default();
        if self.in_chunks {
            for piece in body.chunks(1000) {
                wire.extend(format!("{:x}\r\n", piece.len()).bytes());
                wire.extend(piece);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
        } else {
            wire.extend(body);
        }
        wire
    }
}

impl Client {
    /// Sends a request and waits for the whole answer.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        let mut stream = TcpStream::connect(self.0).expect("the server listens");
        // A server may answer and close before it has read everything; what it said counts.
        let _ = stream.write_all(&request.wire(self.0));
        Answer::read(stream, request.method == "HEAD")
    }

    /// Sends the head and the first `length` bytes of the body, and hangs up.
    pub(crate) fn send_cut(&self, request: &Request, length: usize) {
        let mut stream = TcpStream::connect(self.0).expect("the server listens");
        let wire = request.wire(self.0);
        let head = request.head(self.0).len();
        stream.write_all(&wire[..head + length]).expect("the server reads");
    }

    /// Sends the head and the first `length` bytes of the body, and keeps the connection open.
    pub(crate) fn send_part(&self, request: &Request, length: usize) -> TcpStream {
        let mut stream = TcpStream::connect(self.0).expect("the server listens");
        let wire = request.wire(self.0);
        let head = request.head(self.0).len();
        stream.write_all(&wire[..head + length]).expect("the server reads");
        stream
    }

    pub(crate) fn get(&self, target: impl Into<String>) -> Answer {
        self.send(&Request::new("GET", target))
    }

    /// What a server says that may hang up without a word.
    pub(crate) fn try_get(&self, target: &str) -> Option<Answer> {
        let request = Request::new("GET", target);
        let mut stream = TcpStream::connect(self.0).ok()?;
        stream.write_all(&request.wire(self.0)).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        (!bytes.is_empty()).then(|| Answer::parse(&bytes, false))
    }

    pub(crate) fn head(&self, target: impl Into<String>) -> Answer {
        self.send(&Request::new("HEAD", target))
    }

    pub(crate) fn delete(&self, target: impl Into<String>) -> Answer {
        self.send(&Request::new("DELETE", target))
    }

    pub(crate) fn post(&self, target: impl Into<String>) -> Answer {
        self.send(&Request::new("POST", target))
    }

    /// Begins an upload; where it goes on.
    pub(crate) fn begin(&self, repository: &str) -> String {
        let answer = self.post(format!("/v2/{repository}/blobs/uploads/"));
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.location()
    }

    /// Pushes a blob in one go.
    pub(crate) fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let post = Request::new("POST", format!("/v2/{repository}/blobs/uploads/"));
        let answer = self.send(&post.query("digest", &digest).body(bytes));
        assert_eq!(answer.status, 201, "{}", answer.text());
        digest
    }

    /// Pushes a manifest under a tag or digest.
    pub(crate) fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &serde_json::Value,
    ) -> Answer {
        let media_type = manifest["mediaType"].as_str().expect("the manifests of tests say what they are");
        let put = Request::new("PUT", format!("/v2/{repository}/manifests/{reference}"));
        self.send(&put.header("content-type", media_type).body(manifest.to_string()))
    }
}

impl Answer {
    /// Reads an answer to the end of the connection.
    pub(crate) fn read(mut stream: TcpStream, is_to_head: bool) -> Self {
        let mut bytes = Vec::new();
        // A reset behind the answer does not take the answer back.
        let _ = stream.read_to_end(&mut bytes);
        Self::parse(&bytes, is_to_head)
    }

    fn parse(bytes: &[u8], is_to_head: bool) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("an answer has a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let answer = Self {
            status: status.parse().expect("a status is a number"),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: bytes[end + 4..].to_vec(),
        };
        if !is_to_head && let Some(length) = answer.header("content-length") {
            assert_eq!(answer.body.len().to_string(), length, "the body has the length that was announced");
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn location(&self) -> String {
        self.header("location").expect("the answer says where").to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The digest of `bytes`.
pub(crate) fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// Bytes that look like nothing, the same for the same `seed`.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
