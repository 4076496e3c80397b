//! What comes out of a build for all of its platforms: one image, or an index of several.

use std::collections::BTreeMap;

use tug_layer_store::{Image, ImageForm, Store};
use tug_oci::{Descriptor, Platform};

use crate::error::Error;

/// The images of a build, one for each platform, in the order in which platforms were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    images: Vec<(Platform, Image)>,
    is_index: bool,
}

/// A note that a document of an image carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Which document carries it.
    pub level: AnnotationLevel,
    /// For the image of which platform; for all of them when absent.
    pub platform: Option<Platform>,
    /// Its name.
    pub key: String,
    /// Its text.
    pub value: String,
}

/// Which document carries an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationLevel {
    /// The manifest of each image.
    Manifest,
    /// What points to the manifest: in the index, or in the layout if there is no index.
    ManifestDescriptor,
    /// The index.
    Index,
    /// What points to the index.
    IndexDescriptor,
}

impl Product {
    /// The images that `built` are, by their descriptors and platforms. With `is_index`, a single image gets an index
    /// too.
    pub fn new(store: &Store, built: &[(Descriptor, Platform)], is_index: bool) -> Result<Self, Error> {
        let images = built.iter().map(|(descriptor, platform)| {
            store.image(descriptor, platform).map(|image| (platform.clone(), image))
        });
        let images = images.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { is_index: is_index || images.len() > 1, images })
    }

    /// The images, with the platforms that were asked for.
    pub fn images(&self) -> &[(Platform, Image)] {
        &self.images
    }

    /// Whether there is an index around the images.
    pub fn is_index(&self) -> bool {
        self.is_index
    }

    /// Writes the images in `form` with `annotations`, and the index if there is one, into the store. Returns what points
    /// to the whole; nothing has a name yet.
    ///
    /// An annotation that no document can carry is an error.
    pub fn write(
        &self,
        store: &Store,
        form: &ImageForm,
        annotations: &[Annotation],
    ) -> Result<Descriptor, Error> {
        annotations.iter().try_for_each(|annotation| self.check(annotation))?;
        let mut children = Vec::with_capacity(self.images.len());
        for (platform, image) in &self.images {
            let own = |level| collected(annotations, level, Some(platform));
            let mut form = form.clone();
            form.annotations.extend(own(AnnotationLevel::Manifest));
            let mut child = store.image_in_form(image, &form)?.descriptor;
            child.annotations.extend(own(AnnotationLevel::ManifestDescriptor));
            if self.is_index {
                child.platform = Some(platform.clone());
            }
            children.push(child);
        }
        if !self.is_index {
            return Ok(children.remove(0));
        }
        let of_index = collected(annotations, AnnotationLevel::Index, None);
        let mut index = store.write_index(children, of_index, form.media_types)?;
        index.annotations.extend(collected(annotations, AnnotationLevel::IndexDescriptor, None));
        Ok(index)
    }

    fn check(&self, annotation: &Annotation) -> Result<(), Error> {
        let Annotation { level, platform, key, .. } = annotation;
        let is_for_index = matches!(level, AnnotationLevel::Index | AnnotationLevel::IndexDescriptor);
        if is_for_index && !self.is_index {
            let message =
                format!("the annotation `{key}` is for an index, and an image for one platform has none");
            return Err(Error::Output {
                message,
                hint: "build for several platforms, or with `--build-arg BUILDKIT_MULTI_PLATFORM=1`"
                    .to_owned(),
            });
        }
        match platform {
            Some(platform) if !self.images.iter().any(|(own, _)| own.satisfies(platform)) => {
                let built: Vec<String> = self.images.iter().map(|(own, _)| format!("`{own}`")).collect();
                Err(Error::Output {
                    message: format!("the annotation `{key}` is for `{platform}`, which is not built"),
                    hint: format!("this build is for {}", built.join(", ")),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The annotations of one document; of several with the same name, the last one.
fn collected(
    annotations: &[Annotation],
    level: AnnotationLevel,
    platform: Option<&Platform>,
) -> BTreeMap<String, String> {
    let is_meant = |annotation: &&Annotation| {
        annotation.level == level
            && match (&annotation.platform, platform) {
                (Some(wanted), Some(own)) => own.satisfies(wanted),
                _ => true,
            }
    };
    let own = annotations.iter().filter(is_meant);
    own.map(|annotation| (annotation.key.clone(), annotation.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use tug_layer_store::{Owners, StoreOptions};
    use tug_oci::{ImageConfig, Index, Raw};

    use super::*;

    fn product(platforms: &[&str], is_index: bool) -> (tempfile::TempDir, Store, Product) {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        let built: Vec<_> = platforms
            .iter()
            .map(|text| {
                let platform: Platform = text.parse().unwrap();
                let image = store.write_image(ImageConfig::empty(platform.clone()), BTreeMap::new());
                (image.unwrap().descriptor, platform)
            })
            .collect();
        let product = Product::new(&store, &built, is_index).unwrap();
        (folder, store, product)
    }

    fn annotation(level: AnnotationLevel, platform: Option<&str>, value: &str) -> Annotation {
        let platform = platform.map(|text| text.parse().unwrap());
        Annotation { level, platform, key: "k".to_owned(), value: value.to_owned() }
    }

    fn index(store: &Store, descriptor: &Descriptor) -> Index {
        let bytes = store.read_blob(&descriptor.digest, 1 << 20).unwrap();
        Raw::<Index>::parse(bytes).unwrap().into_value()
    }

    #[test]
    fn one_image_without_annotations_is_itself() {
        let (_folder, store, product) = product(&["linux/amd64"], false);
        let written = product.write(&store, &ImageForm::default(), &[]).unwrap();
        assert_eq!(written, product.images()[0].1.descriptor);
    }

    #[test]
    fn several_images_get_an_index_in_the_order_asked_for() {
        let (_folder, store, product) = product(&["linux/arm64", "linux/amd64"], false);
        let written = product.write(&store, &ImageForm::default(), &[]).unwrap();
        let platforms: Vec<String> = index(&store, &written)
            .manifests
            .iter()
            .map(|child| child.platform.as_ref().unwrap().to_string())
            .collect();
        assert_eq!(platforms, ["linux/arm64", "linux/amd64"]);
    }

    #[test]
    fn annotations_go_to_the_document_and_platform_that_they_name() {
        let (_folder, store, product) = product(&["linux/arm64", "linux/amd64"], false);
        let written = product
            .write(
                &store,
                &ImageForm::default(),
                &[
                    annotation(AnnotationLevel::Manifest, Some("linux/arm64"), "only arm"),
                    annotation(AnnotationLevel::ManifestDescriptor, None, "both"),
                    annotation(AnnotationLevel::Index, None, "index"),
                    annotation(AnnotationLevel::IndexDescriptor, None, "pointer"),
                ],
            )
            .unwrap();
        assert_eq!(written.annotations["k"], "pointer");
        let index = index(&store, &written);
        assert_eq!(index.annotations["k"], "index");
        assert!(index.manifests.iter().all(|child| child.annotations["k"] == "both"));
        let image = |platform: &str| store.image(&written, &platform.parse().unwrap()).unwrap();
        assert_eq!(image("linux/arm64").manifest.annotations["k"], "only arm");
        assert!(image("linux/amd64").manifest.annotations.is_empty());
    }

    #[test]
    fn annotations_that_nothing_can_carry_are_refused() {
        let (_folder, store, product) = product(&["linux/amd64"], false);
        for (annotation, expected) in [
            (annotation(AnnotationLevel::Index, None, ""), "one platform has none"),
            (annotation(AnnotationLevel::Manifest, Some("linux/arm64"), ""), "which is not built"),
        ] {
            let error = product.write(&store, &ImageForm::default(), &[annotation]).unwrap_err();
            assert!(error.to_string().contains(expected) && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_single_image_may_have_an_index_too() {
        let (_folder, store, product) = product(&["linux/amd64"], true);
        let annotations = [annotation(AnnotationLevel::Index, None, "index")];
        let written = product.write(&store, &ImageForm::default(), &annotations).unwrap();
        assert_eq!(index(&store, &written).manifests.len(), 1);
    }
}
