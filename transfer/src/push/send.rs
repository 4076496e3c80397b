//! Puts blobs and documents into a repository, in an order in which it is whole at any moment.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tug_layer_store::Store;
use tug_oci::{Descriptor, Digest};
use tug_registry_client::{BlobSource, Delivery, Kind, Repository, Target};

use super::source::Outgoing;
use crate::arrival::join;
use crate::error::{Error, Result};
use crate::event::{Direction, Event};
use crate::fetcher::{mounts, origins};
use crate::remote::{Remote, blocking};
use crate::tree::{Node, Tree};

/// Uploads at a time.
const AT_ONCE: usize = 4;

/// Something that is being put into a repository.
#[derive(Clone)]
pub(crate) struct Sending<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) store: &'a Store,
    pub(crate) to: Repository,
    /// For messages: the image.
    pub(crate) name: String,
    pub(crate) action: &'static str,
    /// Where a manifest is, its blobs are too.
    pub(crate) skips_known: bool,
}

impl Sending<'_> {
    /// Sends a tree whose bytes are final, and names it. Returns what the name points to.
    pub(crate) async fn send(
        &self,
        tree: &Tree,
        sources: Vec<Outgoing>,
        target: &Target,
    ) -> Result<Descriptor> {
        let Some(top) = tree.top() else { return Err(Error::Stopped) };
        let is_there = self.skips_known && self.has(&top.descriptor).await?;
        if is_there {
            for source in &sources {
                self.plan(source);
                self.remote.tell(Event::Present { blob: source.shown().clone() });
            }
            self.note(sources.iter().map(|source| source.shown().clone()).collect()).await?;
            self.put(top, target).await?;
            return Ok(top.descriptor.clone());
        }
        self.blobs(sources.clone()).await?;
        self.finish(tree, sources, target).await?;
        Ok(top.descriptor.clone())
    }

    /// Puts the documents, when all blobs are there. Somebody may have tidied up since we asked: what is missing is sent
    /// again, once.
    pub(crate) async fn finish(&self, tree: &Tree, sources: Vec<Outgoing>, target: &Target) -> Result<()> {
        match self.manifests(tree, target).await {
            Err(Error::Registry { source, .. }) if source.says_that_a_part_is_missing() => {
                self.blobs(sources).await?;
                self.manifests(tree, target).await
            }
            other => other,
        }
    }

    /// Sends blobs, several at once.
    pub(crate) async fn blobs(&self, sources: Vec<Outgoing>) -> Result<()> {
        sources.iter().for_each(|source| self.plan(source));
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let there = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for source in sources {
            let (slots, there) = (Arc::clone(&slots), Arc::clone(&there));
            let (remote, store) = (self.remote.clone(), self.store.clone());
            let (to, name, action) = (self.to.clone(), self.name.clone(), self.action);
            tasks.spawn_on(
                async move {
                    let _slot = slots.acquire().await;
                    let sending =
                        Sending { remote: &remote, store: &store, to, name, action, skips_known: false };
                    let digest = sending.blob(source).await?;
                    there.lock().unwrap_or_else(PoisonError::into_inner).push(digest);
                    Ok(())
                },
                self.remote.runtime().handle(),
            );
        }
        let outcome = join(&mut tasks).await;
        // What has got there is there, whatever became of the rest.
        let there = std::mem::take(&mut *there.lock().unwrap_or_else(PoisonError::into_inner));
        let noted = self.note(there).await;
        outcome.and(noted)
    }

    async fn blob(&self, source: Outgoing) -> Result<Digest> {
        let shown = source.shown().clone();
        let mounts = self.mounts(&source).await?;
        let sent = source.clone();
        let uploaded = self.remote.client().upload(&self.to, Arc::new(sent) as Arc<dyn BlobSource>, &mounts);
        let uploaded = match uploaded.await {
            Ok(uploaded) => uploaded,
            Err(error) => {
                return Err(match source.failure() {
                    // Its bytes could not be had: that is why it could not be sent.
                    Some(failure) if matches!(error.kind(), Kind::File) => failure,
                    _ => Error::registry(self.action, &self.name)(error),
                });
            }
        };
        self.remote.tell(match uploaded.how {
            Delivery::Existed => Event::Present { blob: shown },
            Delivery::Mounted { from } => {
                Event::Mounted { blob: shown, from: from.map(|from| from.to_string()) }
            }
            Delivery::Sent { .. } => Event::Done { blob: shown },
        });
        Ok(uploaded.digest)
    }

    /// Puts the documents, each after those that it names, and the last one under `target`.
    async fn manifests(&self, tree: &Tree, target: &Target) -> Result<()> {
        let Some((top, children)) = tree.nodes.split_last() else { return Ok(()) };
        for child in children {
            self.put(child, &Target::Digest(child.descriptor.digest.clone())).await?;
        }
        self.put(top, target).await
    }

    /// Puts one document.
    pub(crate) async fn put(&self, node: &Node, target: &Target) -> Result<()> {
        let Descriptor { media_type, digest, .. } = &node.descriptor;
        let (client, failed) = (self.remote.client(), Error::registry(self.action, &self.name));
        let mut put = Ok(());
        if node.subject.is_some() {
            put = client.push_referrer(&self.to, media_type, node.bytes.clone()).await.map(drop);
        }
        if put.is_ok() && (node.subject.is_none() || matches!(target, Target::Tag(_))) {
            put = client.put_manifest(&self.to, target, media_type, node.bytes.clone()).await.map(drop);
        }
        put.map_err(failed)?;
        let name = match target {
            Target::Tag(tag) => format!("{}:{tag}", self.to),
            Target::Digest(digest) => format!("{}@{digest}", self.to),
        };
        self.remote.tell(Event::Published { name, digest: digest.clone() });
        self.note(vec![digest.clone()]).await
    }

    /// Whether the repository has this manifest.
    pub(crate) async fn has(&self, manifest: &Descriptor) -> Result<bool> {
        let target = Target::Digest(manifest.digest.clone());
        match self.remote.client().head_manifest(&self.to, &target).await {
            Ok(found) => Ok(found.is_some()),
            // Some registries let us push and not look.
            Err(error) if matches!(error.kind(), Kind::Denied | Kind::Unauthorized | Kind::Unsupported) => {
                Ok(false)
            }
            Err(error) => Err(Error::registry(self.action, &self.name)(error)),
        }
    }

    fn plan(&self, source: &Outgoing) {
        let (blob, size) = (source.shown().clone(), source.size());
        self.remote.tell(Event::Planned { blob, size, direction: Direction::Up });
    }

    /// Other repositories of the same registry that have the blob.
    async fn mounts(&self, source: &Outgoing) -> Result<Vec<Repository>> {
        let Some(digest) = source.digest() else { return Ok(Vec::new()) };
        let store = self.store.clone();
        let known = blocking(move || origins(&store, &digest)).await?;
        Ok(mounts(source.from().iter().cloned().chain(known), &self.to))
    }

    async fn note(&self, digests: Vec<Digest>) -> Result<()> {
        let (store, origin) = (self.store.clone(), self.to.to_string());
        Ok(blocking(move || store.note_origins(&digests, &origin)).await?)
    }
}
