//! A session: begun by the registry, asked how far it is, and never left behind.

use http::header::RANGE;
use http::{Method, StatusCode};
use reqwest::Url;

use super::location;
use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::transport::Answer;

/// An upload that the registry waits for. It is deleted there when this is dropped.
pub(super) struct Session {
    client: Client,
    place: Place,
    number: u64,
    /// Where it goes on.
    pub(super) url: Url,
    /// The shortest piece that it takes, but for the last one.
    pub(super) least_piece: Option<u64>,
}

/// How far a session is.
pub(super) enum Standing {
    /// It has so many bytes.
    At(u64),
    /// It is of no use any more.
    Lost,
}

impl Session {
    /// Asks for a new session.
    pub(super) async fn begin(client: &Client, place: &Place) -> Result<Self, Error> {
        let call = Call::new(Method::POST, place.url("blobs/uploads/"), vec![Scope::push(place.name())]);
        let answer = client.call(place, call).await?;
        match answer.status {
            // Lenient: what has a place to go on is a session.
            status if status.is_success() => Self::of(client, place, answer).await,
            _ => Err(client.refusal(place, answer).await),
        }
    }

    /// The session that an answer tells of.
    pub(super) async fn of(client: &Client, place: &Place, answer: Answer) -> Result<Self, Error> {
        let Some(url) = location::of(place, &answer)? else {
            let message =
                format!("`{}` was answered without saying where the upload goes on", answer.request);
            return Err(Error::new(Kind::Protocol, message));
        };
        let least_piece = answer.header("oci-chunk-min-length").and_then(|text| text.trim().parse().ok());
        answer.drain().await;
        let number = client.uploads().add(place, &url);
        Ok(Self { client: client.clone(), place: place.clone(), number, url, least_piece })
    }

    /// Goes where the answer says, if it does.
    pub(super) fn follow(&mut self, answer: &Answer) -> Result<(), Error> {
        if let Some(url) = location::of(&self.place, answer)? {
            self.client.uploads().moved(self.number, &url);
            self.url = url;
        }
        Ok(())
    }

    /// The address that ends the upload.
    pub(super) fn end_url(&self, digest: &tug_oci::Digest) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        url
    }

    /// Asks how far it is. Errors are those of the registry, or of the way there; none of them says that the session
    /// is lost.
    pub(super) async fn standing(&mut self) -> Result<Standing, Error> {
        let call = Call::new(Method::GET, self.url.clone(), vec![Scope::push(self.place.name())]);
        let answer = self.client.call(&self.place, call).await?;
        match answer.status {
            StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::ACCEPTED => {
                let Some(count) = taken(&answer) else { return Ok(Standing::Lost) };
                self.follow(&answer)?;
                answer.drain().await;
                Ok(Standing::At(count))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.client.refusal(&self.place, answer).await)
            }
            _ => Ok(Standing::Lost),
        }
    }

    /// The blob is there: there is nothing to delete.
    pub(super) fn finish(self) {
        self.client.uploads().remove(self.number);
    }

    /// Deletes it, and waits until that is done.
    pub(super) async fn cancel(self) {
        let (client, number) = (self.client.clone(), self.number);
        // A task of its own: whoever waits here may be gone soon.
        let _ = tokio::spawn(async move { client.end_session(number).await }).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let number = self.number;
        if !self.client.uploads().is_open(number) {
            return;
        }
        // Without a runtime it waits for `Client::cancel_uploads`.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let client = self.client.clone();
            runtime.spawn(async move { client.end_session(number).await });
        }
    }
}

/// How many bytes an answer says that the session has: `0-99` means 100. That there are none cannot be said; `0-0` is
/// what registries say then.
pub(super) fn taken(answer: &Answer) -> Option<u64> {
    count(answer.header(RANGE)?)
}

fn count(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes").map_or(range, |rest| rest.trim_start_matches([' ', '=']));
    let (start, end) = range.split_once('-')?;
    match (start.trim().parse::<u64>().ok()?, end.trim().parse::<u64>().ok()?) {
        (0, 0) => Some(0),
        (0, end) => end.checked_add(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_session_begins_at_its_beginning() {
        assert_eq!(
            (count("0-99"), count(" bytes=0-99"), count("bytes 0-0")),
            (Some(100), Some(100), Some(0))
        );
        for odd in ["", "99", "5-99", "0--1", "0-18446744073709551615", "a-b"] {
            assert_eq!(count(odd), None, "{odd}");
        }
    }
}
