//! One upload from its first byte to its last: what is sent next, and what an answer means.

use std::io;
use std::sync::Arc;

use http::{Method, StatusCode};
use tug_oci::Digest;

use super::BlobSource;
use super::quirks::SMALL_PIECE;
use super::send::{Parcel, Sent};
use super::session::{Session, Standing, taken};
use crate::auth::Scope;
use crate::client::{Client, Place};
use crate::error::{Error, Kind};
use crate::retry;
use crate::text;
use crate::transport::Answer;

/// An attempt that brought less has not moved: a registry that takes a byte each time would never be given up.
const WORTH_COUNTING: u64 = 16 * 1024;
/// Refusals for want of a token, in a row.
const REFUSALS: u32 = 2;

pub(super) struct Job<'a> {
    client: &'a Client,
    place: &'a Place,
    source: Arc<dyn BlobSource>,
    scopes: Vec<Scope>,
    /// Since an attempt has moved.
    failures: u32,
    refusals: u32,
    /// How far a session has come at most.
    furthest: u64,
    /// All bytes that went.
    sent: u64,
    /// A body broke off, and nothing says why.
    is_unexplained: bool,
    /// What had come together in a session of several attempts was not the blob.
    was_mixed_up: bool,
}

/// How it goes on.
enum Next {
    /// The blob is there.
    Done,
    /// The session has so many bytes.
    At(u64),
    /// The session is of no use.
    Anew,
}

impl<'a> Job<'a> {
    pub(super) fn new(client: &'a Client, place: &'a Place, source: Arc<dyn BlobSource>) -> Self {
        Self {
            client,
            place,
            source,
            scopes: vec![Scope::push(place.name())],
            failures: 0,
            refusals: 0,
            furthest: 0,
            sent: 0,
            is_unexplained: false,
            was_mixed_up: false,
        }
    }

    /// Sends the blob, into `session` first if there is one. How many bytes went.
    pub(super) async fn run(&mut self, session: Option<Session>) -> Result<u64, Error> {
        let mut session = match session {
            Some(session) => session,
            None => Session::begin(self.client, self.place).await?,
        };
        loop {
            let outcome = self.fill(&mut session).await;
            match outcome {
                Ok(true) => {
                    session.finish();
                    return Ok(self.sent);
                }
                Ok(false) => session.cancel().await,
                Err(error) => {
                    session.cancel().await;
                    return Err(error);
                }
            }
            session = Session::begin(self.client, self.place).await?;
        }
    }

    /// What the source turned out to be.
    pub(super) fn complete(&self) -> Result<(Digest, u64), Error> {
        self.known().ok_or_else(|| {
            let error = io::Error::other("it has come to its end and does not know what it is");
            Error::file("read what is uploaded", error)
        })
    }

    fn known(&self) -> Option<(Digest, u64)> {
        self.source.digest().zip(self.source.size())
    }

    /// Sends until the blob is complete (true) or the session is lost (false).
    async fn fill(&mut self, session: &mut Session) -> Result<bool, Error> {
        if self.known().is_none() && !self.client.uploads().quirks(self.place).takes_unknown_length {
            self.wait_for_the_end().await?;
        }
        let (mut offset, mut is_first, mut ended) = (0, true, false);
        loop {
            if ended {
                self.complete()?;
            }
            let parcel = self.parcel(session, offset);
            let sent = self.client.send(self.place, &self.scopes, &self.source, &parcel).await;
            self.sent += sent.bytes;
            ended |= sent.is_all && parcel.length.is_none();
            match self.judge(session, &parcel, sent, is_first).await? {
                Next::Done => return Ok(true),
                Next::Anew => return Ok(false),
                Next::At(count) => offset = count,
            }
            is_first = false;
        }
    }

    /// What comes next when the registry has `offset` bytes.
    fn parcel(&self, session: &Session, offset: u64) -> Parcel {
        let parcel = |method, url, length, is_piece| Parcel {
            method,
            url,
            start: offset,
            length,
            is_piece,
            waits_for_refusal: self.is_unexplained,
        };
        match self.known() {
            None => parcel(Method::PATCH, session.url.clone(), None, false),
            Some((digest, size)) if offset == 0 || offset >= size => {
                let left = size.saturating_sub(offset);
                parcel(Method::PUT, session.end_url(&digest), Some(left), false)
            }
            Some((_, size)) => {
                let quirks = self.client.uploads().quirks(self.place);
                let length = quirks.piece(size - offset, session.least_piece);
                parcel(Method::PATCH, session.url.clone(), Some(length), true)
            }
        }
    }

    async fn judge(
        &mut self,
        session: &mut Session,
        parcel: &Parcel,
        sent: Sent,
        is_first: bool,
    ) -> Result<Next, Error> {
        let reach = parcel.start + sent.bytes;
        let is_end = parcel.method == Method::PUT;
        let answer = match sent.answer {
            Ok(answer) => answer,
            Err(error) if error.may_pass() => {
                self.is_unexplained = sent.bytes > 0;
                return self.after_failure(session, parcel, reach, error).await;
            }
            Err(error) => return Err(error),
        };
        self.is_unexplained = false;
        match answer.status.as_u16() {
            200..=299 if is_end => self.after_the_end(answer).await,
            200..=299 => self.after_part(session, parcel, reach, sent.is_all, answer).await,
            401 => {
                self.refusals += 1;
                let authorization = sent.authorization.as_ref();
                if self.refusals > REFUSALS
                    || !self.client.learn(self.place, &answer, &mut self.scopes, authorization)?
                {
                    return Err(self.client.refusal(self.place, answer).await);
                }
                match reach {
                    0 => Ok(Next::At(0)),
                    _ => self.standing(session, parcel, reach).await,
                }
            }
            status if retry::is_for_now(status) => {
                let error = self.client.refusal(self.place, answer).await;
                self.after_failure(session, parcel, reach, error).await
            }
            _ => {
                let error = self.client.refusal(self.place, answer).await;
                self.after_refusal(session, parcel, reach, is_first, error).await
            }
        }
    }

    /// The registry has taken the last byte, and says so in one way or another.
    async fn after_the_end(&mut self, answer: Answer) -> Result<Next, Error> {
        let (status, request) = (answer.status, answer.request.clone());
        answer.drain().await;
        if status == StatusCode::CREATED || self.is_there().await {
            return Ok(Next::Done);
        }
        let message = format!("`{request}` was answered {}, and the blob is not there", status.as_u16());
        self.count(&request, Error::new(Kind::Protocol, message)).await?;
        Ok(Next::Anew)
    }

    /// The registry has taken a part: how much of it?
    async fn after_part(
        &mut self,
        session: &mut Session,
        parcel: &Parcel,
        reach: u64,
        is_all: bool,
        answer: Answer,
    ) -> Result<Next, Error> {
        let is_created = answer.status == StatusCode::CREATED;
        let (request, told) = (answer.request.clone(), taken(&answer));
        if !is_created {
            session.follow(&answer)?;
        }
        answer.drain().await;
        if is_created && is_all && self.is_there().await {
            return Ok(Next::Done);
        }
        let count = match told {
            Some(count) if count <= reach => count,
            // What cannot be is not believed; the digest is looked at in the end.
            _ if is_all => reach,
            _ => return self.standing(session, parcel, reach).await,
        };
        if count <= parcel.start && reach > parcel.start {
            let message =
                format!("`{request}`: the registry has taken none of {} bytes", reach - parcel.start);
            self.count(&request, Error::new(Kind::Protocol, message)).await?;
        }
        self.moved(count);
        Ok(Next::At(count))
    }

    /// Nothing or something arrived, and it may go better next time.
    async fn after_failure(
        &mut self,
        session: &mut Session,
        parcel: &Parcel,
        reach: u64,
        error: Error,
    ) -> Result<Next, Error> {
        // What moved was seen by the registry alone: the failure counts until it says so.
        self.failures += 1;
        let attempts = self.client.limits().attempts;
        let (transport, authority) = (self.client.transport(), self.place.authority());
        transport.rest(&authority, &shown(parcel), error, self.failures, attempts).await?;
        self.standing(session, parcel, reach).await
    }

    /// The registry wants none of it in this way.
    async fn after_refusal(
        &mut self,
        session: &mut Session,
        parcel: &Parcel,
        reach: u64,
        is_first: bool,
        error: Error,
    ) -> Result<Next, Error> {
        let is_end = parcel.method == Method::PUT;
        let uploads = self.client.uploads();
        match error.status().unwrap_or_default() {
            401 | 403 | 413 => Err(error),
            404 | 410 => {
                self.count(&shown(parcel), error).await?;
                Ok(self.is_done_or_lost(parcel).await)
            }
            416 if parcel.is_piece && parcel.length > Some(SMALL_PIECE) => {
                uploads.learn(self.place, |quirks| quirks.largest_piece = Some(SMALL_PIECE));
                self.standing(session, parcel, reach).await
            }
            416 => {
                self.count(&shown(parcel), error).await?;
                match self.standing(session, parcel, reach).await? {
                    Next::At(count) if count == parcel.start => Ok(Next::Anew),
                    next => Ok(next),
                }
            }
            // It knows nothing of waiting; the next body does not.
            417 if parcel.waits_for_refusal => self.standing(session, parcel, reach).await,
            _ if parcel.is_piece => {
                uploads.learn(self.place, |quirks| quirks.resumes = false);
                Ok(Next::Anew)
            }
            _ if parcel.length.is_none() => {
                uploads.learn(self.place, |quirks| quirks.takes_unknown_length = false);
                self.wait_for_the_end().await?;
                Ok(Next::Anew)
            }
            // Amazon's has completed the blob before, and says that there is nothing to complete.
            _ if is_end && parcel.start > 0 && self.is_there().await => Ok(Next::Done),
            // Registries that lose count of a session that broke mix it up.
            400 if is_end && !is_first && !self.was_mixed_up => {
                self.was_mixed_up = true;
                Ok(Next::Anew)
            }
            400 if matches!(error.code(), Some("DIGEST_INVALID" | "SIZE_INVALID")) => {
                Err(error.of_kind(Kind::Digest))
            }
            _ => Err(error),
        }
    }

    /// Asks how far the session is. `reach`: more cannot have arrived.
    async fn standing(&mut self, session: &mut Session, parcel: &Parcel, reach: u64) -> Result<Next, Error> {
        if !self.client.uploads().quirks(self.place).resumes {
            return Ok(self.is_done_or_lost(parcel).await);
        }
        match session.standing().await? {
            Standing::At(count) if count <= reach => {
                self.moved(count);
                Ok(Next::At(count))
            }
            Standing::At(_) | Standing::Lost => Ok(self.is_done_or_lost(parcel).await),
        }
    }

    /// The session is not there: did it end well, and only the answer was lost?
    async fn is_done_or_lost(&self, parcel: &Parcel) -> Next {
        match parcel.method == Method::PUT && self.is_there().await {
            true => Next::Done,
            false => Next::Anew,
        }
    }

    async fn is_there(&self) -> bool {
        match self.source.digest() {
            Some(digest) => self.client.look_for(self.place, &digest, self.source.size()).await.is_some(),
            None => false,
        }
    }

    /// A failure that is not waited out, but gone around: not for ever.
    async fn count(&mut self, request: &str, error: Error) -> Result<(), Error> {
        self.failures += 1;
        if self.failures >= self.client.limits().attempts {
            return Err(error);
        }
        self.client.transport().pause(&self.place.authority(), request, &error, self.failures).await;
        Ok(())
    }

    fn moved(&mut self, count: u64) {
        if count >= self.furthest + WORTH_COUNTING {
            self.furthest = count;
            (self.failures, self.refusals) = (0, 0);
        }
    }

    /// Reads to the end, after which the source knows what it is.
    async fn wait_for_the_end(&self) -> Result<(), Error> {
        if self.known().is_some() {
            return Ok(());
        }
        let source = Arc::clone(&self.source);
        let reading = move || io::copy(&mut source.reader(0)?, &mut io::sink());
        let read = tokio::task::spawn_blocking(reading).await;
        let read = read.unwrap_or_else(|_| Err(io::Error::other("reading it broke off")));
        read.map_err(|error| Error::file("read what is uploaded", error))?;
        self.complete().map(drop)
    }
}

fn shown(parcel: &Parcel) -> String {
    format!("{} {}", parcel.method, text::address(&parcel.url))
}
