//! Manifests: those with a digest are fetched once. Tags are looked after when they are older than a while; what is here
//! is served on when the other registry cannot say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tug_oci::Digest;
use tug_registry_client::Target;

use super::{Failure, Proxied, Proxy, lock};
use crate::metrics::Lookup;
use crate::names::{Reference, Tag};
use crate::storage::{Children, Condition, Document, NewManifest};

/// A registry that asks to be left alone is believed for so long.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

/// How something got here.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// It was here, and is right.
    Here,
    /// It has just come.
    Fetched,
    /// It was here, and could not be compared.
    Stale(Failure),
}

impl Proxy {
    /// Makes sure that what `reference` means is in the storage. A tag that is `fixed` is never looked after once it is
    /// there.
    pub(crate) async fn manifest(
        self: &Arc<Self>,
        from: &Arc<Proxied>,
        reference: &Reference,
        fixed: bool,
    ) -> Result<Found, Failure> {
        let (cache, from, wanted) = (Arc::clone(self), Arc::clone(from), reference.clone());
        let upstream = from.upstream.clone();
        let name = match reference {
            Reference::Tag(tag) => format!("tag {}:{tag}", from.local),
            Reference::Digest(digest) => format!("manifest {}@{digest}", from.local),
        };
        let work = || async move {
            match wanted {
                Reference::Tag(tag) => cache.tag(&from, &tag, fixed).await,
                Reference::Digest(digest) => cache.by_digest(&from, &digest).await,
            }
        };
        let found = self.flights.join(name, work).await.unwrap_or(Err(Failure::Broken));
        self.metrics.looked_up(&upstream, how(&found));
        found
    }

    async fn by_digest(&self, from: &Proxied, digest: &Digest) -> Result<Found, Failure> {
        let (repository, reference) = (from.local.clone(), Reference::Digest(digest.clone()));
        if self.blocking(move |storage| storage.manifest(&repository, &reference)).await?.is_some() {
            return Ok(Found::Here);
        }
        let fetched = self.fetch(from, &Target::Digest(digest.clone()), None).await;
        fetched.map(|()| Found::Fetched)
    }

    async fn tag(&self, from: &Proxied, tag: &Tag, fixed: bool) -> Result<Found, Failure> {
        let (repository, reference) = (from.local.clone(), Reference::Tag(tag.clone()));
        let local = self.blocking(move |storage| storage.manifest(&repository, &reference)).await?;
        let Some(local) = local else {
            self.fetch(from, &Target::Tag(tag.to_string()), Some(tag)).await?;
            self.is_right(from, tag);
            return Ok(Found::Fetched);
        };
        if fixed || self.is_fresh(from, tag) {
            return Ok(Found::Here);
        }
        if let Some(failure) = self.rests(from) {
            return Ok(Found::Stale(failure));
        }
        let news = timeout(self.options.patience, self.news(from, tag, &local.digest)).await;
        match news.unwrap_or(Err(Failure::Unavailable)) {
            Ok(found) => {
                self.is_right(from, tag);
                Ok(found)
            }
            // It was taken away there, so it goes here: what still lists it would lie.
            Err(Failure::NotFound) => {
                let (repository, tag) = (from.local.clone(), tag.clone());
                self.blocking(move |storage| storage.delete_tag(&repository, &tag)).await?;
                Err(Failure::NotFound)
            }
            Err(failure) if failure.may_pass() => {
                self.let_rest(from, failure.clone());
                Ok(Found::Stale(failure))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks what a tag points to now, and fetches it when it is something else.
    async fn news(&self, from: &Proxied, tag: &Tag, known: &Digest) -> Result<Found, Failure> {
        let head = self.client.head_manifest(&from.remote, &Target::Tag(tag.to_string())).await;
        let digest = match head {
            Ok(Some(descriptor)) => descriptor.digest,
            Ok(None) => return Err(Failure::NotFound),
            Err(error) => return Err(self.failed(from, &error)),
        };
        if digest == *known {
            return Ok(Found::Here);
        }
        match self.fetch(from, &Target::Digest(digest), Some(tag)).await {
            Ok(()) => Ok(Found::Fetched),
            // The tag is there, and only what it points to is not.
            Err(Failure::NotFound) => Err(Failure::Unusable),
            Err(failure) => Err(failure),
        }
    }

    /// Fetches a manifest and keeps it, under `tag` if there is one.
    async fn fetch(&self, from: &Proxied, target: &Target, tag: Option<&Tag>) -> Result<(), Failure> {
        let fetched = self.client.manifest(&from.remote, target).await;
        let fetched = fetched.map_err(|error| self.failed(from, &error))?;
        if let Some(limit) = &fetched.rate_limit {
            self.metrics.pulls_left(&from.upstream, limit.remaining);
        }
        if fetched.bytes.len() > self.max_manifest {
            return Err(Failure::TooLarge);
        }
        let document = Document::parse(&fetched.bytes).map_err(|_| Failure::Unusable)?;
        let (repository, tags) = (from.local.clone(), tag.cloned().into_iter().collect::<Vec<_>>());
        let kept = self.blocking(move |storage| {
            let new = NewManifest {
                digest: &fetched.digest,
                media_type: &fetched.media_type,
                bytes: &fetched.bytes,
                document: &document,
                tags: &tags,
                condition: &Condition::None,
                children: Children::Optional,
                is_fixed: &|_| false,
            };
            storage.put_manifest(&repository, &new)
        });
        kept.await.map(drop)
    }

    fn is_fresh(&self, from: &Proxied, tag: &Tag) -> bool {
        let checked = lock(&self.checked);
        let checked = checked.get(&(from.local.clone(), tag.clone()));
        checked.is_some_and(|checked| checked.elapsed() < self.options.fresh_for)
    }

    fn is_right(&self, from: &Proxied, tag: &Tag) {
        lock(&self.checked).insert((from.local.clone(), tag.clone()), Instant::now());
        lock(&self.resting).remove(&from.upstream);
    }

    /// How the registry has failed, when that is not long ago.
    fn rests(&self, from: &Proxied) -> Option<Failure> {
        let resting = lock(&self.resting);
        let (until, failure) = resting.get(&from.upstream)?;
        (Instant::now() < *until).then(|| failure.clone())
    }

    fn let_rest(&self, from: &Proxied, failure: Failure) {
        let asked = match &failure {
            Failure::RateLimited(Some(wait)) => *wait,
            _ => Duration::ZERO,
        };
        let rest = asked.max(self.options.rest).min(LONGEST_REST);
        lock(&self.resting).insert(from.upstream.clone(), (Instant::now() + rest, failure));
    }
}

/// How an outcome is counted.
pub(super) fn how(found: &Result<Found, Failure>) -> Lookup {
    match found {
        Ok(Found::Here) => Lookup::Hit,
        Ok(Found::Fetched) => Lookup::Miss,
        Ok(Found::Stale(_)) => Lookup::Stale,
        Err(_) => Lookup::Failed,
    }
}
