//! The pull-through cache: what other registries have is fetched when somebody asks for it, kept, and served from here.
//!
//! | module      | what it decides                                                     |
//! | ----------- | ------------------------------------------------------------------- |
//! | `upstream`  | which registries there are, and which repository of one is meant    |
//! | `manifests` | when a tag is looked after, and what is served when that fails      |
//! | `blobs`     | how a blob comes in                                                 |
//! | `arrival`   | the file that it comes into                                         |
//! | `flights`   | that many who want the same ask for it once                         |
//! | `failure`   | what clients are told of what went wrong upstream                   |
//!
//! What has come lies in a repository `HOST/NAME` of the ordinary storage: rules, lists, referrers and the collector
//! treat it like any other. Who may read was decided before anything here is called. The credentials of a client end
//! at this server; those of the server are known to [`tug_registry_client::Client`] alone.

mod arrival;
mod blobs;
mod failure;
mod flights;
mod manifests;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tug_registry_client::{Client, Options as ClientOptions, Repository};

use crate::metrics::Metrics;
use crate::names::{NameError, RepositoryName, Tag};
use crate::observer::{Event, Observer};
use crate::options::Options;
use crate::storage::{Error, Storage};

pub(crate) use failure::Failure;
use flights::Flights;
pub(crate) use manifests::Found;
pub use upstream::{Upstream, UpstreamError};

/// The most attempts that are made for one request: its client waits, and may try again itself.
const ATTEMPTS: u32 = 3;

/// The registries that a server fetches from, and how.
#[derive(Clone)]
pub struct ProxyOptions {
    /// Which ones.
    pub upstreams: Vec<Upstream>,
    /// The [name](Upstream::name) of the one that is meant by names that say none: everything that is asked for is then
    /// its. Nothing can be pushed to such a server.
    pub default: Option<String>,
    /// How long a tag is served before it is looked whether it has changed.
    pub fresh_for: Duration,
    /// How long a client waits for news of a tag that is here already.
    pub patience: Duration,
    /// How long a registry that has failed is not asked for news of tags that are here. One that names a longer time
    /// is given it.
    pub rest: Duration,
    /// How they are reached: credentials, certificates, mirrors.
    pub client: ClientOptions,
}

impl ProxyOptions {
    /// The defaults, with these registries.
    pub fn new(upstreams: Vec<Upstream>, client: ClientOptions) -> Self {
        Self {
            upstreams,
            default: None,
            fresh_for: Duration::from_secs(300),
            patience: Duration::from_secs(10),
            rest: Duration::from_secs(30),
            client,
        }
    }
}

impl fmt::Debug for ProxyOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProxyOptions")
            .field("upstreams", &self.upstreams)
            .field("default", &self.default)
            .field("fresh_for", &self.fresh_for)
            .finish_non_exhaustive()
    }
}

/// The cache at work.
pub(crate) struct Proxy {
    options: ProxyOptions,
    client: Client,
    storage: Arc<Storage>,
    metrics: Arc<Metrics>,
    observer: Arc<dyn Observer>,
    max_manifest: usize,
    max_blob: u64,
    flights: Flights<Result<Found, Failure>>,
    /// When each tag was last found to be what it is upstream.
    checked: Mutex<HashMap<(RepositoryName, Tag), Instant>>,
    /// Registries that have failed, until when they are left alone, and how they failed.
    resting: Mutex<HashMap<String, (Instant, Failure)>>,
}

/// A repository of another registry.
#[derive(Debug)]
pub(crate) struct Proxied {
    /// The name of the registry.
    pub(crate) upstream: String,
    /// What is asked for.
    pub(crate) remote: Repository,
    /// Where it is kept.
    pub(crate) local: RepositoryName,
}

/// Whose a repository is.
#[derive(Debug)]
pub(crate) enum Place {
    /// Of this registry.
    Own,
    /// Of another one.
    Proxied(Arc<Proxied>),
    /// Of one that this server does not fetch from.
    Unknown(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(out)
    }
}

impl Proxy {
    /// Makes the cache that `options` ask for. The error is a sentence.
    pub(crate) fn open(
        options: &Options,
        storage: &Arc<Storage>,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Arc<Self>>, String> {
        let Some(mut proxy) = options.proxy.clone() else { return Ok(None) };
        if let Some(default) = &proxy.default
            && !proxy.upstreams.iter().any(|upstream| upstream.name() == default)
        {
            return Err(format!(
                "`{default}` is to be the registry of names that say none, and is not proxied"
            ));
        }
        for (number, upstream) in proxy.upstreams.iter().enumerate() {
            if proxy.upstreams[..number].iter().any(|other| other.folder() == upstream.folder()) {
                return Err(format!("`{}` is proxied twice", upstream.name()));
            }
        }
        let limits = &mut proxy.client.limits;
        limits.attempts = limits.attempts.min(ATTEMPTS);
        limits.longest_wait = limits.longest_wait.min(proxy.patience);
        Ok(Some(Arc::new(Self {
            client: Client::new(proxy.client.clone()),
            options: proxy,
            storage: Arc::clone(storage),
            metrics: Arc::clone(metrics),
            observer: Arc::clone(&options.observer),
            max_manifest: options.max_manifest,
            max_blob: options.limits.max_blob,
            flights: Flights::default(),
            checked: Mutex::default(),
            resting: Mutex::default(),
        })))
    }

    /// Whose repository `name` is, where the client says that it stands for the registry `ns`, or says nothing.
    pub(crate) fn locate(&self, name: &RepositoryName, ns: Option<&str>) -> Result<Place, NameError> {
        let text = name.as_str();
        let named = |wanted: &str| self.options.upstreams.iter().find(|upstream| upstream.name() == wanted);
        let (upstream, rest) = match ns {
            Some(ns) => match named(&ns.to_ascii_lowercase()) {
                Some(upstream) => (upstream, text),
                None => return Ok(Place::Unknown(ns.to_owned())),
            },
            None => {
                let by_folder = text.split_once('/').and_then(|(first, rest)| {
                    let found = self.options.upstreams.iter().find(|upstream| upstream.folder() == first);
                    Some((found?, rest))
                });
                match (by_folder, self.options.default.as_deref().and_then(named)) {
                    (Some(found), _) => found,
                    (None, Some(default)) => (default, text),
                    (None, None) => return Ok(Place::Own),
                }
            }
        };
        let (remote, local) = upstream.repository(rest)?;
        Ok(Place::Proxied(Arc::new(Proxied { upstream: upstream.name().to_owned(), remote, local })))
    }

    /// Does `work` with the storage, on a thread that may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let storage = Arc::clone(&self.storage);
        match tokio::task::spawn_blocking(move || work(&storage)).await {
            Ok(done) => done.map_err(|error| Failure::Storage(Arc::new(error))),
            Err(_) => Err(Failure::Broken),
        }
    }

    /// Tells the log what a registry said; clients hear less.
    fn failed(&self, from: &Proxied, error: &tug_registry_client::Error) -> Failure {
        let failure = Failure::of(error);
        if !matches!(failure, Failure::NotFound) {
            let what = format!("`{}` could not be asked for `{}`: {error}", from.upstream, from.remote.name);
            self.observer.event(Event::Problem { what });
        }
        failure
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
