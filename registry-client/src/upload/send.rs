//! One request whose body is read while it goes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, LOCATION};
use reqwest::Url;

use super::BlobSource;
use super::body;
use crate::auth::Scope;
use crate::client::{Client, Place};
use crate::error::{Error, Kind};
use crate::text;
use crate::transport::{Answer, Payload, Request, redirected};

/// How long a body waits at most for an answer that comes before it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What is sent.
pub(super) struct Parcel {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Where it begins in the blob.
    pub(super) start: u64,
    /// How long it is; `None`: to the end, wherever that is.
    pub(super) length: Option<u64>,
    /// Whether the registry is told which part of the blob this is.
    pub(super) is_piece: bool,
    /// An earlier body broke off without a reason: this one waits for it.
    pub(super) waits_for_refusal: bool,
}

/// What came of it.
pub(super) struct Sent {
    pub(super) answer: Result<Answer, Error>,
    /// How many bytes were given away, of which not all may have arrived.
    pub(super) bytes: u64,
    /// Whether those were all.
    pub(super) is_all: bool,
    /// What was shown of who we are.
    pub(super) authorization: Option<HeaderValue>,
}

impl Parcel {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if let Some(length) = self.length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(range) = self.range().filter(|range| !range.is_empty()) {
            let text = format!("{}-{}", range.start, range.end - 1);
            headers.extend(HeaderValue::from_str(&text).ok().map(|value| (CONTENT_RANGE, value)));
        }
        if self.waits_for_refusal && self.length != Some(0) {
            headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        headers
    }

    fn range(&self) -> Option<Range<u64>> {
        let length = self.length.filter(|_| self.is_piece)?;
        Some(self.start..self.start + length)
    }
}

impl Client {
    /// Sends a parcel once, to where a redirect leads if there is one. What it was answered, and how much of it went.
    pub(super) async fn send(
        &self,
        place: &Place,
        scopes: &[Scope],
        source: &Arc<dyn BlobSource>,
        parcel: &Parcel,
    ) -> Sent {
        let mut hops = 0;
        let mut url = parcel.url.clone();
        loop {
            let mut sent = self.send_to(place, scopes, source, parcel, &url).await;
            let Ok(answer) = &sent.answer else { return sent };
            let is_redirect =
                matches!(answer.status.as_u16(), 307 | 308) && answer.header(LOCATION).is_some();
            hops += 1;
            if !is_redirect || hops > self.limits().redirects {
                return sent;
            }
            match redirected(answer) {
                Ok(next) => url = next,
                Err(error) => {
                    sent.answer = Err(error);
                    return sent;
                }
            }
        }
    }

    async fn send_to(
        &self,
        place: &Place,
        scopes: &[Scope],
        source: &Arc<dyn BlobSource>,
        parcel: &Parcel,
        url: &Url,
    ) -> Sent {
        let failed = |error| Sent { answer: Err(error), bytes: 0, is_all: false, authorization: None };
        self.transport().gate(&place.authority()).pass().await;
        let authorization = match self.authorization(place, url, scopes).await {
            Ok(authorization) => authorization,
            Err(error) => return failed(error),
        };
        let mut headers = parcel.headers();
        if place.is_own(url) {
            place.add_configured(&mut headers);
        }
        let connection = match self.connection_to(place, url, true) {
            Ok(connection) => connection,
            Err(error) => return failed(error),
        };
        let limits = self.limits();
        let pause = match parcel.waits_for_refusal {
            true => (limits.pause * 2).min(LONGEST_WAIT),
            false => Duration::ZERO,
        };
        let connect = connection.dial_timeout.unwrap_or(limits.connect) + pause;
        let (outgoing, watch) = body::outgoing(Arc::clone(source), parcel.start, parcel.length, pause);
        let request = Request {
            method: parcel.method.clone(),
            url: url.clone(),
            headers,
            authorization: authorization.clone(),
            body: Payload::Stream(reqwest::Body::wrap(outgoing)),
            connection,
            answer_within: None,
        };
        let answer = tokio::select! {
            biased;
            answer = self.transport().exchange(request) => answer,
            reason = watch.stalled(limits, connect) => {
                let shown = format!("{} {}", parcel.method, text::address(url));
                Err(Error::new(Kind::Stalled, format!("`{shown}`: {reason}")))
            }
        };
        let answer = match (answer, watch.failure()) {
            (Err(_), Some(failure)) => Err(Error::file("read what is uploaded", failure)),
            (answer, _) => answer,
        };
        Sent { answer, bytes: watch.taken(), is_all: watch.has_ended(), authorization }
    }
}
