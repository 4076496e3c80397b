//! Writes a cache into a registry.
//!
//! A registry gives no promise about two clients that put one tag at the same time. So the tag is looked at before it is
//! put, and afterwards: when it is not what it should be, what is there is merged and put again. What is lost in the short
//! moment in between costs a later build the time to export it again, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tug_layer_store::{Fetcher, Store};
use tug_oci::{Digest, media_type};
use tug_registry_client as client;

use super::error::{CacheError, Result};
use super::export::{Sent, Source, Target};
use super::import::{Documents, manifest, read_cache};
use super::index::CacheIndex;
use super::merge::Merged;
use super::registry::InRegistry;
use super::sending::{InMemory, NotSent, send};

/// Uploads at a time.
const AT_ONCE: usize = 4;
/// How many blobs are asked for at a time.
const QUESTIONS_AT_ONCE: usize = 8;
/// How often others may be faster.
const ATTEMPTS: usize = 5;

impl Target for InRegistry {
    fn name(&self) -> &str {
        &self.name
    }

    /// What was read before is not fetched again while the tag stays where it is.
    fn read(&self) -> Result<CacheIndex> {
        let last = self.last().clone();
        if let Some((digest, index)) = last
            && self.current()?.as_ref() == Some(&digest)
        {
            return Ok(index);
        }
        let Some(top) = self.top()? else { return Ok(CacheIndex::default()) };
        let digest = top.digest.clone();
        let foreign = |what: &str| CacheError::Foreign {
            name: self.name.clone(),
            what: what.to_owned(),
            hint: "give the cache a tag of its own, such as `:cache`",
        };
        if media_type::is_index(&top.media_type) {
            return Err(foreign("an index of images"));
        }
        let index = match manifest(self, &top).and_then(|manifest| read_cache(self, &manifest)) {
            Ok(Some(index)) => index,
            Ok(None) => return Err(foreign("an image")),
            // It is written anew.
            Err(CacheError::Damaged { .. }) => CacheIndex::default(),
            Err(error) => return Err(error),
        };
        *self.last() = Some((digest, index.clone()));
        Ok(index)
    }

    fn send(&self, store: &Store, _fetcher: &dyn Fetcher, sources: &[Source]) -> Result<Vec<Option<Sent>>> {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for (place, source) in sources.iter().cloned().enumerate() {
            let (remote, store, slots) = (self.remote.clone(), store.clone(), Arc::clone(&slots));
            let to = self.repository.clone();
            let sending = async move {
                let _slot = slots.acquire().await;
                (place, send(remote, store, to, source).await)
            };
            tasks.spawn_on(sending, self.remote.runtime().handle());
        }
        let mut sent = vec![None; sources.len()];
        self.run(async {
            while let Some(joined) = tasks.join_next().await {
                let (place, outcome) = match joined {
                    Ok(outcome) => outcome,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => return Err(CacheError::Stopped),
                    },
                };
                sent[place] = match outcome {
                    Ok(sent) => sent,
                    Err(NotSent::Store(error)) => return Err(CacheError::Store(error)),
                    Err(NotSent::Registry(error)) => return Err(self.failed("write")(error)),
                };
            }
            Ok(())
        })??;
        Ok(sent)
    }

    fn commit(&self, merge: &dyn Fn(&CacheIndex) -> Merged) -> Result<Merged> {
        let mut written: Option<Merged> = None;
        for _ in 0..ATTEMPTS {
            let mut merged = merge(&self.read()?);
            if !merged.is_changed {
                // Others have merged what we had written.
                return Ok(written.unwrap_or(merged));
            }
            let mut put = self.put(&merged.index)?;
            if let Err(error) = &put
                && error.code() == Some("MANIFEST_BLOB_UNKNOWN")
            {
                // The registry has lost blobs. What names them goes; a later build sends them again.
                let missing = self.missing(&merged.index)?;
                merged.index.records.retain(|_, record| !missing.contains(&record.blob.digest));
                put = self.put(&merged.index)?;
            }
            let digest = put.map_err(self.failed("write"))?;
            if self.current()?.as_ref() == Some(&digest) {
                return Ok(merged);
            }
            written = Some(merged);
        }
        Err(CacheError::Busy { name: self.name.clone(), attempts: ATTEMPTS })
    }
}

impl InRegistry {
    /// What the tag points to now.
    fn current(&self) -> Result<Option<Digest>> {
        let asked = self.run(self.remote.client().head_manifest(&self.repository, &self.target))?;
        Ok(asked.map_err(self.failed("read"))?.map(|descriptor| descriptor.digest))
    }

    fn put(&self, index: &CacheIndex) -> Result<std::result::Result<Digest, client::Error>> {
        let encoded = index.encode();
        let manifest = index.manifest(&encoded);
        let document = Arc::new(InMemory(Bytes::from(encoded)));
        let client = self.remote.client();
        self.run(async {
            client.upload(&self.repository, document, &[]).await?;
            let bytes = Bytes::copy_from_slice(manifest.bytes());
            client.put_manifest(&self.repository, &self.target, media_type::OCI_MANIFEST, bytes).await?;
            Ok(manifest.digest().clone())
        })
    }

    /// The blobs that the repository does not have, of those that the index names.
    fn missing(&self, index: &CacheIndex) -> Result<BTreeSet<Digest>> {
        let slots = Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
        let mut tasks = JoinSet::new();
        for digest in index.blobs().into_iter().map(|blob| blob.digest.clone()) {
            let (remote, repository, slots) =
                (self.remote.clone(), self.repository.clone(), Arc::clone(&slots));
            let question = async move {
                let _slot = slots.acquire().await;
                let size = remote.client().blob_size(&repository, &digest).await?;
                Ok::<_, client::Error>((digest, size.is_none()))
            };
            tasks.spawn_on(question, self.remote.runtime().handle());
        }
        let answers = self.run(tasks.join_all())?;
        let answers = answers.into_iter().collect::<std::result::Result<Vec<_>, _>>();
        let missing = answers.map_err(self.failed("write"))?.into_iter().filter(|(_, missing)| *missing);
        Ok(missing.map(|(digest, _)| digest).collect())
    }
}
