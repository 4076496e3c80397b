//! One exchange: a request, redirects, an answer. Who asks, and how often, is decided above.
//!
//! Bulk and talk go over different connections: blobs over several of HTTP/1.1, for all streams of HTTP/2 share one
//! TCP connection; all else over HTTP/2 where there is one.

mod answer;
pub(crate) mod failure;
mod gate;
mod redirect;
mod rest;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WARNING};
use http::{Method, StatusCode};
use reqwest::Url;
use tokio::time::timeout;

pub(crate) use self::answer::Answer;
pub(crate) use self::gate::{Direction, Gate};
pub(crate) use self::redirect::{check as check_address, next as redirected};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::hosts::TlsSettings;
use crate::options::Options;
use crate::text;

/// What is sent with a request.
pub(crate) enum Payload {
    /// Nothing.
    None,
    /// Something that can be sent again.
    Bytes(Bytes),
    /// Something that can be sent once.
    Stream(reqwest::Body),
}

impl Payload {
    /// The same once more, if that is possible.
    fn again(&self) -> Option<Self> {
        match self {
            Self::None => Some(Self::None),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

/// What is asked.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Goes to the origin of `url` only.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) body: Payload,
    pub(crate) connection: Connection,
    /// Until the answer begins; without it as long as it takes, and the caller watches.
    pub(crate) answer_within: Option<Duration>,
}

/// Over what kind of connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Connection {
    pub(crate) tls: TlsSettings,
    pub(crate) is_bulk: bool,
    pub(crate) dial_timeout: Option<Duration>,
}

/// The connections of a client.
pub(crate) struct Transport {
    options: Options,
    clients: Mutex<HashMap<Connection, Client>>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    warned: Mutex<HashSet<(String, String)>>,
    answered: Mutex<HashSet<String>>,
}

/// A pool of connections.
#[derive(Clone)]
struct Client {
    inner: reqwest::Client,
    /// Somebody wanted to see a certificate of ours, and there is none.
    had_no_certificate: Arc<AtomicBool>,
}

impl Transport {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            clients: Mutex::default(),
            gates: Mutex::default(),
            warned: Mutex::default(),
            answered: Mutex::default(),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn tell(&self, event: Event) {
        self.options.observer.event(event);
    }

    /// What all requests to a host share.
    pub(crate) fn gate(&self, authority: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Gate::new(self.options.limits.connections));
        Arc::clone(gates.entry(authority.to_owned()).or_insert_with(new))
    }

    /// Sends a request and follows redirects. Any status is an answer.
    pub(crate) async fn exchange(&self, request: Request) -> Result<Answer, Error> {
        let Request { method, mut url, headers, authorization, mut body, mut connection, answer_within } =
            request;
        let origin = url.clone();
        let mut hops = 0;
        loop {
            let is_home = text::is_same_origin(&origin, &url);
            let shown = format!("{method} {}", text::address(&url));
            let again = body.again();
            let mut sent = reqwest::Request::new(method.clone(), url.clone());
            if is_home {
                sent.headers_mut().clone_from(&headers);
                if let Some(authorization) = &authorization {
                    sent.headers_mut().insert(AUTHORIZATION, authorization.clone());
                }
            } else {
                redirect::keep_harmless(&headers, sent.headers_mut());
            }
            match body {
                Payload::None => {}
                Payload::Bytes(bytes) => *sent.body_mut() = Some(bytes.into()),
                Payload::Stream(stream) => *sent.body_mut() = Some(stream),
            }
            let answer = self.send(shown, sent, &connection, answer_within).await?;
            self.warn(&answer);
            let follows = method == Method::GET || method == Method::HEAD;
            let is_redirect = match answer.status {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => follows || again.is_some(),
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => follows,
                _ => false,
            };
            if !is_redirect || !answer.headers.contains_key(http::header::LOCATION) {
                return Ok(answer);
            }
            hops += 1;
            if hops > self.options.limits.redirects {
                let message = format!("`{}`: redirected more than {} times", answer.request, hops - 1);
                return Err(Error::new(Kind::Protocol, message));
            }
            url = redirect::next(&answer)?;
            answer.drain().await;
            if !text::is_same_origin(&origin, &url) {
                connection.tls = self.tls(&text::authority(&url))?;
            }
            body = again.unwrap_or(Payload::None);
        }
    }

    async fn send(
        &self,
        shown: String,
        request: reqwest::Request,
        connection: &Connection,
        within: Option<Duration>,
    ) -> Result<Answer, Error> {
        let client = self.client(connection)?;
        let authority = text::authority(request.url());
        let sending = client.inner.execute(request);
        let sent = match within {
            None => sending.await,
            Some(within) => timeout(within, sending).await.map_err(|_| {
                let seconds = within.as_secs_f64();
                Error::new(Kind::Stalled, format!("`{shown}`: no answer came for {seconds} s"))
            })?,
        };
        match sent {
            Ok(response) => {
                self.answered().insert(authority);
                Ok(Answer::new(shown, response, &self.options.limits))
            }
            Err(error) => {
                let had_none = client.had_no_certificate.load(Ordering::Relaxed);
                match had_none && !self.answered().contains(&authority) {
                    true => Err(failure::of_request_without_certificate(&shown, &error)),
                    false => Err(failure::of_request(&shown, &error)),
                }
            }
        }
    }

    /// The servers that have answered anything.
    fn answered(&self) -> MutexGuard<'_, HashSet<String>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, connection: &Connection) -> Result<Client, Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(connection) {
            return Ok(client.clone());
        }
        let client = self.new_client(connection)?;
        clients.insert(connection.clone(), client.clone());
        Ok(client)
    }

    fn new_client(&self, connection: &Connection) -> Result<Client, Error> {
        let Options { tls, proxies, limits, user_agent, .. } = &self.options;
        let had_no_certificate = Arc::new(AtomicBool::new(false));
        let mut config = tls.client_config(&connection.tls, Arc::clone(&had_no_certificate))?;
        config.alpn_protocols = match connection.is_bulk {
            true => vec![b"http/1.1".to_vec()],
            false => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let proxies = Arc::clone(proxies);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .proxy(reqwest::Proxy::custom(move |url| proxies.proxy_for(url).map(|proxy| proxy.url().clone())))
            .connect_timeout(connection.dial_timeout.unwrap_or(limits.connect))
            .pool_idle_timeout(Duration::from_secs(50))
            .pool_max_idle_per_host(limits.connections.max(1) * 2)
            .tcp_nodelay(true)
            .user_agent(user_agent);
        if connection.is_bulk {
            builder = builder.http1_only();
        }
        let inner = builder.build().map_err(|error| {
            Error::new(Kind::Config, format!("cannot set up connections: {error}")).with_source(error)
        })?;
        Ok(Client { inner, had_no_certificate })
    }

    /// Whom to trust at another host that a registry names.
    pub(crate) fn tls(&self, authority: &str) -> Result<TlsSettings, Error> {
        Ok(self.options.hosts.registry(authority)?.tls)
    }

    /// Passes warnings on, each text once. Source: distribution-spec "Warnings", RFC 9111 section 5.5.
    fn warn(&self, answer: &Answer) {
        let texts = answer.headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok());
        for text in texts.filter_map(|header| header.strip_prefix("299 - \"")) {
            let text = text::shown(text.trim_end().strip_suffix('"').unwrap_or(text));
            let known = (answer.host(), text.clone());
            if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(known) {
                self.tell(Event::Warning { host: answer.host(), text });
            }
        }
    }
}
