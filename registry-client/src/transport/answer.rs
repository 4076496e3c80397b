//! An answer, and its body piece by piece: whatever waits has a limit.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode};
use reqwest::Url;
use tokio::time::{Instant, timeout};

use super::failure;
use crate::error::{Error, Kind};
use crate::options::Limits;
use crate::text;

/// Of the body of an answer that tells of a failure.
const ERROR_BODY: u64 = 64 * 1024;

/// What a registry answered. The body is still to come.
pub(crate) struct Answer {
    /// What was asked for, in words that may be shown: `GET https://host/v2/…`.
    pub(crate) request: String,
    /// Where the answer came from: behind redirects, not where the request went.
    pub(crate) url: Url,
    /// 3 digits.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    body: reqwest::Response,
    limits: Limits,
    window: Instant,
    in_window: u64,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} -> {}", self.request, self.status)
    }
}

impl Answer {
    pub(super) fn new(request: String, mut response: reqwest::Response, limits: &Limits) -> Self {
        Self {
            request,
            url: response.url().clone(),
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: response,
            limits: limits.clone(),
            window: Instant::now(),
            in_window: 0,
        }
    }

    /// A header's text, if it is there and is text.
    pub(crate) fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        self.headers.get(name.try_into().ok()?)?.to_str().ok()
    }

    /// The length that the server said the body has.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(http::header::CONTENT_LENGTH)?.trim().parse().ok()
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = timeout(self.limits.idle, self.body.chunk()).await.map_err(|_| {
            let seconds = self.limits.idle.as_secs_f64();
            Error::new(Kind::Stalled, format!("`{}`: nothing came for {seconds} s", self.request))
        })?;
        let piece = piece.map_err(|error| failure::of_request(&self.request, &error))?;
        self.in_window += piece.as_ref().map_or(0, Bytes::len) as u64;
        let now = Instant::now();
        if now.duration_since(self.window) >= self.limits.rate_window {
            if piece.is_some() && self.in_window < self.limits.rate_bytes {
                let (count, seconds) = (self.in_window, now.duration_since(self.window).as_secs_f64());
                let message = format!("`{}`: only {count} bytes came in {seconds:.0} s", self.request);
                return Err(Error::new(Kind::Stalled, message));
            }
            (self.window, self.in_window) = (now, 0);
        }
        Ok(piece)
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn bytes(&mut self, limit: u64, what: &str) -> Result<Bytes, Error> {
        let too_large = || {
            let message = format!("`{}`: {what} is larger than {limit} bytes", self.request);
            Error::new(Kind::TooLarge, message)
        };
        if self.length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let too_large = too_large();
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if (all.len() + piece.len()) as u64 > limit {
                return Err(too_large);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// The beginning of a body that tells of a failure, as far as it comes.
    pub(super) async fn excerpt(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Ok(Some(piece)) = self.next().await {
            let room = usize::try_from(ERROR_BODY).unwrap_or(usize::MAX) - all.len();
            all.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() >= room {
                break;
            }
        }
        all
    }

    /// Reads a short rest, so that the connection can be used again.
    pub(crate) async fn drain(mut self) {
        let mut left = 64 * 1024_usize;
        while let Ok(Some(piece)) = self.next().await {
            left = match left.checked_sub(piece.len()) {
                Some(left) => left,
                None => return,
            };
        }
    }

    /// The host that answered.
    pub(crate) fn host(&self) -> String {
        text::authority(&self.url)
    }
}
