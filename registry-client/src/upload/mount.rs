//! Mounts: the registry takes a blob from another of its repositories. Source: distribution-spec "Mounting a blob from
//! another repository".

use http::{Method, StatusCode};
use tug_oci::Digest;

use super::session::Session;
use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::Kind;
use crate::repository::Repository;

/// How many repositories are tried. A registry that has refused one seldom takes the next.
const TRIES: usize = 2;

/// What came of asking for mounts.
pub(super) enum Mount {
    /// The blob is there.
    Done { from: Option<Repository> },
    /// An ordinary session came instead.
    Session(Box<Session>),
    /// Nothing.
    No,
}

impl Client {
    /// Asks for a mount from those of `mounts` that are on the same host; without any, and where that does no harm, from
    /// wherever the registry finds the blob.
    pub(super) async fn mount(
        &self,
        place: &Place,
        repository: &Repository,
        digest: &Digest,
        mounts: &[Repository],
    ) -> Mount {
        let quirks = self.uploads().quirks(place);
        if !quirks.mounts {
            return Mount::No;
        }
        let beside = mounts.iter().filter(|other| *other != repository);
        let beside =
            beside.filter_map(|other| Some((Some(other.clone()), Some(self.name_on(place, other)?))));
        let mut tries: Vec<(Option<Repository>, Option<String>)> = beside.take(TRIES).collect();
        if tries.is_empty() && quirks.finds_mounts {
            tries.push((None, None));
        }
        let mut instead: Option<Box<Session>> = None;
        for (from, name) in tries {
            match self.mount_from(place, digest, name.as_deref()).await {
                Mount::Done { .. } => {
                    if let Some(session) = instead {
                        session.cancel().await;
                    }
                    return Mount::Done { from };
                }
                Mount::Session(session) => {
                    if let Some(earlier) = instead.replace(session) {
                        earlier.cancel().await;
                    }
                }
                Mount::No => {}
            }
        }
        instead.map_or(Mount::No, Mount::Session)
    }

    /// A failure is no reason not to send the blob, which fails for the same reason if it was a good one.
    async fn mount_from(&self, place: &Place, digest: &Digest, from: Option<&str>) -> Mount {
        let mut url = place.url("blobs/uploads/");
        url.query_pairs_mut().append_pair("mount", &digest.to_string());
        // Some look at the first scope only.
        let mut scopes = vec![Scope::push(place.name())];
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("from", from);
            scopes.push(Scope::pull(from));
        }
        let mut call = Call::new(Method::POST, url, scopes);
        call.attempts = 1;
        match self.call(place, call).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                answer.drain().await;
                Mount::Done { from: None }
            }
            Ok(answer) if answer.status == StatusCode::ACCEPTED => {
                let session = Session::of(self, place, answer).await;
                session.map_or(Mount::No, |session| Mount::Session(Box::new(session)))
            }
            Ok(answer) => {
                let error = self.refusal(place, answer).await;
                let is_their_nature = matches!(error.kind(), Kind::Unsupported | Kind::Protocol);
                self.uploads().learn(place, |quirks| match from {
                    None => quirks.finds_mounts = false,
                    Some(_) if is_their_nature => quirks.mounts = false,
                    Some(_) => {}
                });
                Mount::No
            }
            Err(_) => Mount::No,
        }
    }
}
