//! Which request means what, and what is answered.
//!
//! | module         | endpoints (numbers of the specification)                                     |
//! | -------------- | ---------------------------------------------------------------------------- |
//! | `route`        | which one a path is for                                                      |
//! | `blobs`        | 2, 10: blobs, whole and in ranges                                            |
//! | `uploads`      | 4, 5, 6, 11, 13, 14: uploads in all their forms, and mounts                  |
//! | `append`       | how the body of an upload gets onto the disk                                    |
//! | `sessions`     | that only one request at a time writes to an upload                          |
//! | `manifests`    | 3, 7, 9                                                                      |
//! | `lists`        | 8 and `_catalog`                                                             |
//! | `referrers`    | 12                                                                           |
//! | `refusal`      | how no is said                                                               |
//! | `admission`    | who is let in; before anything else                                          |
//! | `token_service`| `/token`                                                                     |
//! | `proxied`      | what other registries have                                                   |
//! | `pages`        | `/healthz`, `/metrics`                                                       |
//! | `quota`        | whether there is room                                                        |

mod admission;
mod append;
mod blobs;
mod body;
mod lists;
mod manifests;
mod pages;
mod proxied;
mod query;
mod quota;
mod range;
mod referrers;
mod refusal;
mod request_body;
mod route;
mod sessions;
mod token_service;
mod uploads;

use std::fmt::Display;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tug_oci::Digest;

use crate::access::Caller;
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::names::RepositoryName;
use crate::observer::Event;
use crate::options::Options;
use crate::proxy::{Place, Proxied, Proxy};
use crate::storage::{Error, Storage};
use body::Body;
use query::Query;
use refusal::Refusal;
use request_body::RequestBody;
use route::Route;
use sessions::Sessions;

/// The digest of what an answer is about.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// An answer, or why there is none.
type Answer = Result<Response<Body>, Refusal>;

/// All that the endpoints share.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) storage: Arc<Storage>,
    pub(crate) options: Options,
    pub(crate) guard: Guard,
    proxy: Option<Arc<Proxy>>,
    sessions: Sessions,
}

/// A request whose path and parameters are understood.
#[derive(Debug)]
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: Query,
    /// The parameters as they were written, for links to a next page.
    path: String,
    caller: Caller,
    /// The other registry that the repository belongs to.
    from: Option<Arc<Proxied>>,
}

impl Registry {
    /// A registry over `storage`.
    pub(crate) fn new(
        storage: Arc<Storage>,
        options: Options,
        guard: Guard,
        proxy: Option<Arc<Proxy>>,
    ) -> Self {
        Self { storage, options, guard, proxy, sessions: Sessions::default() }
    }

    /// Answers a request. Runs to its end when the client goes away: what it had begun to send is kept.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_head = parts.method == Method::HEAD;
        let task = tokio::spawn(async move {
            let exchange = parts.extensions.get::<Arc<Exchange>>().cloned();
            let mut body = RequestBody::new(body, &parts.headers, exchange, &self.options.limits);
            let answer = self.dispatch(parts, &mut body).await;
            body.drain(self.options.max_drained);
            answer.unwrap_or_else(Refusal::into_response)
        });
        let mut response = task.await.unwrap_or_else(|_| {
            // A panic has been told already, by the hook of the process.
            let message = "something is wrong with the registry";
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message).into_response()
        });
        let headers = response.headers_mut();
        headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // HTTP/1.1 would say the length by itself, HTTP/2 leaves that of an empty body out.
        let length = http_body::Body::size_hint(response.body()).exact();
        let has_body = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let headers = response.headers_mut();
        if let (Some(length), true, false) = (length, has_body, headers.contains_key(header::CONTENT_LENGTH))
        {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        if is_head {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn dispatch(self: &Arc<Self>, parts: Parts, body: &mut RequestBody) -> Answer {
        let length = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if length > self.options.limits.max_uri {
            let message =
                format!("the address has {length} bytes: at most {} are read", self.options.limits.max_uri);
            return Err(Refusal::new(StatusCode::URI_TOO_LONG, "NAME_INVALID", message));
        }
        if let Some(answer) = self.own_page(&parts, body).await {
            return answer;
        }
        let route = Route::parse(&parts.method, parts.uri.path())?;
        let query = Query::parse(parts.uri.query())?;
        let (route, place) = self.locate(route, &query)?;
        let caller = self.admit(&parts, &route, &query).await?;
        let path = parts.uri.path().to_owned();
        let method = parts.method.clone();
        let is_read = matches!(method, Method::GET | Method::HEAD);
        let from = match place {
            Place::Own => None,
            Place::Unknown(ns) => return Err(proxied::not_known(&ns, route.repository())),
            Place::Proxied(from) if is_read => Some(from),
            Place::Proxied(from) => return Err(proxied::not_ours(&from)),
        };
        let asked = Asked { method: parts.method, headers: parts.headers, query, path, caller, from };
        match route {
            Route::Base if is_read => Ok(json(StatusCode::OK, "{}")),
            Route::Catalog if is_read => self.list_repositories(asked).await,
            Route::Tags(name) if is_read => self.list_tags(asked, name).await,
            Route::Referrers(name, digest) if is_read => self.list_referrers(asked, name, digest).await,
            Route::Blob(name, digest) if is_read => self.get_blob(asked, name, digest).await,
            Route::Blob(name, digest) if method == Method::DELETE => self.delete_blob(name, digest).await,
            Route::Manifest(name, reference) if is_read => self.get_manifest(asked, name, reference).await,
            Route::Manifest(name, reference) if method == Method::PUT => {
                self.put_manifest(asked, name, reference, body).await
            }
            Route::Manifest(name, reference) if method == Method::DELETE => {
                self.delete_manifest(name, reference).await
            }
            Route::Uploads(name) if method == Method::POST => self.begin_upload(asked, name, body).await,
            Route::Upload(name, id) if is_read => self.upload_status(name, id).await,
            Route::Upload(name, id) if method == Method::PATCH => self.add_chunk(asked, name, id, body).await,
            Route::Upload(name, id) if method == Method::PUT => self.end_upload(asked, name, id, body).await,
            Route::Upload(name, id) if method == Method::DELETE => self.cancel_upload(name, id).await,
            other => {
                let message = format!("{method} is not possible here");
                Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
                    .with_header(header::ALLOW, other.methods()))
            }
        }
    }

    /// Does `work` with the storage, on a thread that may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let storage = Arc::clone(&self.storage);
        let done = tokio::task::spawn_blocking(move || work(&storage)).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.refuse(&error)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Refuses what is asked of a repository in which nothing was ever kept.
    async fn must_exist(&self, name: &RepositoryName) -> Result<(), Refusal> {
        let repository = name.clone();
        match self.blocking(move |storage| Ok(storage.is_repository(&repository))).await? {
            true => Ok(()),
            false => Err(Refusal::unknown_name(name.as_str())),
        }
    }

    /// Forgets the uploads that the collector has given up.
    pub(crate) fn forget_ended_uploads(&self) {
        self.sessions.retain(|id| self.storage.has_upload(id));
    }

    /// Tells the log what is our fault, and the client as much as helps.
    fn refuse(&self, error: &Error) -> Refusal {
        let (refusal, problem) = Refusal::of_storage(error);
        if let Some(what) = problem {
            self.problem(what);
        }
        refusal
    }

    fn problem(&self, what: String) {
        self.options.observer.event(Event::Problem { what });
    }
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer in JSON.
fn json(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::of(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sets a header whose value is well formed by the grammar of what it shows.
fn set(response: &mut Response<Body>, name: HeaderName, value: impl Display) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        response.headers_mut().append(name, value);
    }
}

/// Where a blob is.
fn blob_location(name: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

/// What a browser or a client with a cache compares.
fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether a client already has what it asks for.
fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    let own = etag(digest);
    headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own
        })
    })
}
