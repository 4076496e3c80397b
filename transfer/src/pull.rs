//! Pulls images: documents, layers, and at the end the name.
//!
//! The name is given when everything is there, so an image that has a name is whole. What a pull that was killed leaves is
//! whole blobs and partial ones, with which the next one goes on.

use std::collections::HashSet;

use tug_layer_store::{Image, Mountable, Store};
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, Platform, Reference, media_type};
use tug_registry_client::Target;

use crate::arrival::Wanted;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::remote::{Remote, blocking};
use crate::resolve::{Source, is_image_config};
use crate::tree::{Node, is_layer};

/// What becomes of the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layers {
    /// They are unpacked, so that containers start at once.
    #[default]
    Unpacked,
    /// What is in them is known, and trees are made when somebody needs them.
    Listed,
    /// They are kept as they come.
    Packed,
    /// They stay where they are until somebody needs them.
    Lazy,
}

/// How to pull.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// Which image of an index.
    pub platform: Platform,
    /// All images of an index, with what else is in it. Only those for `platform` are unpacked.
    pub all_platforms: bool,
    /// What becomes of the layers.
    pub layers: Layers,
    /// Whether the image gets its name in the store.
    pub gives_name: bool,
}

impl PullOptions {
    /// The image for one platform, unpacked and named.
    pub fn new(platform: Platform) -> Self {
        Self { platform, all_platforms: false, layers: Layers::default(), gives_name: true }
    }
}

/// How what was pulled differs from what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The name was not known.
    New,
    /// The name pointed to something else.
    Newer,
    /// The name pointed to it, and all of it was there.
    UpToDate,
}

/// What was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What the name points to now: an index or a manifest.
    pub target: Descriptor,
    /// The image for the platform; `None` when all were asked for and there is none for it.
    pub image: Option<Image>,
    /// How it differs from what was there.
    pub status: Status,
}

impl Remote {
    /// Pulls an image. What is in the store already is not fetched.
    pub fn pull(&self, store: &Store, name: &Reference, options: &PullOptions) -> Result<Pulled> {
        let store = &self.stopping(store);
        self.block_on(async {
            let source = self.source(store, name, "pull");
            let before = store.resolve(name)?;
            if let Some(before) = &before
                && let Some(image) = source.is_up_to_date(name, before, options).await?
            {
                return Ok(Pulled { target: before.clone(), image, status: Status::UpToDate });
            }
            let target = source.top(&Target::from(name)).await?;
            let image = match options.all_platforms {
                true => source.pull_all(&target, options).await?,
                false => Some(source.pull_one(&target, options).await?),
            };
            let status = match before {
                Some(before) if before.digest == target.digest => Status::UpToDate,
                Some(_) => Status::Newer,
                None => Status::New,
            };
            if options.gives_name {
                let (store, name, target) = (store.clone(), name.clone(), target.clone());
                blocking(move || store.tag(&name, &target)).await?;
            }
            Ok(Pulled { target, image, status })
        })
    }
}

impl Source<'_> {
    /// The image, when the name points to what it points to here, and all of that is here.
    async fn is_up_to_date(
        &self,
        name: &Reference,
        before: &Descriptor,
        options: &PullOptions,
    ) -> Result<Option<Option<Image>>> {
        if options.all_platforms {
            return Ok(None);
        }
        let (store, target, options) = (self.store.clone(), before.clone(), options.clone());
        let Some(image) = blocking(move || whole_image(&store, &target, &options)).await else {
            return Ok(None);
        };
        if name.digest().is_none() {
            let asked = self.remote.client().head_manifest(&self.repository, &Target::from(name)).await;
            let there = asked.map_err(Error::registry(self.action, &self.name))?;
            match there {
                Some(there) if there.digest == before.digest => {}
                _ => return Ok(None),
            }
        }
        let name = format!("{}:{}", self.repository, Target::from(name));
        self.remote.tell(Event::Resolved { name, target: before.clone() });
        let digests = image.manifest.layers.iter().map(|layer| layer.digest.clone());
        self.note(digests.collect()).await?;
        Ok(Some(Some(image)))
    }

    async fn pull_one(&self, target: &Descriptor, options: &PullOptions) -> Result<Image> {
        let resolved = self.image(target, &options.platform).await?;
        if resolved.images > 1 {
            let platform = resolved.image.config.platform.clone();
            self.remote.tell(Event::OnlyOne { platform, of: resolved.images });
        }
        let wanted = self.layers(&resolved.image, options.layers).await?;
        self.remote.bring(self.store, wanted).await?;
        Ok(resolved.image)
    }

    /// Everything below `target`.
    async fn pull_all(&self, target: &Descriptor, options: &PullOptions) -> Result<Option<Image>> {
        let tree = self.tree(target).await?;
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut own = None;
        for node in &tree.nodes {
            let image = self.image_of(node).await?;
            let fits = |image: &Image| image.config.platform.distance_to(&options.platform).is_some();
            match image {
                Some(image) if own.is_none() && fits(&image) => {
                    wanted.extend(self.layers(&image, options.layers).await?);
                    own = Some(image);
                }
                _ => wanted.extend(self.blobs(node, options.layers)),
            }
        }
        let noted = tree.nodes.iter().flat_map(|node| {
            node.blobs.iter().map(|blob| &blob.digest).chain([&node.descriptor.digest]).cloned()
        });
        self.note(noted.collect()).await?;
        // A layer that is to be unpacked comes before the same one that is not.
        let mut seen = HashSet::new();
        wanted.sort_by_key(|wanted| wanted.layer.is_none());
        wanted.retain(|wanted| seen.insert(wanted.blob.digest.clone()));
        self.remote.bring(self.store, wanted).await?;
        Ok(own)
    }

    async fn image_of(&self, node: &Node) -> Result<Option<Image>> {
        let config = node.config.as_ref().filter(|config| is_image_config(&config.media_type));
        let Some(config) = config.filter(|_| media_type::is_manifest(&node.descriptor.media_type)) else {
            return Ok(None);
        };
        self.config(config).await?;
        let config = self.parsed::<ImageConfig>(config).await?;
        let (store, descriptor, platform) =
            (self.store.clone(), node.descriptor.clone(), config.platform.clone());
        match blocking(move || store.image(&descriptor, &platform)).await {
            Ok(image) => Ok(Some(image)),
            Err(tug_layer_store::Error::LayerCount { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The layers of an image that are to be fetched.
    pub(crate) async fn layers(&self, image: &Image, layers: Layers) -> Result<Vec<Wanted>> {
        if layers == Layers::Lazy {
            return Ok(Vec::new());
        }
        let trees = if layers == Layers::Unpacked { Mountable::Now } else { Mountable::Later };
        let mut wanted: Vec<Wanted> = Vec::new();
        for (diff_id, blob) in image.layers() {
            if wanted.iter().any(|other| other.blob.digest == blob.digest) {
                continue;
            }
            let is_unpacked = layers != Layers::Packed && is_layer(&blob.media_type);
            let layer = is_unpacked.then(|| (diff_id.clone(), trees));
            if layer.is_some() && self.is_known(diff_id.clone(), blob.digest.clone()).await? {
                self.remote.tell(Event::Present { blob: blob.digest.clone() });
                continue;
            }
            wanted.push(self.wanted(blob, layer));
        }
        Ok(wanted)
    }

    fn blobs(&self, node: &Node, layers: Layers) -> Vec<Wanted> {
        match layers {
            Layers::Lazy => node.config.iter().map(|blob| self.wanted(blob, None)).collect(),
            _ => node.blobs.iter().map(|blob| self.wanted(blob, None)).collect(),
        }
    }

    pub(crate) fn wanted(&self, blob: &Descriptor, layer: Option<(DiffId, Mountable)>) -> Wanted {
        let repositories = vec![self.repository.clone()];
        Wanted { blob: blob.clone(), layer, repositories, action: self.action }
    }

    /// Whether the layer is here, with its blob.
    async fn is_known(&self, diff_id: DiffId, blob: Digest) -> Result<bool> {
        let store = self.store.clone();
        Ok(blocking(move || is_here(&store, &diff_id, &blob)).await?)
    }
}

fn is_here(store: &Store, diff_id: &DiffId, blob: &Digest) -> tug_layer_store::Result<bool> {
    Ok(store.has_blob(blob)? && store.layer(diff_id)?.is_some())
}

/// The image for the platform below `target`, if it is all there in the wanted form.
fn whole_image(store: &Store, target: &Descriptor, options: &PullOptions) -> Option<Image> {
    let image = store.image(target, &options.platform).ok()?;
    let is_whole = |(diff_id, blob): (&DiffId, &Descriptor)| match options.layers {
        Layers::Lazy => Ok(true),
        Layers::Packed => store.has_blob(&blob.digest),
        Layers::Unpacked | Layers::Listed => is_here(store, diff_id, &blob.digest),
    };
    let all = image.layers().all(|layer| matches!(is_whole(layer), Ok(true)));
    all.then_some(image)
}
