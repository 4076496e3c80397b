//! `tug serve`: a real process, its signals, and what it leaves on the disk when it is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tug_oci::Digest;
use tug_testdata::registry_peer::{Answer, Behaviour, Peer, Rule};

use crate::tug::Tug;

/// A server that runs; killed with the value.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts `tug serve` over the same folder each time.
    pub(crate) fn start(tug: &Tug, words: &[&str]) -> Self {
        let words = [&["serve", "--addr", "127.0.0.1:0", "--root", "registry"], words].concat();
        let mut command = tug.command(&words);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tug can be started");
        let mut line = String::new();
        let stdout = process.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it can be read");
        let address = line.trim_end().parse().unwrap_or_else(|_| {
            let mut said = String::new();
            let stderr = process.stderr.as_mut().expect("it is a pipe");
            stderr.read_to_string(&mut said).expect("it can be read");
            panic!("no address: `{line}`\n{said}")
        });
        Self { process, address }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// The next line of what it tells. Nothing behind it is taken.
    pub(crate) fn told_line(&mut self) -> String {
        let stderr = self.process.stderr.as_mut().expect("it is a pipe");
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\n") && stderr.read(&mut byte).expect("it can be read") == 1 {
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        self.signal(signal);
        let mut said = String::new();
        let stderr = self.process.stderr.as_mut().expect("it is a pipe");
        stderr.read_to_string(&mut said).expect("it can be read");
        (self.process.wait().expect("it was started"), said)
    }

    /// Sends a request on a connection of its own, and the first `length` bytes of its body.
    fn send_part(&self, head: &str, body: &[u8], length: usize) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let fields = format!("host: x\r\nconnection: close\r\ncontent-length: {}", body.len());
        write!(stream, "{head} HTTP/1.1\r\n{fields}\r\n\r\n").expect("it reads");
        stream.write_all(&body[..length]).expect("it reads");
        stream
    }

    /// The status, the head and the body of an answer.
    pub(crate) fn ask(&self, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        Self::answer(self.send_part(head, body, body.len()))
    }

    /// The same with one more field in the head, and no body.
    pub(crate) fn ask_with(&self, head: &str, field: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n{field}\r\n\r\n"
        )
        .expect("it reads");
        Self::answer(stream)
    }

    fn answer(mut stream: TcpStream) -> (u16, String, Vec<u8>) {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head[9..12].parse().expect("a status is a number");
        (status, head, answer[end + 4..].to_vec())
    }

    fn begin(&self) -> String {
        let (status, head, _) = self.ask("POST /v2/app/blobs/uploads/", b"");
        assert_eq!(status, 202, "{head}");
        field(&head, "location").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

fn bytes(seed: u32, length: usize) -> Vec<u8> {
    (0u32..).map(|number| number.wrapping_mul(seed | 1).to_le_bytes()[1]).take(length).collect()
}

#[test]
fn it_says_where_it_listens_and_ends_in_good_order() {
    let tug = Tug::new();
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(&tug, &[]);
        assert_eq!(server.ask("GET /v2/", b"").0, 200);
        let (status, said) = server.end(signal);
        assert!(status.success(), "{status}");
        assert_eq!(said, "stopping; a second signal ends it at once\n");
    }
}

#[test]
fn an_upload_goes_on_after_the_server_was_killed() {
    let tug = Tug::new();
    let content = bytes(77, 3_000_000);
    let digest = Digest::of(&content);
    for method in ["PATCH", "PUT"] {
        let server = Server::start(&tug, &[]);
        let location = server.begin();
        let query = if method == "PUT" { format!("?digest={digest}") } else { String::new() };
        let half_sent = server.send_part(&format!("{method} {location}{query}"), &content, 2_000_000);
        // Until something of it has come; how much is the kernel's affair.
        while field(&server.ask(&format!("GET {location}"), b"").1, "range") == "0-0" {
            thread::yield_now();
        }
        assert!(!server.end(Signal::KILL).0.success());
        drop(half_sent);

        let server = Server::start(&tug, &[]);
        let (status, head, _) = server.ask(&format!("GET {location}"), b"");
        assert_eq!(status, 204, "{head}");
        let last: usize = field(&head, "range").trim_start_matches("0-").parse().expect("a range");
        assert!((1..2_000_000).contains(&last), "{head}");
        assert_eq!(server.ask(&format!("HEAD /v2/app/blobs/{digest}"), b"").0, 404, "half a blob is none");
        let (status, head, _) = server.ask(&format!("PATCH {location}"), &content[last + 1..]);
        assert_eq!(status, 202, "{head}");
        let (status, head, _) = server.ask(&format!("PUT {location}?digest={digest}"), b"");
        assert_eq!(status, 201, "{head}");
        assert_eq!(server.ask(&format!("GET /v2/app/blobs/{digest}"), b"").2, content);
        assert_eq!(server.ask(&format!("DELETE /v2/app/blobs/{digest}"), b"").0, 202);
    }
}

/// Clients push until the server dies under them. What they were told is kept must be there afterwards, whole.
#[test]
fn what_was_said_to_be_kept_is_there_after_a_kill() {
    let tug = Tug::new();
    let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..3 {
        let server = Server::start(&tug, &[]);
        let pushers: Vec<_> = (0..4)
            .map(|pusher| {
                let address = server.address;
                thread::spawn(move || push_until_it_dies(address, 1000 * round + 100 * pusher))
            })
            .collect();
        // In the middle of it, whatever that is on this machine.
        while fs::read_dir(tug.path("registry/app/_tags")).map_or(0, Iterator::count)
            < 8 * (round as usize + 1)
        {
            thread::yield_now();
        }
        server.end(Signal::KILL);
        for pusher in pushers {
            kept.extend(pusher.join().expect("a pusher ends when the server does"));
        }
    }
    let server = Server::start(&tug, &[]);
    assert!(kept.len() >= 24, "{}", kept.len());
    for (target, content) in &kept {
        let (status, head, body) = server.ask(&format!("GET {target}"), b"");
        assert_eq!((status, &body), (200, content), "{target}: {head}");
    }
    // Of what was not said to be kept, there is garbage at most: it can be collected.
    let shown = tug.run(&["serve", "gc", "--root", "registry", "--grace", "0s", "--dry-run"]);
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let (_, said) = server.end(Signal::TERM);
    assert_eq!(said, "stopping; a second signal ends it at once\n", "nothing is damaged");
}

/// Pushes blobs and tagged indexes; what is there for sure, as targets and content.
fn push_until_it_dies(address: SocketAddr, first: u32) -> Vec<(String, Vec<u8>)> {
    let push = |head: String, body: &[u8]| -> Option<()> {
        let mut stream = TcpStream::connect(address).ok()?;
        let fields = "host: x\r\nconnection: close\r\ncontent-type: application/vnd.oci.image.index.v1+json";
        write!(stream, "{head} HTTP/1.1\r\n{fields}\r\ncontent-length: {}\r\n\r\n", body.len()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        answer.starts_with(b"HTTP/1.1 201").then_some(())
    };
    let mut kept = Vec::new();
    for number in first..first + 100 {
        let blob = bytes(number, 50_000 + number as usize);
        let digest = Digest::of(&blob);
        if push(format!("POST /v2/app/blobs/uploads/?digest={digest}"), &blob).is_none() {
            break;
        }
        kept.push((format!("/v2/app/blobs/{digest}"), blob));
        let index =
            format!("{{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{{\"n\":\"{number}\"}}}}");
        if push(format!("PUT /v2/app/manifests/v{number}"), index.as_bytes()).is_none() {
            break;
        }
        kept.push((format!("/v2/app/manifests/v{number}"), index.into_bytes()));
    }
    kept
}

#[test]
fn what_cannot_be_served_is_said_with_the_exit_code_that_fits() {
    let tug = Tug::new();
    let server = Server::start(&tug, &[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    tug.write("holiday/beach.jpg", "sun");
    let mut shown = String::new();
    for words in [
        &["serve", "--addr", "127.0.0.1:http"][..],
        &["serve", "--gc-every", "often"],
        &["serve", "--gc-every", "0s"],
        &["serve", "--addr", &taken, "--root", "other"],
        &["serve", "--addr", "127.0.0.1:0", "--root", "registry"],
        &["serve", "--addr", "127.0.0.1:0", "--root", "holiday"],
        &["serve", "--addr", "127.0.0.1:0", "--root", "other", "--import", "holiday"],
        &["serve", "gc", "--root", "holiday"],
        &["serve", "gc"],
        &["serve", "--addr", ":0", "gc"],
    ] {
        let line = format!("$ tug {}\n{}\n\n", words.join(" "), tug.run(words));
        shown += &line.replace(&taken, "127.0.0.1:TAKEN");
    }
    drop(server);
    insta::assert_snapshot!(shown);
}

#[test]
fn what_nothing_refers_to_is_taken_away_beside_the_server() {
    let tug = Tug::new();
    let server = Server::start(&tug, &[]);
    let digest = Digest::of(b"garbage");
    assert_eq!(server.ask(&format!("POST /v2/app/blobs/uploads/?digest={digest}"), b"garbage").0, 201);
    assert_eq!(server.ask("PUT /v2/app/manifests/latest", b"{\"schemaVersion\":2,\"manifests\":[]}").0, 201);
    let mut shown = format!(
        "$ tug serve gc --dry-run\n{}\n",
        tug.run(&["serve", "gc", "--root", "registry", "--dry-run"])
    );
    // The times of files have steps, and the collector leaves a second for them.
    thread::sleep(std::time::Duration::from_millis(2100));
    for words in [&["serve", "gc", "--root", "registry", "--grace", "0s"][..]; 2] {
        shown += &format!("\n$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    assert_eq!(server.ask(&format!("HEAD /v2/app/blobs/{digest}"), b"").0, 404);
    assert_eq!(server.ask("GET /v2/app/manifests/latest", b"").0, 200);
    insta::assert_snapshot!(shown);
}

#[test]
fn the_data_of_another_registry_is_taken_in_first() {
    let tug = Tug::new();
    let index = "{\"schemaVersion\":2,\"manifests\":[]}";
    let digest = Digest::of(index.as_bytes());
    let tree = "data/docker/registry/v2";
    tug.write(&format!("{tree}/blobs/sha256/{}/{}/data", &digest.hex()[..2], digest.hex()), index);
    let manifests = format!("{tree}/repositories/team/app/_manifests");
    tug.write(&format!("{manifests}/revisions/sha256/{}/link", digest.hex()), digest.to_string());
    tug.write(&format!("{manifests}/tags/v1/current/link"), digest.to_string());
    let server = Server::start(&tug, &["--import", "data"]);
    assert_eq!(server.ask("GET /v2/team/app/manifests/v1", b"").2, index.as_bytes());
    let (_, said) = server.end(Signal::TERM);
    assert!(
        said.starts_with(
            "importing team/app\nimported 1 repository with 1 manifest and 1 tag; new: 0 blobs, 0 B\n"
        ),
        "{said}"
    );

    tug.write(&format!("{manifests}/tags/v2/current/link"), "");
    let shown = tug.run(&["serve", "--addr", "127.0.0.1:0", "--root", "registry", "--import", "data"]);
    assert!(shown.starts_with("exit code 1\n"), "{shown}");
    assert!(shown.contains("tags/v2/current/link` is damaged: it holds no digest"), "{shown}");
    assert!(shown.contains("error: `data` could not be imported as a whole: 1 problem\n"), "{shown}");
}

#[test]
fn what_another_registry_has_is_fetched_and_served_when_that_is_gone() {
    let tug = Tug::new();
    let hub = Peer::start(Behaviour::default());
    let layer = b"layer of the hub".to_vec();
    let image = hub.add_image("team/app", "1", std::slice::from_ref(&layer));
    let upstream = format!("hub.example=http://{}", hub.address());
    let words = ["--proxy", &upstream, "--proxy-default", "HUB.example", "--proxy-ttl", "0s"];
    let server = Server::start(&tug, &words);
    let (status, head, body) = server.ask("GET /v2/team/app/manifests/1", b"");
    assert_eq!((status, body), (200, image.manifest.clone()), "{head}");
    let (digest, _) = &image.layers[0];
    assert_eq!(server.ask(&format!("GET /v2/hub.example/team/app/blobs/{digest}"), b"").2, layer);
    hub.add(Rule::on("*", "").answer(Answer::error(503, "UNKNOWN", "closed")));
    let (status, head, body) = server.ask("GET /v2/team/app/manifests/1?ns=hub.example", b"");
    assert_eq!((status, body), (200, image.manifest), "{head}");
    assert!(field(&head, "warning").starts_with("110 - "), "{head}");
    assert_eq!(server.ask("POST /v2/hub.example/team/app/blobs/uploads/", b"").0, 405);
    let (status, said) = server.end(Signal::TERM);
    assert!(status.success(), "{status}");
    assert!(said.contains("`hub.example` could not be asked for `team/app`"), "{said}");
}

#[test]
fn a_cache_of_nothing_is_a_mistake_of_the_command_line() {
    let tug = Tug::new();
    for (words, said) in [
        (&["--proxy", "a/b"][..], "`a/b` is no host"),
        (&["--proxy", "a.io=http://b.io"], "`http://b.io` is not encrypted"),
        (&["--proxy-default", "docker.io"], "`--proxy` is missing"),
        (&["--proxy", "a.io", "--proxy-ttl", "5"], "expected a number"),
    ] {
        let output = tug.command(&[&["serve"], words].concat()).output().expect("tug can be started");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(said), "{words:?}: {text}");
    }
}
