//! The client: whom to ask for a repository, and how a question is asked until there is an answer.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use reqwest::Url;
use tokio::sync::OnceCell;

use crate::auth::{Asking, Auth, Scope, identity};
use crate::credentials::{Credential, PassedOver};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::hosts::{Endpoint, Operation};
use crate::options::Options;
use crate::repository::Repository;
use crate::retry;
use crate::text;
use crate::transport::{Answer, Connection, Payload, Request, Transport, failure};
use crate::upload::Uploads;

type Found = Arc<OnceCell<Option<Arc<Credential>>>>;

/// A client of registries. Clones share connections, tokens and pauses.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    transport: Transport,
    auth: Auth,
    /// Which scheme a host with several was found to speak.
    bases: Mutex<HashMap<String, Arc<OnceCell<Url>>>>,
    credentials: Mutex<HashMap<(Repository, bool), Found>>,
    /// Mirrors that are not asked any more, by their hosts.
    distrusted: Mutex<HashSet<String>>,
    uploads: Uploads,
}

/// One server of a repository, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    /// The address of the protocol: `https://host:port/v2/`.
    base: Url,
    credential: Option<Arc<Credential>>,
}

/// A question.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What a token must allow: the repository that is asked first.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) is_bulk: bool,
    /// How often it may fail in a way that may pass. 0: as the limits say.
    pub(crate) attempts: u32,
}

impl Call {
    pub(crate) fn new(method: Method, url: Url, scopes: Vec<Scope>) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, url, headers, body, scopes, is_bulk: false, attempts: 0 }
    }

    pub(crate) fn header(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Place {
    /// The address of a part of the repository: `manifests/latest`. A mirror is told whom it stands for.
    pub(crate) fn url(&self, part: &str) -> Url {
        let mut url = self.root(&format!("{}/{part}", self.endpoint.repository));
        if let Some(namespace) = &self.endpoint.ns {
            url.query_pairs_mut().append_pair("ns", namespace);
        }
        url
    }

    /// The address of something that belongs to no repository: `_catalog`.
    pub(crate) fn root(&self, part: &str) -> Url {
        self.base.join(part).expect("names, tags and digests make a path")
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        text::authority(&self.base)
    }

    /// The repository's name on this host.
    pub(crate) fn name(&self) -> &str {
        &self.endpoint.repository
    }

    pub(crate) fn connection(&self, is_bulk: bool) -> Connection {
        Connection { tls: self.endpoint.tls.clone(), is_bulk, dial_timeout: self.endpoint.dial_timeout }
    }

    /// The headers that the user has configured for this server.
    pub(crate) fn add_configured(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.endpoint.headers {
            if let (Ok(name), Ok(mut value)) =
                (name.parse::<http::HeaderName>(), http::HeaderValue::from_str(value.reveal()))
            {
                value.set_sensitive(true);
                headers.append(name, value);
            }
        }
    }

    /// Whether an address is on this very server.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        text::is_same_origin(&self.base, url)
    }

    /// Who asks, for messages.
    pub(crate) fn identity(&self) -> String {
        identity(self.credential.as_deref())
    }
}

impl Client {
    /// A client that has not connected to anything yet.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            transport: Transport::new(options),
            auth: Auth::default(),
            bases: Mutex::default(),
            credentials: Mutex::default(),
            distrusted: Mutex::default(),
            uploads: Uploads::default(),
        }))
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// The uploads that go on.
    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// How long this client waits, and how much it takes.
    pub(crate) fn limits(&self) -> &crate::options::Limits {
        &self.0.transport.options().limits
    }

    /// The mirror at `host` is not asked any more: what it served was not what was wanted. A primary source stays.
    pub fn distrust(&self, host: &str) {
        self.0.distrusted.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    }

    fn is_distrusted(&self, host: &str) -> bool {
        self.0.distrusted.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    /// The servers of a repository, to be asked in turn.
    pub(crate) fn sources(
        &self,
        repository: &Repository,
        operation: Operation,
    ) -> Result<Sources<'_>, Error> {
        let mut endpoints = self.0.transport.options().hosts.endpoints(repository, operation)?;
        endpoints.reverse();
        Ok(Sources { client: self, repository: repository.to_string(), left: endpoints, last: None })
    }

    /// The server that takes what is pushed.
    pub(crate) async fn primary(&self, repository: &Repository) -> Result<Place, Error> {
        let mut endpoints = self.0.transport.options().hosts.endpoints(repository, Operation::Push)?;
        match endpoints.pop() {
            Some(endpoint) => self.place(endpoint).await,
            None => Err(Error::new(Kind::Blocked, format!("nothing may be pushed to `{repository}`"))),
        }
    }

    /// Finds out what is needed before a server can be asked.
    async fn place(&self, endpoint: Endpoint) -> Result<Place, Error> {
        let credential = self.credential(&endpoint).await?;
        let base = self.base(&endpoint).await?;
        Ok(Place { endpoint, base, credential })
    }

    /// Credentials are looked up once; a helper program may take a while.
    async fn credential(&self, endpoint: &Endpoint) -> Result<Option<Arc<Credential>>, Error> {
        let found: Found = {
            let mut known = self.0.credentials.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (endpoint.uses_credentials_of.clone(), endpoint.is_mirror);
            Arc::clone(known.entry(key).or_default())
        };
        let look = || async {
            let credentials = Arc::clone(&self.0.transport.options().credentials);
            let endpoint = endpoint.clone();
            let look = move || (credentials.for_endpoint(&endpoint), credentials.newly_passed_over());
            let looked = tokio::task::spawn_blocking(look).await;
            let (looked, passed_over) =
                looked.map_err(|_| Error::new(Kind::Config, "the search for credentials broke off"))?;
            for PassedOver { path, reason } in passed_over {
                self.0.transport.tell(Event::CredentialsSkipped { path, reason });
            }
            Ok::<_, Error>(looked?.map(Arc::new))
        };
        found.get_or_try_init(look).await.cloned()
    }

    /// The address of the protocol; where plain http is allowed beside https, what answers.
    async fn base(&self, endpoint: &Endpoint) -> Result<Url, Error> {
        let bases: Vec<Url> = endpoint.api_roots().into_iter().map(with_slash).collect();
        let [first, others @ ..] = bases.as_slice() else {
            return Err(Error::new(Kind::Config, format!("`{}` is no address", endpoint.address)));
        };
        if others.is_empty() {
            return Ok(first.clone());
        }
        let key = endpoint.address.to_string();
        let known = {
            let mut known = self.0.bases.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(key).or_default())
        };
        known.get_or_try_init(|| self.find_base(endpoint, &bases)).await.cloned()
    }

    /// The first address that answers.
    async fn find_base(&self, endpoint: &Endpoint, bases: &[Url]) -> Result<Url, Error> {
        let host = endpoint.address.to_string();
        let mut failed = None;
        for base in bases {
            match self.probe(endpoint, base).await {
                Ok(()) => {
                    if base.scheme() == "http" {
                        self.0.transport.tell(Event::PlainHttp { host });
                    }
                    return Ok(base.clone());
                }
                // It speaks TLS, and is not to be trusted: plain http would not make that better.
                Err(error) if error.is_distrust() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Kind::Config, format!("`{host}` is no address"))))
    }

    /// Whether anything answers there.
    async fn probe(&self, endpoint: &Endpoint, base: &Url) -> Result<(), Error> {
        let tls = endpoint.tls.clone();
        let request = Request {
            method: Method::GET,
            url: base.clone(),
            headers: HeaderMap::new(),
            authorization: None,
            body: Payload::None,
            connection: Connection { tls, is_bulk: false, dial_timeout: endpoint.dial_timeout },
            answer_within: Some(self.limits().answer),
        };
        self.0.transport.exchange(request).await.map(drop)
    }

    /// Asks until there is an answer that is neither 401 nor a failure that may pass.
    pub(crate) async fn call(&self, place: &Place, call: Call) -> Result<Answer, Error> {
        let Call { method, url, headers, body, mut scopes, is_bulk, attempts } = call;
        let attempts = match (attempts, place.endpoint.is_mirror) {
            (0, true) => self.limits().mirror_attempts,
            (0, false) => self.limits().attempts,
            (attempts, _) => attempts,
        };
        let transport = &self.0.transport;
        let authority = place.authority();
        let connection = self.connection_to(place, &url, is_bulk)?;
        let asking = self.asking(place, &authority, &connection);
        let is_own = text::is_same_origin(&place.base, &url);
        let gate = transport.gate(&authority);
        let (mut failures, mut learned) = (0, 0);
        loop {
            gate.pass().await;
            // Uploads may lead to another host, which gets no credentials.
            let authorization = match is_own {
                true => self.0.auth.authorization(asking, &scopes).await?,
                false => None,
            };
            let mut headers = headers.clone();
            if is_own {
                place.add_configured(&mut headers);
            }
            let request = Request {
                method: method.clone(),
                url: url.clone(),
                headers,
                authorization: authorization.clone(),
                body: match body.is_empty() {
                    true => Payload::None,
                    false => Payload::Bytes(body.clone()),
                },
                connection: connection.clone(),
                answer_within: Some(self.limits().answer),
            };
            let error = match transport.exchange(request).await {
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    learned += 1;
                    let is_theirs = is_own && text::is_same_origin(&place.base, &answer.url);
                    if is_theirs
                        && learned <= 2
                        && self.0.auth.learn(asking, &answer, &mut scopes, authorization.as_ref())?
                    {
                        answer.drain().await;
                        continue;
                    }
                    return Err(failure::of_answer(answer, &place.identity()).await);
                }
                Ok(answer) if retry::is_for_now(answer.status.as_u16()) => {
                    failure::of_answer(answer, &place.identity()).await
                }
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let shown = format!("{method} {}", text::address(&url));
            transport.rest(&authority, &shown, error, failures, attempts).await?;
        }
    }

    /// What to send with a request that is made outside [`Client::call`], because its body can be sent only once.
    pub(crate) async fn authorization(
        &self,
        place: &Place,
        url: &Url,
        scopes: &[Scope],
    ) -> Result<Option<http::HeaderValue>, Error> {
        if !text::is_same_origin(&place.base, url) {
            return Ok(None);
        }
        let (authority, connection) = (place.authority(), place.connection(true));
        let asking = self.asking(place, &authority, &connection);
        self.0.auth.authorization(asking, scopes).await
    }

    /// Learns from an answer 401 to such a request. False when there is nothing more that could be sent.
    pub(crate) fn learn(
        &self,
        place: &Place,
        answer: &Answer,
        scopes: &mut Vec<Scope>,
        sent: Option<&http::HeaderValue>,
    ) -> Result<bool, Error> {
        if !text::is_same_origin(&place.base, &answer.url) {
            return Ok(false);
        }
        let (authority, connection) = (place.authority(), place.connection(true));
        let asking = self.asking(place, &authority, &connection);
        self.0.auth.learn(asking, answer, scopes, sent)
    }

    fn asking<'a>(&'a self, place: &'a Place, authority: &'a str, connection: &'a Connection) -> Asking<'a> {
        let credential = place.credential.as_deref();
        Asking { transport: &self.0.transport, authority, connection, credential }
    }

    /// The connection to an address that a registry has named: the user's settings for the registry are for its own.
    pub(crate) fn connection_to(&self, place: &Place, url: &Url, is_bulk: bool) -> Result<Connection, Error> {
        let mut connection = place.connection(is_bulk);
        if !place.is_own(url) {
            connection.tls = self.0.transport.tls(&text::authority(url))?;
        }
        Ok(connection)
    }

    /// What a repository is called on the host of `place`, if what is pushed to it goes there.
    pub(crate) fn name_on(&self, place: &Place, repository: &Repository) -> Option<String> {
        let hosts = &self.0.transport.options().hosts;
        let endpoint = hosts.endpoints(repository, Operation::Push).ok()?.pop()?;
        let is_there =
            endpoint.address == place.endpoint.address && endpoint.api_path == place.endpoint.api_path;
        is_there.then_some(endpoint.repository)
    }

    /// The error of an answer that is none that was hoped for.
    pub(crate) async fn refusal(&self, place: &Place, answer: Answer) -> Error {
        failure::of_answer(answer, &place.identity()).await
    }
}

/// The servers of a repository that have not been asked yet. What a mirror cannot do, the next one may.
pub(crate) struct Sources<'a> {
    client: &'a Client,
    repository: String,
    /// The next one is the last.
    left: Vec<Endpoint>,
    last: Option<Error>,
}

impl Sources<'_> {
    /// The next server; the error of the last one when all have been asked.
    pub(crate) async fn next(&mut self) -> Result<Place, Error> {
        while let Some(endpoint) = self.left.pop() {
            let host = endpoint.address.to_string();
            let is_mirror = endpoint.is_mirror;
            if is_mirror && self.client.is_distrusted(&host) {
                continue;
            }
            match self.client.place(endpoint).await {
                Ok(place) => return Ok(place),
                Err(error) => self.pass_over(host, is_mirror, error)?,
            }
        }
        Err(self.last.take().unwrap_or_else(|| {
            Error::new(Kind::Blocked, format!("no server may be asked for `{}`", self.repository))
                .with_hint("see what registries.conf says about it")
        }))
    }

    /// What a server could not do: the next one is asked, unless it was the registry itself.
    pub(crate) fn failed(&mut self, place: &Place, error: Error) -> Result<(), Error> {
        self.pass_over(place.endpoint.address.to_string(), place.endpoint.is_mirror, error)
    }

    fn pass_over(&mut self, host: String, is_mirror: bool, error: Error) -> Result<(), Error> {
        if !is_mirror || matches!(error.kind(), Kind::Cancelled | Kind::File) {
            return Err(error);
        }
        // One that does not answer is not waited for again.
        if matches!(error.kind(), Kind::Unreachable | Kind::Stalled | Kind::Tls | Kind::Digest) {
            self.client.distrust(&host);
        }
        self.client.transport().tell(Event::MirrorSkipped { host, reason: error.to_string() });
        self.last = Some(error);
        Ok(())
    }
}

/// So that what is joined to it comes below it.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tug_oci::Descriptor;

    use super::*;
    use crate::download::BlobSink;
    use crate::manifest::Target;
    use crate::upload::BlobSource;

    fn goes_to_other_threads(_future: impl Future + Send) {}

    #[test]
    fn what_a_client_does_can_be_spawned() {
        fn all(
            client: &Client,
            repository: &Repository,
            target: &Target,
            blob: &Descriptor,
            sink: Arc<dyn BlobSink>,
            source: Arc<dyn BlobSource>,
        ) {
            goes_to_other_threads(client.manifest(repository, target));
            goes_to_other_threads(client.head_manifest(repository, target));
            goes_to_other_threads(client.put_manifest(repository, target, "", Bytes::new()));
            goes_to_other_threads(client.small_blob(repository, blob, 1));
            goes_to_other_threads(client.blob_size(repository, &blob.digest));
            goes_to_other_threads(client.download(repository, blob, sink));
            goes_to_other_threads(client.upload(repository, source, &[]));
            goes_to_other_threads(client.cancel_uploads());
        }
        let _ = all;
    }
}
