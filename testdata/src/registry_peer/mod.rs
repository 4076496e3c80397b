//! A registry on this machine that is right until a test says otherwise.
//!
//! ```no_run
//! use tug_testdata::registry_peer::{Behaviour, End, Peer, Rule, noise};
//!
//! let peer = Peer::start(Behaviour::default());
//! let image = peer.contents(|contents| contents.repository("app").add_image("latest", &[noise(100_000, 1)]));
//! peer.add(Rule::on("GET", "/blobs/").once().cut(5_000, End::Reset));
//! // … pull `{peer.address()}/app:latest`, then look at `peer.exchanges()`.
//! ```
//!
//! It is a second, simpler opinion of the protocol. [`Behaviour`] says what kind of registry it is (whose tokens, whose
//! uploads, whose lists), a [`Rule`] what goes wrong with single requests, [`Exchange`] what came and what went out.
//! Every connection is kept and has a thread of its own.

mod answer;
mod behaviour;
mod contents;
mod exchange;
mod lists;
mod protocol;
mod rule;
mod serve;
mod tls;
mod tokens;
mod uploads;
mod wire;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

pub use answer::{Answer, End};
pub use behaviour::{
    Access, Account, AfterCut, Bearer, Behaviour, Lists, Location, More, Mounts, Referrers, Uploads,
};
pub use contents::{
    CONFIG, Contents, GZIP_LAYER, INDEX, Image, LAYER, MANIFEST, Repository, descriptor, noise, sha256,
};
pub use exchange::Exchange;
pub use rule::Rule;
pub use tls::{Authority, Certificate, Tls, Validity};
pub use tokens::base64;
pub use wire::Request;

use exchange::Log;
use serve::Inner;

/// A registry that runs until it is dropped.
#[derive(Debug)]
pub struct Peer {
    inner: Arc<Inner>,
}

impl Peer {
    /// Starts an empty registry on a free port of 127.0.0.1.
    pub fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, Arc::default())
    }

    /// Starts a registry with the contents of another one: another way to the same blobs and uploads.
    pub fn start_beside(other: &Self, behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, Arc::clone(&other.inner.contents))
    }

    fn start_with(behaviour: Behaviour, contents: Arc<Mutex<Contents>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let inner = Arc::new(Inner {
            address: listener.local_addr().expect("a listener has an address").to_string(),
            scheme: if behaviour.tls.is_some() { "https" } else { "http" },
            rules: Mutex::new(behaviour.rules.clone()),
            behaviour,
            contents,
            log: Log::default(),
            stops: AtomicBool::new(false),
        });
        let serving = Arc::clone(&inner);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if serving.stops.load(Ordering::Relaxed) {
                    break;
                }
                let serving = Arc::clone(&serving);
                thread::spawn(move || {
                    let number = serving.log.connected();
                    // The client may be gone; that is for the test to find out.
                    let _ = serving.serve(socket, number);
                    serving.log.disconnected();
                });
            }
        });
        Self { inner }
    }

    /// Adds a fault. It comes after those that are there.
    pub fn add(&self, rule: Rule) {
        lock(&self.inner.rules).push(rule);
    }

    /// Takes all faults away.
    pub fn clear_rules(&self) {
        lock(&self.inner.rules).clear();
    }

    /// Looks at what is in the registry, or changes it.
    pub fn contents<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        change(&mut lock(&self.inner.contents))
    }

    /// Puts an image of plain layers there and tags it.
    pub fn add_image(&self, name: &str, tag: &str, layers: &[Vec<u8>]) -> Image {
        self.contents(|contents| contents.repository(name).add_image(tag, layers))
    }

    /// Puts a blob there and gives its digest.
    pub fn add_blob(&self, name: &str, bytes: &[u8]) -> String {
        self.contents(|contents| contents.repository(name).add_blob(bytes))
    }

    /// Lets the requests go on that rules hold, now and from now on.
    pub fn release(&self) {
        self.inner.log.release();
    }

    /// Waits until the exchanges are as `holds` wants them. Panics with `what` when that takes a minute.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&[Exchange]) -> bool) {
        self.inner.log.wait_until(what, holds);
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.inner
            .address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("an address has a port")
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.inner.base())
    }

    /// All that came so far, in the order of its coming.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.inner.log.exchanges()
    }

    /// Those of them with this method (`*`: any) whose path and query contain `part`.
    pub fn asked(&self, method: &str, part: &str) -> Vec<Exchange> {
        self.exchanges().into_iter().filter(|exchange| exchange.is(method, part)).collect()
    }

    /// Each of them as `GET /v2/ 200`.
    pub fn lines(&self) -> Vec<String> {
        self.exchanges().iter().map(Exchange::line).collect()
    }

    /// How many bytes of bodies went out for these requests. A client that leaves may not have got the last of them.
    pub fn sent(&self, method: &str, part: &str) -> u64 {
        self.asked(method, part).iter().map(|exchange| exchange.sent).sum()
    }

    /// How many bytes of bodies came with these requests.
    pub fn received(&self, method: &str, part: &str) -> u64 {
        self.asked(method, part).iter().map(|exchange| exchange.received).sum()
    }

    /// The most connections that were open at once.
    pub fn most_connections(&self) -> usize {
        self.inner.log.most().0
    }

    /// The most requests that were under way at once.
    pub fn most_requests(&self) -> usize {
        self.inner.log.most().1
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.inner.log.open_connections()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.inner.stops.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(&self.inner.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
