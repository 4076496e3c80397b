//! Converts images: other compression, other media types, and the same files.
//!
//! What is asked for is brought into the store, as for a copy, converted there, and goes from there to its place.

use tug_layer_store::{Conversion, Error as StoreError, LayerCompression, Store};
use tug_oci::{Descriptor, Platform, media_type};

use super::{CopyOptions, Place};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::push::{PushOptions, images_of};
use crate::remote::Remote;

/// How to convert.
#[derive(Clone, Debug)]
pub struct ConvertOptions {
    /// What changes.
    pub conversion: Conversion,
    /// Which images of an index.
    pub images: Images,
    /// The platform of this host.
    pub host: Platform,
}

/// Which images of an index are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Images {
    /// All of them, and the index.
    All,
    /// All that the store or archive has, when that is all of them; else the one for this host. Of a registry that one too.
    AllThatAreHere,
    /// One.
    Only(Platform),
}

impl Remote {
    /// Converts an image, or an index with its images. Without a place to go to it is kept in the store without a name.
    pub fn convert(
        &self,
        store: &Store,
        from: &Place,
        to: Option<&Place>,
        options: &ConvertOptions,
    ) -> Result<Descriptor> {
        let store = &self.stopping(store);
        let platform = match &options.images {
            Images::Only(platform) => platform,
            Images::All | Images::AllThatAreHere => &options.host,
        };
        let copy = CopyOptions { all: options.images == Images::All, ..CopyOptions::new(platform.clone()) };
        let (target, name) = self.bring_in(store, from, &copy)?;
        let made = match &options.images {
            Images::Only(_) => self.converted_one(store, &target, &name, platform, options)?,
            Images::All => store.convert(&target, &options.conversion)?,
            Images::AllThatAreHere => match store.convert(&target, &options.conversion) {
                Err(StoreError::MissingBlob { .. }) if media_type::is_index(&target.media_type) => {
                    self.converted_one(store, &target, &name, platform, options)?
                }
                converted => converted?,
            },
        };
        let is_index = media_type::is_index(&made.media_type);
        match to {
            None => store.keep(&made)?,
            Some(Place::Registry(destination)) => {
                let push = PushOptions {
                    compression: LayerCompression::Plain,
                    all: is_index,
                    ..PushOptions::new(options.host.clone())
                };
                self.push(store, &name, &made, std::slice::from_ref(destination), &push)?;
            }
            Some(place) => {
                let copy = CopyOptions { all: is_index, ..copy };
                self.take_out(store, &made, &name, place, &copy)?;
            }
        }
        Ok(made)
    }

    /// One image of an index.
    fn converted_one(
        &self,
        store: &Store,
        target: &Descriptor,
        name: &str,
        platform: &Platform,
        options: &ConvertOptions,
    ) -> Result<Descriptor> {
        let image = store.image(target, platform).map_err(|error| match error {
            StoreError::NoSuchPlatform { available, .. } => {
                Error::NoSuchPlatform { name: name.to_owned(), wanted: Box::new(platform.clone()), available }
            }
            other => other.into(),
        })?;
        if matches!(options.images, Images::Only(_)) && image.config.platform.distance_to(platform).is_none()
        {
            let available = vec![image.config.platform.clone()];
            return Err(Error::NoSuchPlatform {
                name: name.to_owned(),
                wanted: Box::new(platform.clone()),
                available,
            });
        }
        if matches!(options.images, Images::AllThatAreHere) && image.descriptor.digest != target.digest {
            let of = images_of(store, target)?;
            self.tell(Event::OnlyOne { platform: image.config.platform.clone(), of });
        }
        Ok(store.convert(&image.descriptor, &options.conversion)?)
    }
}
