//! The body of a request: read piece by piece, or not at all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::refusal::Refusal;

/// How long a refused body is read at most.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Incoming,
    /// How long it is, where the request says.
    length: Option<u64>,
    /// The client waits to be told that it may send it.
    waits: bool,
}

/// Why a body ended before it was whole.
#[derive(Debug)]
pub(crate) struct Cut;

impl RequestBody {
    /// Takes the body of a request with `headers`.
    pub(crate) fn new(body: Incoming, headers: &HeaderMap) -> Self {
        let length = body.size_hint().exact();
        let expects = headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self { body, length, waits: expects }
    }

    /// How long it is; `None` when that is only known at its end.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        self.waits = false;
        loop {
            match self.body.frame().await? {
                Err(_) => return Some(Err(Cut)),
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Some(Ok(bytes)),
                    // Trailers say nothing that we need.
                    Err(_) => {}
                },
            }
        }
    }

    /// All of it, where it has at most `limit` bytes.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        let too_large = || {
            let message = format!("the manifest is too large: at most {limit} bytes are taken");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
        };
        if self.length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece.map_err(|Cut| Refusal::bad("MANIFEST_INVALID", "the request was cut short"))?;
            if bytes.len() + piece.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Reads what is left, up to `limit` bytes, beside the answer that is already on its way: a client that is still
    /// sending when the connection closes would see a reset, and never the reason.
    pub(crate) fn drain(mut self, limit: u64) {
        if self.body.is_end_stream() || self.waits {
            return;
        }
        tokio::spawn(async move {
            let drained = async {
                let mut left = limit;
                while let Some(Ok(piece)) = self.next().await {
                    left = match left.checked_sub(piece.len() as u64) {
                        Some(left) => left,
                        None => break,
                    };
                }
            };
            let _ = tokio::time::timeout(LONGEST_DRAIN, drained).await;
        });
    }
}
