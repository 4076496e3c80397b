//! The body of a request: read piece by piece, or not at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::exchange::Exchange;
use crate::limits::{Limits, Pace};

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
    exchange: Option<Arc<Exchange>>,
    pace: Pace,
    /// How much more may come, and what is said when more does.
    room: Option<(u64, Refusal)>,
    overflow: Option<Refusal>,
}

/// A body ended before it was whole, came too slowly, or had no more room.
#[derive(Debug)]
pub(crate) struct Cut;

impl RequestBody {
    /// Takes the body of a request with `headers`.
    pub(crate) fn new(
        body: Incoming,
        headers: &HeaderMap,
        exchange: Option<Arc<Exchange>>,
        limits: &Limits,
    ) -> Self {
        let length = body.size_hint().exact();
        let expects = headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let pace = Pace::new(limits);
        Self { body, length, waits: expects, exchange, pace, room: None, overflow: None }
    }

    /// How long it is; `None` when that is only known at its end.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Lets at most `room` bytes more come; `refusal` is what to say when more do.
    pub(crate) fn set_room(&mut self, room: u64, refusal: Refusal) {
        self.room = Some((room, refusal));
    }

    /// Why the body was cut, if it was because there was no more room.
    pub(crate) fn overflow(&mut self) -> Option<Refusal> {
        self.overflow.take()
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        self.waits = false;
        loop {
            let asked = Instant::now();
            let Ok(frame) = tokio::time::timeout(self.pace.left(), self.body.frame()).await else {
                return Some(Err(Cut));
            };
            match frame? {
                Err(_) => return Some(Err(Cut)),
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => {
                        self.pace.moved(bytes.len(), asked.elapsed());
                        return Some(self.taken(bytes));
                    }
                    // Trailers say nothing that we need.
                    Err(_) => {}
                },
            }
        }
    }

    /// Counts a piece that has come.
    fn taken(&mut self, bytes: Bytes) -> Result<Bytes, Cut> {
        if let Some(exchange) = &self.exchange {
            exchange.received_more(bytes.len());
        }
        let Some((room, _)) = &mut self.room else { return Ok(bytes) };
        match room.checked_sub(bytes.len() as u64) {
            Some(left) => {
                *room = left;
                Ok(bytes)
            }
            None => {
                self.overflow = self.room.take().map(|(_, refusal)| refusal);
                Err(Cut)
            }
        }
    }

    /// All of it, where it has at most `limit` bytes. `what` it is, is for the message.
    pub(crate) async fn whole(&mut self, limit: usize, what: &str) -> Result<Bytes, Refusal> {
        let too_large = || {
            let message = format!("the {what} is too large: at most {limit} bytes are taken");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
        };
        if self.length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(Cut) => {
                    let cut = || Refusal::bad("MANIFEST_INVALID", "the request was cut short");
                    return Err(self.overflow().unwrap_or_else(cut));
                }
            };
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
