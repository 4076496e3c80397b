//! What may go: everything is read, nothing is touched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use tug_oci::Digest;

use super::{CollectOptions, Verdict};
use crate::names::{RepositoryName, Tag};
use crate::storage::blobs::last_relied_on;
use crate::storage::document::Document;
use crate::storage::error::{At, Error, if_there};
use crate::storage::{Storage, files};

/// What may go, if it still looks so when its turn comes.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) manifests: Vec<(RepositoryName, Digest)>,
    pub(super) blobs: Vec<(RepositoryName, Digest)>,
    /// Blobs of the content store that no repository has.
    pub(super) shared: Vec<Digest>,
    /// Folders of uploads, and files that never got a name.
    pub(super) abandoned: Vec<PathBuf>,
}

/// The manifests of one repository, and what leads to them.
struct Graph {
    documents: HashMap<Digest, Document>,
    tags: BTreeMap<Digest, Tag>,
    attached: HashMap<Digest, Vec<Digest>>,
}

impl Storage {
    pub(super) fn mark(
        &self,
        options: &CollectOptions,
        tell: &mut dyn FnMut(Verdict),
    ) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        for repository in self.repositories()? {
            self.mark_repository(&repository, options, &mut plan, tell)?;
        }
        for digest in digests_in(&self.root.join("_tug/blobs"))? {
            let path = self.shared(&digest);
            let Some(metadata) = if_there(fs::metadata(&path)).at("look at", &path)? else { continue };
            if links(&metadata) == 1 && is_old(&metadata, options) {
                plan.shared.push(digest);
            }
        }
        self.mark_abandoned(options, &mut plan)?;
        Ok(plan)
    }

    fn mark_repository(
        &self,
        repository: &RepositoryName,
        options: &CollectOptions,
        plan: &mut Plan,
        tell: &mut dyn FnMut(Verdict),
    ) -> Result<(), Error> {
        let graph = self.graph(repository)?;
        let reasons = self.reasons(repository, &graph, options)?;
        let mut live: HashMap<&Digest, String> = HashMap::new();
        for (digest, why) in &reasons {
            live.insert(digest, why.clone());
            let document = &graph.documents[digest];
            for link in document.blobs().chain(document.children()) {
                live.entry(&link.digest).or_insert_with(|| format!("the manifest {digest} refers to it"));
            }
        }
        for digest in digests_in(&self.repository(repository).join("blobs"))? {
            let path = self.owned(repository, &digest);
            let Some(metadata) = if_there(fs::metadata(&path)).at("look at", &path)? else { continue };
            let is_manifest = graph.documents.contains_key(&digest);
            let why = match live.get(&digest) {
                Some(why) => Some(why.clone()),
                None if !is_old(&metadata, options) => {
                    Some("somebody may rely on it: it is in its time of grace".to_owned())
                }
                None => None,
            };
            match why {
                Some(why) => tell(Verdict {
                    what: format!("{} {digest}", if is_manifest { "manifest" } else { "blob" }),
                    repository: Some(repository.to_string()),
                    size: metadata.len(),
                    stays: true,
                    why,
                }),
                None if is_manifest => plan.manifests.push((repository.clone(), digest)),
                None => plan.blobs.push((repository.clone(), digest)),
            }
        }
        Ok(())
    }

    /// Reads all manifests of a repository. What the server deletes meanwhile is left out; what is damaged is an error.
    fn graph(&self, repository: &RepositoryName) -> Result<Graph, Error> {
        let mut graph = Graph { documents: HashMap::new(), tags: BTreeMap::new(), attached: HashMap::new() };
        for tag in self.tags(repository)? {
            if let Some(digest) = self.tagged(repository, &tag)? {
                graph.tags.insert(digest, tag);
            }
        }
        for digest in self.manifests(repository)? {
            let bytes = match self.manifest_bytes(repository, &digest) {
                Ok(bytes) => bytes,
                Err(_) if !self.record(repository, &digest).exists() => continue,
                Err(error) => return Err(error),
            };
            let document = Document::parse(&bytes)
                .map_err(|why| Error::Damaged { path: self.owned(repository, &digest), why })?;
            if let Some(subject) = document.subject() {
                graph.attached.entry(subject.clone()).or_default().push(digest.clone());
            }
            graph.documents.insert(digest, document);
        }
        for (digest, tag) in &graph.tags {
            let is_there = graph.documents.contains_key(digest) || self.record(repository, digest).exists();
            if !is_there && self.tagged(repository, tag)?.as_ref() == Some(digest) {
                let why = format!("it leads to {digest}, and that is no manifest of the repository");
                return Err(Error::Damaged { path: self.tag(repository, tag), why });
            }
        }
        Ok(graph)
    }

    /// The manifests that stay, and why.
    fn reasons(
        &self,
        repository: &RepositoryName,
        graph: &Graph,
        options: &CollectOptions,
    ) -> Result<BTreeMap<Digest, String>, Error> {
        let mut reasons: BTreeMap<Digest, String> = BTreeMap::new();
        let mut next: Vec<(Digest, String)> = Vec::new();
        for digest in graph.documents.keys() {
            let record = self.record(repository, digest);
            let metadata = if_there(fs::metadata(&record)).at("look at", &record)?;
            match graph.tags.get(digest) {
                Some(tag) => next.push((digest.clone(), format!("the tag `{tag}` leads to it"))),
                None if !options.untagged => next.push((digest.clone(), "it is a manifest".to_owned())),
                None if metadata.is_some_and(|metadata| !is_old(&metadata, options)) => {
                    next.push((digest.clone(), "it is in its time of grace".to_owned()));
                }
                None => {}
            }
        }
        while let Some((digest, why)) = next.pop() {
            let Some(document) = graph.documents.get(&digest) else { continue };
            if reasons.contains_key(&digest) {
                continue;
            }
            reasons.insert(digest.clone(), why);
            let listed = format!("the index {digest} lists it");
            next.extend(document.children().map(|child| (child.digest.clone(), listed.clone())));
            let attached = format!("it is attached to {digest}");
            let attachments = graph.attached.get(&digest).into_iter().flatten();
            next.extend(attachments.map(|digest| (digest.clone(), attached.clone())));
        }
        Ok(reasons)
    }

    /// Uploads that nobody goes on with, and files that a crash has left without a name.
    fn mark_abandoned(&self, options: &CollectOptions, plan: &mut Plan) -> Result<(), Error> {
        let limit = options.now.checked_sub(options.uploads).unwrap_or(SystemTime::UNIX_EPOCH);
        for (folder, newest) in [("_tug/uploads", "data"), ("_tug/ingest", "")] {
            let folder = self.root.join(folder);
            for name in files::names(&folder)? {
                let path = folder.join(name);
                let watched = if newest.is_empty() { path.clone() } else { path.join(newest) };
                let metadata = match if_there(fs::metadata(&watched)).at("look at", &watched)? {
                    Some(metadata) => Some(metadata),
                    None => if_there(fs::metadata(&path)).at("look at", &path)?,
                };
                if metadata.is_some_and(|metadata| last_relied_on(&metadata) < limit) {
                    plan.abandoned.push(path);
                }
            }
        }
        Ok(())
    }
}

/// Whether the time of grace of a file is over.
pub(super) fn is_old(metadata: &fs::Metadata, options: &CollectOptions) -> bool {
    // A lease may be a second older than it should be; see `blobs::touch`.
    let age = options.now.duration_since(last_relied_on(metadata)).unwrap_or_default();
    age > options.grace + std::time::Duration::from_secs(1)
}

/// How many names a file has.
pub(super) fn links(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// The digests of all files in `folder/sha256` and `folder/sha512`. Any other file is a reason to stop: what we do not
/// understand must not make us take something away.
pub(in crate::storage) fn digests_in(folder: &std::path::Path) -> Result<BTreeSet<Digest>, Error> {
    let mut digests = BTreeSet::new();
    for algorithm in ["sha256", "sha512"] {
        for name in files::names(&folder.join(algorithm))? {
            // Repositories may lie here, too: `a/blobs/sha256` is none, for `blobs` in a name is written otherwise.
            let digest = format!("{algorithm}:{name}").parse().map_err(|_| Error::Damaged {
                path: folder.join(algorithm).join(&name),
                why: "its name is no digest".to_owned(),
            })?;
            digests.insert(digest);
        }
    }
    Ok(digests)
}
