//! Results of steps from a cache elsewhere.
//!
//! Nothing is asked before the first step misses; then the index comes, once. A hit costs no question: the store is told
//! where the layer's blob is, and it comes when somebody reads it. Whatever is wrong with a cache is told once, and from
//! then on the cache has nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use tug_layer_store::{FoundResult, Mountable, Store, Wanted};
use tug_oci::{Descriptor, Digest, ImageConfig, Index, Manifest, Platform, Raw, media_type};

use super::error::{CacheError, Result};
use super::folder::DOCUMENT_LIMIT;
use super::index::{CacheIndex, INDEX, INDEX_LIMIT, Record, Unreadable};
use super::{inline, origin};

/// The config of a cache that BuildKit has written.
const BUILDKIT: &str = "application/vnd.buildkit.cacheconfig.v0";
/// So many images of an index are looked at.
const MOST_IMAGES: usize = 16;

/// What is told about a cache that gives nothing.
#[derive(Debug)]
pub enum CacheNotice {
    /// There is none: most often, this is the first build.
    Missing {
        /// The cache.
        name: String,
    },
    /// It cannot be used.
    Unusable(CacheError),
}

impl fmt::Display for CacheNotice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(out, "there is no cache `{name}` yet"),
            Self::Unusable(error) => {
                write!(out, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    write!(out, ": {cause}")?;
                    source = cause.source();
                }
                match error.hint() {
                    Some(hint) => write!(out, " ({hint})"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Where the documents of a cache come from.
pub(crate) trait Documents: Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;
    /// The manifest or index at its name; `None` when there is nothing.
    fn top(&self) -> Result<Option<Document>>;
    /// What a document leads to, checked; an error when it is not there.
    fn blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>>;
    /// A manifest that an index leads to.
    fn manifest(&self, blob: &Descriptor) -> Result<Vec<u8>>;
    /// How the store notes that blobs are there.
    fn origin(&self) -> String;
    /// Whether a blob can be had, as far as that costs nothing.
    fn has(&self, record: &Record) -> bool;
}

/// A document as it came.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// A cache elsewhere.
pub struct CacheSource {
    documents: Box<dyn Documents>,
    store: Store,
    platforms: Vec<Platform>,
    tell: Arc<dyn Fn(CacheNotice) + Send + Sync>,
    brings_layers: bool,
    records: OnceLock<BTreeMap<Digest, Record>>,
}

impl CacheSource {
    pub(crate) fn new(
        documents: Box<dyn Documents>,
        store: &Store,
        platforms: Vec<Platform>,
        tell: Arc<dyn Fn(CacheNotice) + Send + Sync>,
    ) -> Self {
        Self {
            documents,
            store: store.clone(),
            platforms,
            tell,
            brings_layers: false,
            records: OnceLock::new(),
        }
    }

    /// The same, whose hits have their layers in the store.
    pub(crate) fn bringing_layers(self) -> Self {
        Self { brings_layers: true, ..self }
    }

    /// The result of the step with this key, if the cache has one that can be had.
    pub fn look_up(&self, key: &Digest) -> Option<FoundResult> {
        let record = self.records().get(key).filter(|record| self.documents.has(record))?;
        self.store.note_origin(&record.blob.digest, &self.documents.origin()).ok()?;
        if self.brings_layers && !self.bring(record) {
            return None;
        }
        Some(FoundResult {
            record: record.record.to_string().into_bytes(),
            layer: record.layer.clone(),
            blob: record.blob.descriptor(),
        })
    }

    /// A layer that is damaged is as good as none.
    fn bring(&self, record: &Record) -> bool {
        let wanted = Wanted {
            descriptor: record.blob.descriptor(),
            diff_id: Some(record.layer.clone()),
            mountable: Mountable::Later,
        };
        let is_known = self.store.layer(&record.layer).is_ok_and(|layer| layer.is_some());
        is_known || origin::bring(&self.store, &wanted).is_ok_and(|brought| brought)
    }

    fn records(&self) -> &BTreeMap<Digest, Record> {
        self.records.get_or_init(|| match load(&*self.documents, &self.platforms) {
            Ok(Some(index)) => index.records,
            Ok(None) => {
                (self.tell)(CacheNotice::Missing { name: self.documents.name().to_owned() });
                BTreeMap::new()
            }
            Err(CacheError::Stopped) => BTreeMap::new(),
            Err(error) => {
                (self.tell)(CacheNotice::Unusable(error));
                BTreeMap::new()
            }
        })
    }
}

/// The index of a cache, or what an image has inside.
fn load(documents: &dyn Documents, platforms: &[Platform]) -> Result<Option<CacheIndex>> {
    let Some(top) = documents.top()? else { return Ok(None) };
    if !media_type::is_index(&top.media_type) {
        let manifest = manifest(documents, &top)?;
        return Ok(Some(match read_cache(documents, &manifest)? {
            Some(index) => index,
            None => read_image(documents, &manifest)?.ok_or_else(|| no_cache(documents))?,
        }));
    }
    let index = Raw::<Index>::parse(top.bytes).map_err(|error| damaged(documents, &error))?;
    if index.manifests.iter().any(|child| child.media_type == BUILDKIT) {
        return Err(of_buildkit(documents));
    }
    let wanted = index.manifests.iter().filter(|child| {
        let fits = |own: &Platform| platforms.iter().any(|platform| own.satisfies(platform));
        media_type::is_manifest(&child.media_type) && child.platform.as_ref().is_none_or(fits)
    });
    let mut all = CacheIndex::default();
    let mut has_cache = false;
    for child in wanted.take(MOST_IMAGES) {
        let bytes = documents.manifest(child)?;
        let (digest, media_type) = (child.digest.clone(), child.media_type.clone());
        let manifest = manifest(documents, &Document { digest, media_type, bytes })?;
        if let Some(index) = read_image(documents, &manifest)? {
            has_cache = true;
            all.records.extend(index.records);
        }
    }
    if has_cache { Ok(Some(all)) } else { Err(no_cache(documents)) }
}

/// The index of a cache; `None` when the manifest is that of an image.
pub(crate) fn read_cache(documents: &dyn Documents, manifest: &Manifest) -> Result<Option<CacheIndex>> {
    match manifest.config.media_type.as_str() {
        INDEX => {
            let bytes = documents.blob(&manifest.config, INDEX_LIMIT)?;
            let mut index = CacheIndex::parse(&bytes).map_err(|error| unreadable(documents, error))?;
            index.keep_held(manifest);
            Ok(Some(index))
        }
        media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Ok(None),
        BUILDKIT => Err(of_buildkit(documents)),
        other => Err(CacheError::Foreign {
            name: documents.name().to_owned(),
            what: format!("of type `{}`", shortened(other)),
            hint: "give the cache a name of its own",
        }),
    }
}

/// What an image has inside.
fn read_image(documents: &dyn Documents, manifest: &Manifest) -> Result<Option<CacheIndex>> {
    if !matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG) {
        return Ok(None);
    }
    let bytes = documents.blob(&manifest.config, DOCUMENT_LIMIT)?;
    let config = Raw::<ImageConfig>::parse(bytes).map_err(|error| damaged(documents, &error))?;
    let records = inline::read(&config, &manifest.layers).map_err(|error| unreadable(documents, error))?;
    Ok(records.map(|records| CacheIndex {
        records: records.into_iter().map(|record| (record.key.clone(), record)).collect(),
    }))
}

pub(crate) fn manifest(documents: &dyn Documents, document: &Document) -> Result<Raw<Manifest>> {
    if !media_type::is_manifest(&document.media_type) {
        return Err(CacheError::Foreign {
            name: documents.name().to_owned(),
            what: format!("of type `{}`", shortened(&document.media_type)),
            hint: "",
        });
    }
    Raw::parse(document.bytes.clone()).map_err(|error| damaged(documents, &error))
}

fn damaged(documents: &dyn Documents, error: &dyn fmt::Display) -> CacheError {
    CacheError::Damaged { name: documents.name().to_owned(), reason: error.to_string() }
}

fn unreadable(documents: &dyn Documents, error: Unreadable) -> CacheError {
    let name = documents.name().to_owned();
    match error {
        Unreadable::Damaged(reason) => CacheError::Damaged { name, reason },
        Unreadable::Newer(version) => CacheError::Newer { name, version },
    }
}

fn of_buildkit(documents: &dyn Documents) -> CacheError {
    CacheError::Foreign {
        name: documents.name().to_owned(),
        what: "a cache of BuildKit, whose keys mean nothing to tug".to_owned(),
        hint: "give the cache of tug another name",
    }
}

fn no_cache(documents: &dyn Documents) -> CacheError {
    CacheError::Foreign {
        name: documents.name().to_owned(),
        what: "an image without a cache inside".to_owned(),
        hint: "build it with `--cache-to type=inline`, or name a cache that `--cache-to` has written",
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect()
}
