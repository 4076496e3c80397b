//! Finding images by the name that the user typed.

use tug_layer_store::{Image, Store};
use tug_oci::{Descriptor, Platform, Reference};

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::suggest;

/// The image called `name`, for this host where there are several.
pub(crate) fn find(store: &Store, name: &ImageName) -> Result<Image, CommandError> {
    find_for(store, name, &Platform::host())
}

/// The image called `name`, for `platform` where there are several.
pub(crate) fn find_for(store: &Store, name: &ImageName, platform: &Platform) -> Result<Image, CommandError> {
    match store.find_image(name.as_str(), platform)? {
        Some(image) => Ok(image),
        None => Err(not_found(store, name)),
    }
}

/// What `name` points to: an index where it names one, else the manifest of the image.
pub(crate) fn find_target(store: &Store, name: &ImageName) -> Result<Descriptor, CommandError> {
    look_for_target(store, name)?.ok_or_else(|| not_found(store, name))
}

/// The same, which may not be there.
pub(crate) fn look_for_target(store: &Store, name: &ImageName) -> Result<Option<Descriptor>, CommandError> {
    Ok(store.find_target(name.as_str(), &Platform::host())?)
}

/// The error that says that there is no such image, with the name that was probably meant.
pub(crate) fn not_found(store: &Store, name: &ImageName) -> CommandError {
    let error = CommandError::failed(format_args!("no image `{}` in the store", name.as_str()));
    let names: Vec<Reference> = match store.refs() {
        Ok(refs) => refs.into_iter().map(|(name, _)| name).collect(),
        Err(_) => return error,
    };
    match similar(name.as_str(), &names) {
        Some(similar) => error.hint(format!("did you mean `{similar}`?")),
        None if names.is_empty() => {
            error.hint("the store is empty: `tug build`, `tug load` and `tug import` put images into it")
        }
        None => error.hint("`tug images` lists what is there"),
    }
}

/// The name that is closest: as a whole, or without its tag if none was typed.
fn similar(name: &str, known: &[Reference]) -> Option<String> {
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let full: Vec<String> = known.iter().map(Reference::familiar).collect();
    let compared: Vec<String> = match has_tag {
        true => full.clone(),
        false => known.iter().map(Reference::familiar_name).collect(),
    };
    let closest = suggest::closest(name, &compared);
    let bare = || name.split(':').next().filter(|_| has_tag);
    let (found, compared) = match closest {
        Some(found) => (found.to_owned(), compared),
        // The right name with another tag.
        None => {
            let names: Vec<String> = known.iter().map(Reference::familiar_name).collect();
            (suggest::closest(bare()?, &names)?.to_owned(), names)
        }
    };
    let place = compared.iter().position(|candidate| *candidate == found)?;
    full.into_iter().nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_probably_meant_is_found() {
        let known: Vec<Reference> =
            ["debian:12", "app", "ghcr.io/a/tool:v1"].map(|name| name.parse().unwrap()).into();
        for (typed, expected) in [
            ("debain:12", Some("debian:12")),
            ("debain", Some("debian:12")),
            ("debian", Some("debian:12")),
            ("debian:11", Some("debian:12")),
            ("debian:bookworm", Some("debian:12")),
            ("ap", Some("app:latest")),
            ("ghcr.io/a/tol:v1", Some("ghcr.io/a/tool:v1")),
            ("nginx", None),
            ("abc123", None),
        ] {
            assert_eq!(similar(typed, &known).as_deref(), expected, "{typed}");
        }
    }
}
