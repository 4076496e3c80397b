//! Images: finding them, reading them, writing them.
//!
//! A descriptor may point to a manifest, or to an index (a list of manifests for several platforms, which may nest).
//! Whoever made it may have made it badly: documents are bounded in size, indexes in depth and in the number that is
//! read, and none is read twice.

use std::collections::HashSet;
use std::path::PathBuf;

use tug_oci::{
    Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type,
};

use crate::error::{Error, Result};
use crate::second::Root;
use crate::store::Store;

/// Registries must take 4 MiB; nobody writes more than a few times that.
pub(crate) const DOCUMENT_LIMIT: u64 = 16 * 1024 * 1024;
pub(crate) const DEEPEST_INDEX: usize = 8;
pub(crate) const MOST_DOCUMENTS: u64 = 4096;

/// An image for one platform: its documents as they came. The layers themselves may not be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What points to the manifest.
    pub descriptor: Descriptor,
    /// Which layers, in which blobs.
    pub manifest: Raw<Manifest>,
    /// How to run it, and how it was made.
    pub config: Raw<ImageConfig>,
}

impl Image {
    /// The layers, lowest first.
    pub fn diff_ids(&self) -> &[DiffId] {
        &self.config.rootfs.diff_ids
    }

    /// The image id: the digest of the config.
    pub fn id(&self) -> &Digest {
        self.config.digest()
    }

    /// The layers with the blobs they are kept in, lowest first.
    pub fn layers(&self) -> impl Iterator<Item = (&DiffId, &Descriptor)> {
        self.diff_ids().iter().zip(&self.manifest.layers)
    }

    /// The bytes of its blobs: manifest, config and layers, as they are kept or moved.
    pub fn size(&self) -> u64 {
        let layers: u64 = self.manifest.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size));
        self.manifest.size().saturating_add(self.config.size()).saturating_add(layers)
    }
}

/// One line of a list of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// Its name, if it has one.
    pub name: Option<Reference>,
    /// What the name points to: a manifest or an index.
    pub target: Descriptor,
    /// The image itself, for the platform asked for, else for the first platform there is.
    pub image: Image,
    /// The store that it is in, if that is another one, which is only read.
    pub other_store: Option<PathBuf>,
}

impl Store {
    /// The image that `descriptor` points to, through indexes if need be.
    ///
    /// In an index, `platform` decides. A manifest is taken for what it is: it is for the caller to compare the
    /// platform in its config.
    pub fn image(&self, descriptor: &Descriptor, platform: &Platform) -> Result<Image> {
        let mut walk = Walk { store: self, wanted: platform, seen: HashSet::new(), available: Vec::new() };
        match walk.find(descriptor, 0)? {
            Some(image) => Ok(image),
            None => Err(Error::NoSuchPlatform {
                digest: descriptor.digest.clone(),
                wanted: Box::new(platform.clone()),
                available: walk.available,
            }),
        }
    }

    /// The image that a person means by `name`: a reference, or the digits of an image id or manifest digest, as many
    /// as make it unique, with or without `sha256:`. A reference wins over an id that is spelled the same.
    pub fn find_image(&self, name: &str, platform: &Platform) -> Result<Option<Image>> {
        if let Ok(reference) = name.parse::<Reference>()
            && let Some(descriptor) = self.resolve(&reference)?
        {
            return self.image(&descriptor, platform).map(Some);
        }
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        let is_id = (1..=64).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_id {
            return Ok(None);
        }
        self.pinning(|store, pinned| {
            let found = store.find_by_digits(name, digits, platform)?;
            let Some((target, image)) = found else { return Ok(None) };
            pinned.extend([target, image.descriptor.digest.clone(), image.id().clone()]);
            Ok(Some(image))
        })
    }

    /// The one image with such an id, and what leads to it.
    fn find_by_digits(
        &self,
        name: &str,
        digits: &str,
        platform: &Platform,
    ) -> Result<Option<(Digest, Image)>> {
        let mut found: Vec<(Digest, Image)> = Vec::new();
        for Root { target, .. } in self.all_roots()? {
            let image = match self.image(&target, platform) {
                Ok(image) => image,
                Err(Error::NoSuchPlatform { .. } | Error::MissingBlob { .. } | Error::NotAnImage { .. }) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let digests = [image.id(), &image.descriptor.digest, &target.digest];
            let fits = digests.iter().any(|digest| digest.hex().starts_with(digits));
            if fits && found.iter().all(|(_, other)| other.id() != image.id()) {
                found.push((target.digest.clone(), image));
            }
        }
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(Error::AmbiguousId {
                id: name.to_owned(),
                matches: found.iter().map(|(_, image)| image.id().clone()).collect(),
            }),
        }
    }

    /// What a person means by `name`, as in [`Store::find_image`], but an index where the name or the digits are those of
    /// one.
    pub fn find_target(&self, name: &str, platform: &Platform) -> Result<Option<Descriptor>> {
        if let Ok(reference) = name.parse::<Reference>()
            && let Some(descriptor) = self.resolve(&reference)?
        {
            return Ok(Some(descriptor));
        }
        let found = self.find_image(name, platform)?;
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        let root = self.pinning(|store, pinned| {
            let roots = store.roots()?.into_iter().map(|(_, target)| target);
            let mut roots =
                roots.filter(|target| !digits.is_empty() && target.digest.hex().starts_with(digits));
            let root = roots.next();
            pinned.extend(root.iter().map(|target| target.digest.clone()));
            Ok(root)
        })?;
        Ok(root.or_else(|| found.map(|image| image.descriptor)))
    }

    /// All images, with and without names, sorted by name. What is no image, or has lost blobs, is left out.
    pub fn images(&self, platform: &Platform) -> Result<Vec<ImageSummary>> {
        self.pinning(|store, _| store.summaries(platform))
    }

    fn summaries(&self, platform: &Platform) -> Result<Vec<ImageSummary>> {
        let mut summaries = Vec::new();
        for Root { name, target, other_store } in self.all_roots()? {
            let mut walk =
                Walk { store: self, wanted: platform, seen: HashSet::new(), available: Vec::new() };
            let found = match walk.find(&target, 0) {
                Ok(None) => match walk.available.first().cloned() {
                    Some(other) => self.image(&target, &other).map(Some),
                    None => Ok(None),
                },
                other => other,
            };
            if let Ok(Some(image)) = found {
                summaries.push(ImageSummary { name, target, image, other_store });
            }
        }
        summaries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(summaries)
    }

    /// Calls `visit` for each image below `target`, of any platform; what is no image or not in the store is skipped.
    pub(crate) fn each_image(&self, target: &Descriptor, visit: &mut dyn FnMut(Image)) -> Result<()> {
        let mut pending = vec![(target.clone(), 0)];
        let mut seen = HashSet::new();
        while let Some((descriptor, depth)) = pending.pop() {
            if !seen.insert(descriptor.digest.clone()) || !self.has_blob(&descriptor.digest)? {
                continue;
            }
            if media_type::is_index(&descriptor.media_type) && depth < DEEPEST_INDEX {
                let index = self.document::<Index>(&descriptor)?;
                pending.extend(index.into_value().manifests.into_iter().map(|child| (child, depth + 1)));
            } else if let Ok(image) = self.single_image(&descriptor) {
                visit(image);
            }
        }
        Ok(())
    }

    fn single_image(&self, descriptor: &Descriptor) -> Result<Image> {
        let not_an_image = |media_type: &str| Error::NotAnImage {
            digest: descriptor.digest.clone(),
            media_type: media_type.to_owned(),
        };
        if !media_type::is_manifest(&descriptor.media_type) {
            return Err(not_an_image(&descriptor.media_type));
        }
        let manifest = self.document::<Manifest>(descriptor)?;
        if !matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
        {
            return Err(not_an_image(&manifest.config.media_type));
        }
        let config = match self.document::<ImageConfig>(&manifest.config) {
            Err(Error::MissingBlob { .. }) => {
                return Err(self.missing_blob("the config", &manifest.config));
            }
            other => other?,
        };
        if manifest.layers.len() != config.rootfs.diff_ids.len() {
            return Err(Error::LayerCount {
                digest: descriptor.digest.clone(),
                layers: manifest.layers.len(),
                diff_ids: config.rootfs.diff_ids.len(),
            });
        }
        Ok(Image { descriptor: descriptor.clone(), manifest, config })
    }

    pub(crate) fn document<T: tug_oci::Document>(&self, descriptor: &Descriptor) -> Result<Raw<T>> {
        let bytes = match self.read_blob(&descriptor.digest, DOCUMENT_LIMIT) {
            Err(Error::MissingBlob { .. }) => {
                return Err(self.missing_blob("the manifest", descriptor));
            }
            other => other?,
        };
        Raw::parse(bytes).map_err(|source| Error::Document { digest: descriptor.digest.clone(), source })
    }
}

/// A walk through an index, which may be deep, wide, or both.
struct Walk<'a> {
    store: &'a Store,
    wanted: &'a Platform,
    seen: HashSet<Digest>,
    available: Vec<Platform>,
}

impl Walk<'_> {
    fn find(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Option<Image>> {
        if self.seen.len() as u64 == MOST_DOCUMENTS {
            let what = format!("documents in `{}`", descriptor.digest);
            return Err(Error::TooMany { what, limit: MOST_DOCUMENTS });
        }
        if depth > DEEPEST_INDEX {
            let what = format!("indexes around `{}`", descriptor.digest);
            return Err(Error::TooMany { what, limit: DEEPEST_INDEX as u64 });
        }
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(None);
        }
        if media_type::is_index(&descriptor.media_type) {
            let index = self.store.document::<Index>(descriptor)?.into_value();
            return self.find_in(&index.manifests, depth + 1);
        }
        let image = self.store.single_image(descriptor)?;
        if depth > 0 && image.config.platform.distance_to(self.wanted).is_none() {
            self.available.push(image.config.platform.clone());
            return Ok(None);
        }
        Ok(Some(image))
    }

    /// The best child: one that says it is for exactly this platform, one that fits, an older variant, one that does not
    /// say.
    fn find_in(&mut self, children: &[Descriptor], depth: usize) -> Result<Option<Image>> {
        let rank = |child: &Descriptor| match &child.platform {
            Some(own) if own == self.wanted => Some(0),
            Some(own) => Some(own.distance_to(self.wanted)? + 1),
            None => Some(u32::MAX),
        };
        let mut candidates: Vec<_> =
            children.iter().filter_map(|child| Some((rank(child)?, child))).collect();
        candidates.sort_by_key(|(rank, _)| *rank);
        let others =
            children.iter().filter(|child| rank(child).is_none()).filter_map(|child| child.platform.clone());
        let others: Vec<Platform> = others.filter(|other| other.os != "unknown").collect();
        self.available.extend(others);
        let mut first_failure = None;
        for (_, child) in candidates {
            match self.find(child, depth) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error @ (Error::MissingBlob { .. } | Error::NotAnImage { .. })) => {
                    first_failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        first_failure.map_or(Ok(None), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::tests::store;

    fn image_for(store: &Store, platform: &str) -> Image {
        store.write_image(ImageConfig::empty(platform.parse().unwrap()), BTreeMap::new()).unwrap()
    }

    fn index_of(store: &Store, children: Vec<Descriptor>) -> Descriptor {
        let index = Raw::encode(Index::new(children));
        store.write_blob(index.bytes()).unwrap();
        Descriptor::new(media_type::OCI_INDEX, index.digest().clone(), index.size())
    }

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn an_index_leads_to_the_image_for_the_platform() {
        let (_folder, store) = store();
        let (amd, arm) = (image_for(&store, "linux/amd64"), image_for(&store, "linux/arm64"));
        let inner = index_of(&store, vec![amd.descriptor.clone(), arm.descriptor.clone()]);
        let outer = index_of(&store, vec![inner]);
        assert_eq!(store.image(&outer, &platform("linux/arm64")).unwrap(), arm);
        assert_eq!(store.image(&outer, &platform("linux/amd64")).unwrap(), amd);
        let error = store.image(&outer, &platform("linux/riscv64")).unwrap_err();
        assert!(error.to_string().ends_with("has no image for linux/riscv64"), "{error}");
        assert_eq!(error.hint().unwrap(), "it has images for `linux/amd64`, `linux/arm64`");
    }

    #[test]
    fn a_child_that_does_not_say_its_platform_is_asked() {
        let (_folder, store) = store();
        let mut children =
            [image_for(&store, "linux/amd64"), image_for(&store, "linux/arm64")].map(|it| it.descriptor);
        children.iter_mut().for_each(|child| child.platform = None);
        let index = index_of(&store, children.to_vec());
        let found = store.image(&index, &platform("linux/arm64")).unwrap();
        assert_eq!(found.config.platform, platform("linux/arm64"));
    }

    #[test]
    fn an_image_without_an_index_is_taken_for_what_it_is() {
        let (_folder, store) = store();
        let arm = image_for(&store, "linux/arm64");
        assert_eq!(store.image(&arm.descriptor, &platform("linux/amd64")).unwrap(), arm);
    }

    #[test]
    fn indexes_that_nest_or_repeat_without_end_are_given_up() {
        let (_folder, store) = store();
        let mut deep = index_of(&store, Vec::new());
        for _ in 0..20 {
            deep = index_of(&store, vec![deep]);
        }
        let error = store.image(&deep, &platform("linux/amd64")).unwrap_err();
        assert!(matches!(error, Error::TooMany { limit: 8, .. }), "{error}");

        let mut wide = index_of(&store, Vec::new());
        for round in 0..7 {
            let mut children = vec![wide; 1000];
            children[0].annotations.insert("round".to_owned(), round.to_string());
            wide = index_of(&store, children);
        }
        assert!(matches!(store.image(&wide, &platform("linux/amd64")), Err(Error::NoSuchPlatform { .. })));
    }

    #[test]
    fn an_image_is_found_by_name_and_by_the_first_digits_of_its_ids() {
        let (_folder, store) = store();
        let host = Platform::host();
        let image = image_for(&store, "linux/amd64");
        assert_eq!(store.find_image(image.id().short(), &host).unwrap(), None, "nothing refers to it");
        store.tag(&"app:1".parse().unwrap(), &image.descriptor).unwrap();
        store.tag(&"app:2".parse().unwrap(), &image.descriptor).unwrap();
        let (id, manifest) = (image.id().to_string(), image.descriptor.digest.hex().to_owned());
        for name in
            ["app:1", "docker.io/library/app:2", &id, &id[..20], &id[7..19], &id[7..8], &manifest[..12]]
        {
            let found = store.find_image(name, &host).unwrap();
            assert_eq!(found.as_ref().map(Image::id), Some(image.id()), "{name}");
        }
        for name in ["app", "app:3", "sha256:", "ABC", "a b", &format!("{id}0")] {
            assert_eq!(store.find_image(name, &host).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn digits_that_fit_two_images_are_ambiguous() {
        let (_folder, store) = store();
        for variant in 0..17 {
            let image = image_for(&store, &format!("linux/arm/v{variant}"));
            store.keep(&image.descriptor).unwrap();
        }
        let found: Vec<_> = "0123456789abcdef"
            .chars()
            .filter_map(|digit| store.find_image(&digit.to_string(), &Platform::host()).err())
            .collect();
        assert!(!found.is_empty());
        assert!(
            found.iter().all(|error| matches!(error, Error::AmbiguousId { .. }) && error.hint().is_some())
        );
    }

    #[test]
    fn the_list_has_named_and_nameless_images_and_skips_what_is_none() {
        let (_folder, store) = store();
        let (one, two) = (image_for(&store, "linux/amd64"), image_for(&store, "linux/arm64"));
        store.tag(&"b".parse().unwrap(), &one.descriptor).unwrap();
        store.tag(&"a".parse().unwrap(), &index_of(&store, vec![two.descriptor.clone()])).unwrap();
        store.keep(&two.descriptor).unwrap();
        let missing = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"gone"), 4);
        store.tag(&"c".parse().unwrap(), &missing).unwrap();
        let listed = store.images(&platform("linux/amd64")).unwrap();
        let lines: Vec<_> = listed
            .iter()
            .map(|line| (line.name.as_ref().map(Reference::familiar), line.image.config.platform.to_string()))
            .collect();
        let expected = [
            (None, "linux/arm64".to_owned()),
            (Some("a:latest".to_owned()), "linux/arm64".to_owned()),
            (Some("b:latest".to_owned()), "linux/amd64".to_owned()),
        ];
        assert_eq!(lines, expected);
        assert_eq!(one.size(), one.manifest.size() + one.config.size());
    }

    #[test]
    fn manifests_that_are_too_big_or_lie_are_refused() {
        let (_folder, store) = store();
        let huge = store.write_blob(&vec![b' '; DOCUMENT_LIMIT as usize + 1]).unwrap();
        let huge = Descriptor::new(media_type::OCI_MANIFEST, huge, DOCUMENT_LIMIT + 1);
        assert!(matches!(store.image(&huge, &Platform::host()), Err(Error::TooLarge { .. })));

        let artifact = Descriptor::new("application/vnd.example", Digest::of(b""), 0);
        assert!(matches!(store.image(&artifact, &Platform::host()), Err(Error::NotAnImage { .. })));

        let config = Raw::encode(ImageConfig::empty(Platform::host()));
        let layer = Descriptor::new(media_type::OCI_LAYER, Digest::of(b""), 0);
        let image = store.write_image_of(config, vec![layer], BTreeMap::new()).unwrap();
        let error = store.image(&image.descriptor, &Platform::host()).unwrap_err();
        assert!(error.to_string().contains("1 layers in its manifest, 0 in its config"), "{error}");
    }
}
