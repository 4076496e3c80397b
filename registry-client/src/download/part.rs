//! One part of a blob: asked for again until it is complete.

use std::ops::Range;

use http::header::{CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::{BlobSink, Source, range};
use crate::auth::Scope;
use crate::client::Call;
use crate::error::{Error, Kind};
use crate::transport::{Answer, Direction};

/// An attempt that brought less has not moved: a server that gives a byte each time would never be given up.
const WORTH_COUNTING: u64 = 16 * 1024;

pub(super) struct Part<'a> {
    source: &'a Source<'a>,
    /// What is still to come.
    range: Range<u64>,
    /// How far an attempt has come at most.
    furthest: u64,
    failures: u32,
}

/// An answer whose body is to be read, and what of the blob it is.
pub(super) struct Arrival {
    pub(super) answer: Answer,
    /// The server sends the whole blob, whatever was asked for.
    pub(super) is_whole: bool,
    range: Range<u64>,
    /// One of the connections that the host may have.
    _slot: OwnedSemaphorePermit,
}

impl<'a> Part<'a> {
    pub(super) fn new(source: &'a Source<'a>, range: Range<u64>) -> Self {
        Self { source, furthest: range.start, range, failures: 0 }
    }

    /// From asking to the last byte.
    pub(super) async fn run(mut self, sink: &dyn BlobSink) -> Result<(), Error> {
        let arrival = self.open().await?;
        self.finish(arrival, sink).await
    }

    /// Asks for what is left of the part.
    pub(super) async fn open(&mut self) -> Result<Arrival, Error> {
        let Source { client, place, size, .. } = self.source;
        let slot = client.transport().gate(&place.authority()).slot(Direction::Down).await;
        let mut call = Call::new(Method::GET, self.source.url.clone(), vec![Scope::pull(place.name())]);
        call.is_bulk = true;
        if self.range != (0..*size) {
            call = call.header(RANGE, &range::header(&self.range));
        }
        let answer = client.call(place, call).await?;
        let (range, is_whole) = match answer.status {
            StatusCode::OK => (0..*size, true),
            StatusCode::PARTIAL_CONTENT => (self.partial(&answer)?, false),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let message = format!(
                    "`{}`: the server has no bytes {}..{} of it, and the manifest says that it has {size}",
                    answer.request, self.range.start, self.range.end
                );
                return Err(Error::new(Kind::Digest, message));
            }
            _ => return Err(client.refusal(place, answer).await),
        };
        let arrival = Arrival { answer, is_whole, range, _slot: slot };
        match arrival.answer.length() {
            Some(length) if is_whole && length != *size => Err(self.source.wrong_size(&arrival, length)),
            Some(length) if length > arrival.range.end - arrival.range.start => {
                Err(more_than_asked(&arrival.answer.request))
            }
            _ => Ok(arrival),
        }
    }

    /// What a partial answer brings: it must begin where we asked, and belong to a file of the right size.
    fn partial(&self, answer: &Answer) -> Result<Range<u64>, Error> {
        let wrong = |why: String| Error::new(Kind::Protocol, format!("`{}`: {why}", answer.request));
        let header = answer.header(CONTENT_RANGE).unwrap_or_default();
        let Some((range, total)) = range::content_range(header) else {
            return Err(wrong("a part came that does not say which".to_owned()));
        };
        if total.is_some_and(|total| total != self.source.size) {
            let total = total.unwrap_or_default();
            let message = format!(
                "`{}`: it has {total} bytes, and the manifest says {}",
                answer.request, self.source.size
            );
            return Err(Error::new(Kind::Digest, message));
        }
        if range.start != self.range.start || range.end > self.range.end {
            let (asked, came) = (range::header(&self.range), range::header(&range));
            return Err(wrong(format!("asked for {asked}, and {came} came")));
        }
        Ok(range)
    }

    /// Reads the answer, and asks for the rest until the part is complete.
    pub(super) async fn finish(mut self, mut arrival: Arrival, sink: &dyn BlobSink) -> Result<(), Error> {
        let Source { client, place, size, .. } = self.source;
        loop {
            if arrival.is_whole {
                // All of it comes: what other parts there may be are in it.
                self.range = 0..*size;
            }
            let request = arrival.answer.request.clone();
            let read = self.read(&mut arrival, sink).await;
            drop(arrival);
            if read.is_ok() && self.range.is_empty() {
                return Ok(());
            }
            if self.range.start >= self.furthest + WORTH_COUNTING {
                (self.furthest, self.failures) = (self.range.start, 0);
            }
            if let Err(error) = read {
                self.failures += 1;
                let attempts = client.limits().attempts;
                client.transport().rest(&place.authority(), &request, error, self.failures, attempts).await?;
            }
            arrival = self.open().await?;
        }
    }

    async fn read(&mut self, arrival: &mut Arrival, sink: &dyn BlobSink) -> Result<(), Error> {
        let end = arrival.range.end;
        let start = self.range.start;
        while let Some(piece) = arrival.answer.next().await? {
            if self.range.start + piece.len() as u64 > end {
                return Err(more_than_asked(&arrival.answer.request));
            }
            sink.write_at(self.range.start, &piece)
                .map_err(|error| Error::file("write the download", error))?;
            self.range.start += piece.len() as u64;
        }
        match self.range.start == end {
            true => Ok(()),
            // A body that says where it ends, and ends early, has failed before; this one has ended well.
            false if arrival.is_whole => Err(self.source.wrong_size(arrival, self.range.start)),
            false if self.range.start == start => {
                let message = format!("`{}`: nothing came", arrival.answer.request);
                Err(Error::new(Kind::Unreachable, message))
            }
            false => Ok(()),
        }
    }
}

fn more_than_asked(request: &str) -> Error {
    Error::new(Kind::Protocol, format!("`{request}`: more bytes came than were asked for"))
}
