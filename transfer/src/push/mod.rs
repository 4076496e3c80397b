//! Pushes images from the store.
//!
//! | step                                | what for                                                                        |
//! | ----------------------------------- | ------------------------------------------------------------------------------- |
//! | 1. is the manifest there?           | then so are its blobs, and only the name is put                                 |
//! | 2. blobs, several at once           | asked for, taken over from another repository, or sent; plain layers are compressed while they are sent |
//! | 3. manifests, children first        | as they are in the store, byte for byte, unless layers were compressed          |
//! | 4. the name                         | last: whoever pulls it finds all of it                                          |
//!
//! [`Ahead`] does step 2 for layers of an image that is still being built.
//!
//! Layers of images that were built here are plain tars. They are pushed compressed, which makes another manifest: that one
//! is in the store too afterwards, and the name points to it.

mod ahead;
mod send;
mod source;

use std::collections::{BTreeMap, HashMap};

use tug_layer_store::{Image, ImageForm, LayerCompression, MediaTypes, Store};
use tug_oci::{
    Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type,
};
use tug_registry_client::{Repository, Target};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::remote::{Remote, blocking};
use crate::resolve::{is_attestation, is_image_config, kept};
use crate::tree::{Node, Tree};
pub use ahead::Ahead;
pub(crate) use send::Sending;
pub(crate) use source::Outgoing;

/// How to push.
#[derive(Clone, Debug)]
pub struct PushOptions {
    /// What plain layers are compressed with.
    pub compression: LayerCompression,
    /// Whether layers that are compressed otherwise are compressed anew.
    pub all_layers: bool,
    /// Whether an index must be pushed whole; images that are missing come from where they were seen. Otherwise an index
    /// that is not whole is pushed as the image for `platform`.
    pub all: bool,
    /// Of an index, only this image.
    pub only: Option<Platform>,
    /// The platform of this host, for an index that is not whole.
    pub platform: Platform,
    /// Whether each blob is asked for although the manifest is there.
    pub checks_blobs: bool,
    /// Whether no tag is given: only the digest leads to it.
    pub by_digest: bool,
}

impl PushOptions {
    /// gzip with level 6 for plain layers, the rest as it is.
    pub fn new(platform: Platform) -> Self {
        Self {
            compression: LayerCompression::Gzip(6),
            all_layers: false,
            all: false,
            only: None,
            platform,
            checks_blobs: false,
            by_digest: false,
        }
    }
}

/// What was pushed to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The name, as it was given.
    pub name: Reference,
    /// The manifest or index that it points to now.
    pub target: Descriptor,
}

impl Remote {
    /// Pushes what `target` points to, an image or an index with its images, to all destinations. `name` is what the user
    /// called it, for messages.
    ///
    /// A name of the store that is also a destination, and points to `target`, points to what was pushed afterwards.
    pub fn push(
        &self,
        store: &Store,
        name: &str,
        target: &Descriptor,
        destinations: &[Reference],
        options: &PushOptions,
    ) -> Result<Vec<Pushed>> {
        if let Some(pinned) = destinations.iter().find(|destination| destination.digest().is_some()) {
            return Err(Error::PinnedDestination(pinned.familiar()));
        }
        let store = &self.stopping(store);
        self.block_on(async {
            let tree = self.tree_to_push(store, name, target, options).await?;
            let Some(top) = tree.top() else { return Ok(Vec::new()) };
            let source = top.descriptor.clone();
            let forms = self.forms(store, &tree, options).await?;
            let mut pushed = Vec::new();
            for destination in destinations {
                let made = self.push_to(store, &tree, &forms, destination, options).await?;
                let (store, destination, source) = (store.clone(), destination.clone(), source.clone());
                let (given, made_too) = (destination.clone(), made.clone());
                blocking(move || rename(&store, &destination, &source, &made_too)).await?;
                pushed.push(Pushed { name: given, target: made });
            }
            Ok(pushed)
        })
    }

    /// What is to be pushed: all of an index, or one image of it.
    async fn tree_to_push(
        &self,
        store: &Store,
        name: &str,
        target: &Descriptor,
        options: &PushOptions,
    ) -> Result<Tree> {
        let only = match &options.only {
            Some(only) => only.clone(),
            None => match self.tree_of_store(store, target, name).await {
                Err(Error::Incomplete { .. }) if !options.all => options.platform.clone(),
                other => return other,
            },
        };
        let (searched, wanted) = (store.clone(), only.clone());
        let found = blocking({
            let target = target.clone();
            move || searched.image(&target, &wanted)
        });
        let image = found.await.map_err(|error| match error {
            tug_layer_store::Error::NoSuchPlatform { available, .. } => {
                Error::NoSuchPlatform { name: name.to_owned(), wanted: Box::new(only.clone()), available }
            }
            other => other.into(),
        })?;
        if image.descriptor.digest != target.digest {
            let of = images_of(store, target)?;
            self.tell(Event::OnlyOne { platform: image.config.platform.clone(), of });
        }
        self.tree_of_store(store, &image.descriptor, name).await
    }

    /// Which layers are to be compressed on the way, by their blobs.
    async fn forms(&self, store: &Store, tree: &Tree, options: &PushOptions) -> Result<Forms> {
        let mut forms = Forms::default();
        for node in &tree.nodes {
            let Some(image) = image_of(store, node).await? else { continue };
            for (diff_id, blob) in image.layers() {
                let is_wanted = options.compression.changes(blob, options.all_layers);
                if is_wanted {
                    forms.layers.insert(blob.digest.clone(), diff_id.clone());
                    forms.images.insert(node.descriptor.digest.clone(), image.clone());
                }
            }
        }
        Ok(forms)
    }

    async fn push_to(
        &self,
        store: &Store,
        tree: &Tree,
        forms: &Forms,
        destination: &Reference,
        options: &PushOptions,
    ) -> Result<Descriptor> {
        let sending = Sending {
            remote: self,
            store,
            to: Repository::from(destination),
            name: destination.familiar(),
            action: "push",
            skips_known: !options.checks_blobs,
        };
        let tag = |made: &Descriptor| match options.by_digest {
            true => Target::Digest(made.digest.clone()),
            false => Target::from(destination),
        };
        if forms.images.is_empty() {
            let sources = self.sources(store, tree, forms, options).await?;
            let Some(top) = tree.top() else { return Err(Error::Stopped) };
            return sending.send(tree, sources, &tag(&top.descriptor)).await;
        }
        // The manifest is known when its last layer is compressed, so the blobs go first.
        let sources = self.sources(store, tree, forms, options).await?;
        sending.blobs(sources.clone()).await?;
        let made = blocking({
            let (store, tree_top) = (store.clone(), tree.top().map(|node| node.descriptor.clone()));
            let (forms, options) = (forms.clone(), options.clone());
            move || tree_top.map(|top| reformed(&store, &top, &forms, &options)).transpose()
        });
        let Some(made) = made.await? else { return Err(Error::Stopped) };
        let tree = self.tree_of_store(store, &made, &sending.name).await?;
        sending.finish(&tree, sources, &tag(&made)).await?;
        Ok(made)
    }

    /// Where the bytes of each blob come from.
    async fn sources(
        &self,
        store: &Store,
        tree: &Tree,
        forms: &Forms,
        options: &PushOptions,
    ) -> Result<Vec<Outgoing>> {
        let (remote, store, blobs) = (self.clone(), store.clone(), tree.blobs());
        let (forms, compression) = (forms.clone(), options.compression);
        blocking(move || {
            blobs
                .iter()
                .map(|blob| match forms.layers.get(&blob.digest) {
                    Some(diff_id) => Outgoing::compressed(&remote, &store, diff_id, blob, compression),
                    None => Outgoing::stored(&remote, &store, blob, Vec::new()),
                })
                .collect()
        })
        .await
    }
}

/// How many images there are in an index, without what is about them.
pub(crate) fn images_of(store: &Store, target: &Descriptor) -> Result<usize> {
    Ok(match kept(store, &target.digest)?.map(|bytes| Raw::<Index>::parse(bytes.into())) {
        Some(Ok(index)) => index.manifests.iter().filter(|child| !is_attestation(child)).count(),
        _ => 1,
    })
}

/// What changes on the way.
#[derive(Clone, Debug, Default)]
struct Forms {
    /// Blobs that are compressed, and the layers they hold.
    layers: HashMap<Digest, DiffId>,
    /// The images that have such layers, by their manifests.
    images: HashMap<Digest, Image>,
}

async fn image_of(store: &Store, node: &Node) -> Result<Option<Image>> {
    if !node.config.as_ref().is_some_and(|config| is_image_config(&config.media_type))
        || !media_type::is_manifest(&node.descriptor.media_type)
    {
        return Ok(None);
    }
    let (store, node) = (store.clone(), node.clone());
    blocking(move || {
        let Some(config) = node.config.as_ref() else { return Ok(None) };
        let Some(bytes) = kept(&store, &config.digest)? else { return Ok(None) };
        let (Ok(manifest), Ok(config)) =
            (Raw::<Manifest>::parse(node.bytes.to_vec()), Raw::<ImageConfig>::parse(bytes.into()))
        else {
            return Ok(None);
        };
        let is_whole = manifest.layers.len() == config.rootfs.diff_ids.len();
        Ok(is_whole.then(|| Image { descriptor: node.descriptor, manifest, config }))
    })
    .await
}

/// The image or index in the form that was pushed. All its layers are compressed by now.
fn reformed(store: &Store, target: &Descriptor, forms: &Forms, options: &PushOptions) -> Result<Descriptor> {
    if let Some(image) = forms.images.get(&target.digest) {
        let is_docker = target.media_type == media_type::DOCKER_MANIFEST;
        let has_docker_words = is_docker && !matches!(options.compression, LayerCompression::Zstd(_));
        let form = ImageForm {
            compression: Some(options.compression),
            all_layers: options.all_layers,
            media_types: if has_docker_words { MediaTypes::Docker } else { MediaTypes::Oci },
            annotations: BTreeMap::new(),
        };
        let made = store.image_in_form(image, &form)?.descriptor;
        let platform = target.platform.clone();
        return Ok(Descriptor { annotations: target.annotations.clone(), platform, ..made });
    }
    if !media_type::is_index(&target.media_type) {
        return Ok(target.clone());
    }
    let Some(bytes) = kept(store, &target.digest)? else { return Ok(target.clone()) };
    let Ok(index) = Raw::<Index>::parse(bytes.into()) else { return Ok(target.clone()) };
    let mut index = index.into_value();
    let mut renamed = HashMap::new();
    for child in &mut index.manifests {
        let made = reformed(store, child, forms, options)?;
        if made.digest != child.digest {
            renamed.insert(child.digest.to_string(), made.digest.to_string());
            *child = made;
        }
    }
    if renamed.is_empty() {
        return Ok(target.clone());
    }
    // Attestations say by an annotation which image they are about.
    for annotation in index.manifests.iter_mut().flat_map(|child| child.annotations.values_mut()) {
        if let Some(new) = renamed.get(annotation) {
            annotation.clone_from(new);
        }
    }
    let index = Raw::encode(index);
    let digest = store.write_blob(index.bytes())?;
    Ok(Descriptor { digest, size: index.size(), ..target.clone() })
}

/// The name points to what was pushed, if it pointed to what that was made of.
fn rename(
    store: &Store,
    destination: &Reference,
    source: &Descriptor,
    made: &Descriptor,
) -> tug_layer_store::Result<()> {
    match store.resolve(destination)? {
        Some(old) if old.digest == source.digest && old.digest != made.digest => store.tag(destination, made),
        _ => Ok(()),
    }
}
