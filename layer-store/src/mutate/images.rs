//! Applies a change to the images that a name leads to.
//!
//! An index is walked as it is: its images are changed one after the other, in their order, and the index is written
//! anew around them. Attestations speak of the bytes of the image as it was, so they are left out of a changed index; what
//! else is in it, artifacts of any kind, stays.

use std::collections::{BTreeMap, HashMap};

use tug_oci::{Descriptor, Digest, Index, Platform, Raw, media_type};

use super::Draft;
use crate::error::{Error, Result};
use crate::image::{DEEPEST_INDEX, MOST_DOCUMENTS};
use crate::store::Store;

/// Annotation of a descriptor: it points to a document about another image of the index.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// Annotation beside [`REFERENCE_TYPE`]: the digest of the manifest that it is about.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Which images below a name are changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All; the result is an index where there was one.
    All,
    /// The one for this platform; the result is that image alone.
    One(Platform),
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What points to the result: an index or a manifest. It has no name yet: see [`Store::tag`] and [`Store::keep`].
    pub target: Descriptor,
    /// How many images were looked at.
    pub images: usize,
    /// How many attestations about images that are others now were left out.
    pub attestations: usize,
}

impl Store {
    /// Applies `image` to the images below `target`, and `index` to the annotations of an index that is the result.
    ///
    /// Only documents are read. An index of which images are missing in the store is an error with [`Which::All`].
    pub fn change_images<E: From<Error>>(
        &self,
        target: &Descriptor,
        which: &Which,
        image: &mut dyn FnMut(&mut Draft) -> std::result::Result<(), E>,
        index: &mut dyn FnMut(&mut BTreeMap<String, String>),
    ) -> std::result::Result<Changed, E> {
        let mut work = Work { store: self, change: image, done: HashMap::new(), images: 0, attestations: 0 };
        let target = match which {
            Which::One(platform) => {
                let found = self.image(target, platform)?;
                work.image(&found.descriptor)?
            }
            Which::All => work.document(target, 0, index)?,
        };
        Ok(Changed { target, images: work.images, attestations: work.attestations })
    }

    /// How many documents of the index `target` are not in the store, at whatever depth; 0 for an image.
    pub fn missing_documents(&self, target: &Descriptor) -> Result<usize> {
        let mut pending = vec![(target.clone(), 0)];
        let (mut seen, mut missing) = (std::collections::HashSet::new(), 0);
        while let Some((descriptor, depth)) = pending.pop() {
            if !seen.insert(descriptor.digest.clone()) || depth > DEEPEST_INDEX || is_attestation(&descriptor)
            {
                continue;
            }
            if seen.len() as u64 > MOST_DOCUMENTS {
                return Err(too_many(target));
            }
            if !self.has_blob(&descriptor.digest)? {
                missing += 1;
            } else if media_type::is_index(&descriptor.media_type) {
                let index = self.document::<Index>(&descriptor)?.into_value();
                pending.extend(index.manifests.into_iter().map(|child| (child, depth + 1)));
            }
        }
        Ok(missing)
    }
}

struct Work<'a, E> {
    store: &'a Store,
    change: &'a mut dyn FnMut(&mut Draft) -> std::result::Result<(), E>,
    /// What became of each document, by what it was.
    done: HashMap<Digest, Descriptor>,
    images: usize,
    attestations: usize,
}

impl<E: From<Error>> Work<'_, E> {
    fn document(
        &mut self,
        descriptor: &Descriptor,
        depth: usize,
        of_index: &mut dyn FnMut(&mut BTreeMap<String, String>),
    ) -> std::result::Result<Descriptor, E> {
        if depth > DEEPEST_INDEX || self.done.len() as u64 >= MOST_DOCUMENTS {
            return Err(too_many(descriptor).into());
        }
        if let Some(known) = self.done.get(&descriptor.digest) {
            return Ok(pointing(descriptor, known));
        }
        let made = match media_type::is_index(&descriptor.media_type) {
            true => self.index(descriptor, depth, of_index)?,
            false => self.image(descriptor)?,
        };
        self.done.insert(descriptor.digest.clone(), made.clone());
        Ok(made)
    }

    fn image(&mut self, descriptor: &Descriptor) -> std::result::Result<Descriptor, E> {
        let image = self.store.image(descriptor, &Platform::host())?;
        self.images += 1;
        let mut draft = Draft::of(&image);
        (self.change)(&mut draft)?;
        let made = draft.write(self.store, &image)?;
        Ok(pointing(descriptor, &made.descriptor))
    }

    fn index(
        &mut self,
        descriptor: &Descriptor,
        depth: usize,
        of_index: &mut dyn FnMut(&mut BTreeMap<String, String>),
    ) -> std::result::Result<Descriptor, E> {
        let before = self.store.document::<Index>(descriptor)?;
        let mut after = (*before).clone();
        for child in &mut after.manifests {
            if is_attestation(child) || !self.is_image(child)? {
                continue;
            }
            *child = self.document(child, depth + 1, &mut |_| {})?;
        }
        of_index(&mut after.annotations);
        if after == *before {
            return Ok(descriptor.clone());
        }
        let is_stale = |child: &Descriptor| {
            let about = child.annotations.get(REFERENCE_DIGEST).and_then(|text| text.parse::<Digest>().ok());
            let is_same = |digest: &Digest| self.done.get(digest).is_none_or(|made| made.digest == *digest);
            is_attestation(child) && !about.as_ref().is_some_and(is_same)
        };
        let count = after.manifests.len();
        after.manifests.retain(|child| !is_stale(child));
        self.attestations += count - after.manifests.len();
        let is_oci = |child: &Descriptor| {
            matches!(child.media_type.as_str(), media_type::OCI_MANIFEST | media_type::OCI_INDEX)
        };
        let was_mixed = before.manifests.iter().any(is_oci);
        let mut own_type = descriptor.media_type.clone();
        if own_type == media_type::DOCKER_LIST && !was_mixed && after.manifests.iter().any(is_oci) {
            own_type = media_type::OCI_INDEX.to_owned();
            after.media_type = Some(own_type.clone());
        }
        let index = Raw::encode(after);
        self.store.write_documents(&[index.bytes()])?;
        let made = Descriptor::new(&own_type, index.digest().clone(), index.size());
        Ok(pointing(descriptor, &made))
    }

    /// Whether there is an image or an index of images there. What is something else is not ours to change.
    fn is_image(&self, descriptor: &Descriptor) -> Result<bool> {
        if media_type::is_index(&descriptor.media_type) {
            return Ok(true);
        }
        match self.store.image(descriptor, &Platform::host()) {
            Ok(_) => Ok(true),
            Err(Error::NotAnImage { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What pointed to something points to what became of it.
fn pointing(from: &Descriptor, to: &Descriptor) -> Descriptor {
    let mut pointing = from.clone();
    pointing.media_type.clone_from(&to.media_type);
    pointing.digest = to.digest.clone();
    pointing.size = to.size;
    // Where an index says for whom an image is, it goes on to do so; a detail of the platform is kept.
    if let (Some(own), Some(new)) = (&mut pointing.platform, &to.platform)
        && (&own.os, &own.architecture, &own.variant) != (&new.os, &new.architecture, &new.variant)
    {
        *own = new.clone();
    }
    pointing
}

/// Whether it points to statements of a builder about another image of the index.
fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.contains_key(REFERENCE_TYPE)
}

fn too_many(target: &Descriptor) -> Error {
    Error::TooMany { what: format!("documents in `{}`", target.digest), limit: MOST_DOCUMENTS }
}
