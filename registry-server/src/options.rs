//! What a server is told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::access::AccessOptions;
use crate::limits::Limits;
use crate::observer::{Observer, Silent};
use crate::proxy::ProxyOptions;
use crate::storage::CollectOptions;
use crate::tls::TlsOptions;

/// What a server is told before it starts. The defaults are those of `tug serve`, but for the address: a free port of
/// the loopback interface.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Port 0 means any free one.
    pub address: SocketAddr,
    /// The folder that holds everything. It is made when it is missing.
    pub root: PathBuf,
    /// Whether to wait for the disk before saying that something is kept. Without, a power failure can take what was
    /// pushed last; a killed server cannot.
    pub sync: bool,
    /// The largest manifest that is taken, in bytes. Everybody should take 4 MiB.
    pub max_manifest: usize,
    /// The most entries in one page of a list of repositories or referrers.
    pub max_page: usize,
    /// How many bytes of a refused request are still read, so that the client sees the reason.
    pub max_drained: u64,
    /// How long requests under way may take when the server stops.
    pub stop_time: Duration,
    /// How often, and how, the server takes away what nothing refers to; `None` is never.
    pub collect: Option<(Duration, CollectOptions)>,
    /// Who may come in, and what may be changed.
    pub access: AccessOptions,
    /// How much time, connections and bytes clients may take.
    pub limits: Limits,
    /// What connections are encrypted with; without, they are not.
    pub tls: Option<TlsOptions>,
    /// What other registries have and is fetched when somebody asks for it, if anything.
    pub proxy: Option<ProxyOptions>,
    /// Who hears what happens.
    pub observer: Arc<dyn Observer>,
}

impl Options {
    /// The defaults, with everything in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            root: root.into(),
            sync: true,
            max_manifest: 4 << 20,
            max_page: 1000,
            max_drained: 64 << 20,
            stop_time: Duration::from_secs(30),
            collect: None,
            access: AccessOptions::default(),
            limits: Limits::default(),
            tls: None,
            proxy: None,
            observer: Arc::new(Silent),
        }
    }
}
