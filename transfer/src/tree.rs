//! An index or manifest with everything that it leads to.
//!
//! Documents are looked at through one glass, whatever kind they are: which documents and which blobs they name. So
//! attestations, artifacts and kinds that come later move like images, byte for byte.

use std::collections::HashSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tug_layer_store::Store;
use tug_oci::{Descriptor, DocumentError, Raw, media_type};

use crate::error::{Error, Result};
use crate::fetcher::origins;
use crate::remote::{Remote, blocking};
use crate::resolve::{DEEPEST_INDEX, MOST_DOCUMENTS, Source, kept};

/// Of all documents of one tree together.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Documents, each after those that it names.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

/// A document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Bytes,
    /// The config among its blobs.
    pub(crate) config: Option<Descriptor>,
    /// Config and layers, each once.
    pub(crate) blobs: Vec<Descriptor>,
    children: Vec<Descriptor>,
    /// What it is attached to.
    pub(crate) subject: Option<Descriptor>,
}

/// The parts of a manifest, index or artifact that lead elsewhere.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
}

impl tug_oci::Document for Outline {
    const WHAT: &'static str = "the manifest";

    fn check(&self) -> std::result::Result<(), String> {
        match self.layers.is_some() && self.manifests.is_some() {
            true => {
                Err("it has both `layers` and `manifests`, so that nobody can tell what it is".to_owned())
            }
            false => Ok(()),
        }
    }
}

impl Node {
    pub(crate) fn parse(descriptor: Descriptor, bytes: Bytes) -> std::result::Result<Self, DocumentError> {
        let outline = Raw::<Outline>::parse(bytes.to_vec())?.into_value();
        let Outline { config, subject, .. } = outline;
        let named = config.iter().cloned().chain(outline.layers.into_iter().flatten());
        let mut seen = HashSet::new();
        let blobs = named.chain(outline.blobs.into_iter().flatten());
        let blobs = blobs.filter(|blob| seen.insert(blob.digest.clone())).collect();
        let children = outline.manifests.unwrap_or_default();
        Ok(Self { descriptor, bytes, config, blobs, children, subject })
    }
}

impl Tree {
    /// Every blob once that is to be sent. Layers that may not be distributed stay where their addresses say.
    pub(crate) fn blobs(&self) -> Vec<Descriptor> {
        let mut seen = HashSet::new();
        let blobs = self.nodes.iter().flat_map(|node| &node.blobs);
        let blobs = blobs.filter(|blob| blob.urls.is_empty() || !is_not_distributed(&blob.media_type));
        blobs.filter(|blob| seen.insert(&blob.digest)).cloned().collect()
    }

    /// The document that leads to all others.
    pub(crate) fn top(&self) -> Option<&Node> {
        self.nodes.last()
    }
}

impl Source<'_> {
    /// Everything below `target`; its documents are in the store afterwards.
    pub(crate) async fn tree(&self, target: &Descriptor) -> Result<Tree> {
        let mut walk = Walk::new(&self.name, target);
        while let Some(descriptor) = walk.next()? {
            let bytes = self.document(&descriptor).await?;
            walk.give(descriptor, bytes)?;
        }
        Ok(walk.tree)
    }
}

impl Remote {
    /// Everything below `target` in the store. Documents that are not there come from where they were seen, if they were;
    /// [`Error::Incomplete`] says how many are missing otherwise.
    pub(crate) async fn tree_of_store(&self, store: &Store, target: &Descriptor, name: &str) -> Result<Tree> {
        let mut walk = Walk::new(name, target);
        let mut missing = 0;
        while let Some(descriptor) = walk.next()? {
            let bytes = blocking({
                let (store, digest) = (store.clone(), descriptor.digest.clone());
                move || kept(&store, &digest)
            });
            match bytes.await? {
                Some(bytes) => walk.give(descriptor, bytes)?,
                None => match self.seen_document(store, &descriptor, name).await? {
                    Some(bytes) => walk.give(descriptor, bytes)?,
                    None => missing += 1,
                },
            }
        }
        match missing {
            0 => Ok(walk.tree),
            missing => Err(Error::Incomplete { name: name.to_owned(), missing }),
        }
    }

    async fn seen_document(&self, store: &Store, document: &Descriptor, name: &str) -> Result<Option<Bytes>> {
        for repository in origins(store, &document.digest)? {
            let source = Source {
                remote: self,
                store,
                repository,
                name: name.to_owned(),
                action: "fetch",
                keeps: true,
            };
            if let Ok(bytes) = source.document(document).await {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// A walk over documents, without recursion. A document is kept after all that it leads to.
struct Walk<'a> {
    name: &'a str,
    pending: Vec<(Step, usize)>,
    depth: usize,
    seen: HashSet<tug_oci::Digest>,
    bytes: usize,
    tree: Tree,
}

enum Step {
    Visit(Box<Descriptor>),
    Keep(Box<Node>),
}

impl<'a> Walk<'a> {
    fn new(name: &'a str, target: &Descriptor) -> Self {
        let pending = vec![(Step::Visit(Box::new(target.clone())), 0)];
        Self { name, pending, depth: 0, seen: HashSet::new(), bytes: 0, tree: Tree::default() }
    }

    /// The next document that is wanted.
    fn next(&mut self) -> Result<Option<Descriptor>> {
        while let Some((step, depth)) = self.pending.pop() {
            match step {
                Step::Keep(node) => self.tree.nodes.push(*node),
                Step::Visit(descriptor) => {
                    if !self.seen.insert(descriptor.digest.clone()) {
                        continue;
                    }
                    let too_many =
                        |what, limit| Err(Error::TooMany { name: self.name.to_owned(), what, limit });
                    if depth > DEEPEST_INDEX {
                        return too_many("indexes in each other", DEEPEST_INDEX);
                    }
                    if self.seen.len() > MOST_DOCUMENTS {
                        return too_many("documents", MOST_DOCUMENTS);
                    }
                    if self.bytes > MOST_BYTES {
                        return too_many("bytes of documents", MOST_BYTES);
                    }
                    self.depth = depth;
                    return Ok(Some(*descriptor));
                }
            }
        }
        Ok(None)
    }

    /// Takes the document that was wanted.
    fn give(&mut self, descriptor: Descriptor, bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len();
        let digest = descriptor.digest.clone();
        let node = Node::parse(descriptor, bytes).map_err(|source| Error::Document {
            name: self.name.to_owned(),
            digest,
            source,
        })?;
        let children: Vec<_> = node.children.iter().rev().cloned().collect();
        self.pending.push((Step::Keep(Box::new(node)), self.depth));
        let below = self.depth + 1;
        self.pending.extend(children.into_iter().map(|child| (Step::Visit(Box::new(child)), below)));
        Ok(())
    }
}

/// Whether `media_type` names a layer of files.
pub(crate) fn is_layer(media_type: &str) -> bool {
    matches!(
        media_type,
        media_type::OCI_LAYER
            | media_type::OCI_LAYER_GZIP
            | media_type::OCI_LAYER_ZSTD
            | media_type::DOCKER_LAYER
            | media_type::DOCKER_LAYER_GZIP
    ) || is_not_distributed(media_type)
}

/// Whether `media_type` names a layer that registries are not meant to have. Source: image-spec `layer.md`.
fn is_not_distributed(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
}

#[cfg(test)]
mod tests {
    use tug_oci::Digest;

    use super::*;

    fn index_of(children: &[&Descriptor], mark: &str) -> (Descriptor, Bytes) {
        let text = serde_json::json!({ "schemaVersion": 2, "mark": mark, "manifests": children }).to_string();
        let descriptor =
            Descriptor::new(media_type::OCI_INDEX, Digest::of(text.as_bytes()), text.len() as u64);
        (descriptor, text.into())
    }

    fn walk(documents: &[(Descriptor, Bytes)], top: &Descriptor) -> Result<Tree> {
        let mut walk = Walk::new("app", top);
        while let Some(wanted) = walk.next()? {
            let (_, bytes) = documents.iter().find(|(found, _)| found.digest == wanted.digest).unwrap();
            walk.give(wanted, bytes.clone())?;
        }
        Ok(walk.tree)
    }

    #[test]
    fn documents_come_after_what_they_lead_to_and_once() {
        let leaf = index_of(&[], "leaf");
        let other = index_of(&[], "other");
        let inner = index_of(&[&leaf.0, &other.0], "inner");
        let top = index_of(&[&leaf.0, &inner.0, &other.0], "top");
        let documents = [leaf.clone(), other.clone(), inner.clone(), top.clone()];
        let tree = walk(&documents, &top.0).unwrap();
        let order: Vec<_> = tree.nodes.iter().map(|node| node.descriptor.digest.clone()).collect();
        assert_eq!(order, [leaf.0.digest, other.0.digest, inner.0.digest, top.0.digest.clone()]);
        assert_eq!(tree.top().unwrap().descriptor.digest, top.0.digest);
    }

    #[test]
    fn depth_is_bounded() {
        let mut documents = vec![index_of(&[], "0")];
        for depth in 1..12 {
            let next = index_of(&[&documents.last().unwrap().0], &depth.to_string());
            documents.push(next);
        }
        let top = documents.last().unwrap().0.clone();
        assert!(matches!(walk(&documents, &top), Err(Error::TooMany { limit: 8, .. })));
    }

    #[test]
    fn all_kinds_of_documents_say_what_they_lead_to() {
        let blob = |text: &str| Descriptor::new("text/plain", Digest::of(text.as_bytes()), text.len() as u64);
        let text = serde_json::json!({
            "config": blob("config"), "layers": [blob("one"), blob("two"), blob("one")], "more": 1,
        });
        let node = Node::parse(blob("m"), text.to_string().into()).unwrap();
        assert_eq!(node.blobs, [blob("config"), blob("one"), blob("two")]);
        assert_eq!(node.config, Some(blob("config")));
        let artifact = serde_json::json!({ "blobs": [blob("one")] }).to_string();
        assert_eq!(Node::parse(blob("m"), artifact.into()).unwrap().blobs, [blob("one")]);
        let mut foreign = blob("foreign");
        foreign.media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".to_owned();
        foreign.urls = vec!["https://example.com/layer".to_owned()];
        let text = serde_json::json!({ "layers": [blob("one"), foreign] }).to_string();
        let tree = Tree { nodes: vec![Node::parse(blob("m"), text.into()).unwrap()] };
        assert_eq!(tree.nodes[0].blobs.len(), 2);
        assert_eq!(tree.blobs(), [blob("one")], "it is not to be sent");
        let both = serde_json::json!({ "layers": [], "manifests": [] }).to_string();
        assert!(Node::parse(blob("m"), both.into()).is_err());
    }
}
