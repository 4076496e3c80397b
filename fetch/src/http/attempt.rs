//! One request after another until a file has come: redirects, and taking up what broke.

use std::io::Read;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::percent_decode_str;
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body, Proxy};
use url::Url;

use super::options::HttpOptions;
use super::retry::{http_date, is_for_now, retry_after};
use super::url::{HttpUrl, shown};
use super::{Fetched, Known, Outcome, Sink};
use crate::error::Error;
use crate::stop::Stop;

const MOST_REDIRECTS: usize = 10;
const BUFFER: usize = 128 * 1024;

/// How a request ended without its file.
pub(super) enum Ended {
    /// It makes no sense to try again.
    Final(Error),
    /// It may go well another time.
    Again { after: Option<Duration>, error: Error },
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// A file that is being fetched, over as many requests as it takes.
pub(super) struct Attempt<'a> {
    agent: &'a Agent,
    options: &'a HttpOptions,
    url: &'a HttpUrl,
    known: &'a Known,
    /// What was written so far, and the `ETag` of what it is a part of.
    part: Option<(u64, String)>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        agent: &'a Agent,
        options: &'a HttpOptions,
        url: &'a HttpUrl,
        known: &'a Known,
    ) -> Self {
        Self { agent, options, url, known, part: None }
    }

    /// Asks once, following redirects.
    pub(super) fn run(&mut self, sink: &mut dyn Sink, stop: &Stop) -> Result<Outcome, Ended> {
        let mut url = self.url.url().clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask(&url)?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                url = self.redirected(&url, response.headers())?;
                continue;
            }
            return self.answered(&url, response, sink, stop);
        }
        Err(self.no_redirect(&url, "and that goes on and on").into())
    }

    fn ask(&self, url: &Url) -> Result<Response<Body>, Ended> {
        let mut bare = url.clone();
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let mut request = self.agent.get(bare.as_str());
        if let Some(authorization) = self.authorization(url) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        match &self.part {
            Some((count, etag)) => {
                request = request.header(header::RANGE, format!("bytes={count}-"));
                request = request.header(header::IF_RANGE, etag);
            }
            None => {
                if let Some(etag) = &self.known.etag {
                    request = request.header(header::IF_NONE_MATCH, etag);
                } else if let Some(date) = &self.known.last_modified {
                    request = request.header(header::IF_MODIFIED_SINCE, date);
                }
            }
        }
        let proxy = self.proxy(url)?;
        request.config().proxy(proxy).build().call().map_err(|error| self.broken(error))
    }

    /// The credentials of the host, or those in the address. A redirect to another host has none of the first.
    fn authorization(&self, url: &Url) -> Option<String> {
        let host = url.host_str()?;
        let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let given = self.options.credentials.iter().find(|credential| credential.host == with_port);
        if let Some(given) = given {
            return Some(given.authorization.clone());
        }
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        Some(basic(url.username(), url.password().unwrap_or_default()))
    }

    fn proxy(&self, url: &Url) -> Result<Option<Proxy>, Error> {
        let Some(text) = self.options.proxies.of(url) else { return Ok(None) };
        let proxy = Proxy::new(text).map_err(|_| Error::Proxy {
            url: shown(url),
            reason: "its address cannot be read; expected `http://host:port` or `socks5://host:port`"
                .to_owned(),
        })?;
        Ok(Some(proxy))
    }

    fn redirected(&self, from: &Url, headers: &HeaderMap) -> Result<Url, Error> {
        let answer = |reason: &str| Error::Answer { url: shown(from), reason: reason.to_owned() };
        let location = headers.get(header::LOCATION).ok_or_else(|| answer("a redirect to nowhere"))?;
        let location = location.to_str().map_err(|_| answer("a redirect to what is not text"))?;
        let here = HttpUrl::try_from(from.clone()).map_err(|error| answer(&error.to_string()))?;
        let mut target = here.join(location).map_err(|error| answer(&error.to_string()))?;
        target.set_fragment(None);
        if !matches!(target.scheme(), "http" | "https") {
            return Err(self.no_redirect(&target, "which is no web address"));
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err(self.no_redirect(&target, "which is not secure"));
        }
        // The same place keeps the user and password of the address.
        if target.origin() == from.origin() && target.username().is_empty() {
            let _ = target.set_username(from.username());
            let _ = target.set_password(from.password());
        }
        Ok(target)
    }

    fn no_redirect(&self, target: &Url, reason: &'static str) -> Error {
        Error::Redirect { url: self.url.to_string(), target: shown(target), reason }
    }

    fn answered(
        &mut self,
        url: &Url,
        response: Response<Body>,
        sink: &mut dyn Sink,
        stop: &Stop,
    ) -> Result<Outcome, Ended> {
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && self.part.is_none() && *self.known != Known::default() {
            return Ok(Outcome::Unchanged);
        }
        let is_rest = status == StatusCode::PARTIAL_CONTENT && self.is_rest(response.headers());
        if !is_rest && status != StatusCode::OK {
            self.forget_part(sink)?;
            let error = Error::Status { url: shown(url), status: status.as_u16(), attempts: 1 };
            let after = text(response.headers(), header::RETRY_AFTER);
            let now = jiff::Timestamp::now().as_second();
            let after = after.and_then(|text| retry_after(text, now));
            return Err(match is_for_now(status.as_u16()) || status == StatusCode::RANGE_NOT_SATISFIABLE {
                true => Ended::Again { after, error },
                false => Ended::Final(error),
            });
        }
        if !is_rest {
            self.forget_part(sink)?;
        }
        self.receive(response, sink, stop)
    }

    /// Whether an answer goes on where we stopped.
    fn is_rest(&self, headers: &HeaderMap) -> bool {
        let Some((count, _)) = &self.part else { return false };
        let range = text(headers, header::CONTENT_RANGE).unwrap_or_default();
        range.trim().strip_prefix("bytes ").is_some_and(|range| range.starts_with(&format!("{count}-")))
    }

    fn forget_part(&mut self, sink: &mut dyn Sink) -> Result<(), Error> {
        if self.part.take().is_some() {
            sink.restart().map_err(|source| Error::Write { url: self.url.to_string(), source })?;
        }
        Ok(())
    }

    fn receive(
        &mut self,
        response: Response<Body>,
        sink: &mut dyn Sink,
        stop: &Stop,
    ) -> Result<Outcome, Ended> {
        let headers = response.headers();
        let etag = text(headers, header::ETAG).map(str::to_owned);
        let last_modified = text(headers, header::LAST_MODIFIED).map(str::to_owned);
        let mut size = self.part.as_ref().map_or(0, |(count, _)| *count);
        let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let expected = length.map(|length| length.saturating_add(size));
        let too_large = || Error::TooLarge { url: self.url.to_string(), limit: self.options.limit };
        if expected.is_some_and(|expected| expected > self.options.limit) {
            return Err(too_large().into());
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.note_part(size, etag, sink)?;
                    return Err(self.broken(ureq::Error::from(error)));
                }
            };
            if stop.is_stopped() {
                return Err(Error::Stopped.into());
            }
            size += count as u64;
            if size > self.options.limit {
                return Err(too_large().into());
            }
            sink.write_all(&buffer[..count])
                .map_err(|source| Error::Write { url: self.url.to_string(), source })?;
        }
        if let Some(expected) = expected.filter(|expected| *expected != size) {
            self.note_part(size, etag, sink)?;
            let error = Error::Length { url: self.url.to_string(), expected, received: size };
            return Err(Ended::Again { after: None, error });
        }
        let modified = last_modified.as_deref().and_then(http_date);
        Ok(Outcome::Fetched(Fetched { size, known: Known { etag, last_modified }, modified }))
    }

    /// Keeps what came for the next attempt, if its `ETag` says for sure what it is a part of.
    fn note_part(&mut self, size: u64, etag: Option<String>, sink: &mut dyn Sink) -> Result<(), Error> {
        let etag = etag.filter(|etag| etag.starts_with('"'));
        self.part = Some((size, etag.clone().unwrap_or_default()));
        if etag.is_none() || size == 0 {
            self.forget_part(sink)?;
        }
        Ok(())
    }

    fn broken(&self, error: ureq::Error) -> Ended {
        let url = self.url.to_string();
        let connection = |reason: String| Error::Connection { url: url.clone(), reason, attempts: 1 };
        let again = |reason: String| Ended::Again { after: None, error: connection(reason) };
        match error {
            ureq::Error::Timeout(_) => {
                again(format!("nothing came for {} seconds", self.options.idle.as_secs()))
            }
            ureq::Error::Rustls(error) => Error::Tls { url: url.clone(), reason: error.to_string() }.into(),
            ureq::Error::Tls(reason) => Error::Tls { url: url.clone(), reason: reason.to_owned() }.into(),
            ureq::Error::HostNotFound => again("there is no host of this name".to_owned()),
            ureq::Error::Io(error) => {
                match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(inner) => Error::Tls { url: url.clone(), reason: inner.to_string() }.into(),
                    None => again(plain(&error)),
                }
            }
            ureq::Error::ConnectProxyFailed(reason) => Error::Proxy { url: url.clone(), reason }.into(),
            ureq::Error::Protocol(error) => Ended::Again {
                after: None,
                error: Error::Answer { url: url.clone(), reason: error.to_string() },
            },
            other => again(other.to_string()),
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the system said, without numbers of its own.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" (os error ").unwrap_or(text.len());
    let mut letters = text[..end].chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// `Authorization` of a user with a password.
fn basic(user: &str, password: &str) -> String {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy();
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", decode(user), decode(password))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_password_are_told_as_http_wants_them() {
        assert_eq!(basic("Aladdin", "open%20sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic("a", ""), "Basic YTo=");
        assert_eq!(basic("abc", "de"), "Basic YWJjOmRl");
    }
}
