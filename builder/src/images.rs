//! Images that a Dockerfile names.
//!
//! | written                       | is                                                                           |
//! | ----------------------------- | ---------------------------------------------------------------------------- |
//! | a name                        | an image of the store                                                        |
//! | 12 digits of an id, or more   | an image of the store                                                        |
//! | `oci:PATH[:NAME]`             | an image of an OCI layout, a folder; `NAME` as it stands in its `index.json` |
//! | `oci-archive:PATH[:NAME]`     | an image of a tar of such a layout                                           |
//! | `docker-archive:PATH[:NAME]`  | an image of what `docker save` writes                                        |
//!
//! A name that the store does not have is pulled, its documents at least, if there is somebody who can: see
//! [`PullPolicy`]. An image of the store wins over a path that is spelled the same. Relative paths are seen from the current folder.
//! `NAME` may be left out where there is only one image. What is loaded from a path gets no name in the store: it lasts
//! as long as images that were built on it.
//!
//! Fewer digits than lists show are no id here: `FROM cafe` is a misspelled name, and no image whose id happens to
//! begin so.

use std::path::{Path, PathBuf};

use tug_layer_store::{ArchiveError, Image, LoadOptions, Loaded, Names, Store};
use tug_oci::{Platform, Reference};

use crate::elsewhere::{NotPulled, PullPolicy, Pulls};
use crate::error::Error;
use crate::plan::NoImage;

const TRANSPORTS: [&str; 3] = ["oci", "oci-archive", "docker-archive"];

/// How many digits of an id lists show.
const SHORT_ID: usize = 12;

/// The full name of an image under which later ones may be found: without a digest where there is a tag. What was named by
/// an id or a path has none.
pub fn followed_name(name: &str) -> Option<String> {
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let is_id = digits.len() >= SHORT_ID && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id || at_path(name).is_some() {
        return None;
    }
    let reference = name.parse::<Reference>().ok()?;
    Some(match reference.tag() {
        Some(tag) => format!("{}/{}:{tag}", reference.registry(), reference.repository()),
        None => reference.to_string(),
    })
}

/// The image called `name` for `platform`, or what to tell about it not being there.
pub(crate) fn find(store: &Store, name: &str, platform: &Platform, pulls: &Pulls) -> Result<Image, NoImage> {
    let asks_first = matches!(pulls.policy, PullPolicy::Always | PullPolicy::Newer);
    if asks_first
        && at_path(name).is_none()
        && let Some(images) = &pulls.images
        && let Ok(reference) = name.parse::<Reference>()
    {
        match pulls.pull(images.as_ref(), store, &reference, platform) {
            Ok(image) => return Ok(image),
            Err(error) if pulls.policy == PullPolicy::Always => return Err(not_pulled(error)),
            Err(_) => {}
        }
    }
    let other_platform = match in_store(store, name, platform) {
        Ok(Some(image)) => return Ok(image),
        Ok(None) => None,
        Err(error @ tug_layer_store::Error::AmbiguousId { .. }) => {
            return Err(NoImage::Problem { message: error.to_string(), help: error.hint() });
        }
        // The registry may have it for this platform too.
        Err(error @ tug_layer_store::Error::NoSuchPlatform { .. }) => Some(error),
        Err(error) => return Err(failed(error)),
    };
    if other_platform.is_none()
        && let Some((path, image)) = at_path(name)
    {
        return load(store, name, &path, image, platform);
    }
    let reference = match name.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => return Err(NoImage::Problem { message: error.to_string(), help: None }),
    };
    match &pulls.images {
        Some(images) if pulls.policy == PullPolicy::Missing => {
            match (pulls.pull(images.as_ref(), store, &reference, platform), other_platform) {
                (Ok(image), _) => Ok(image),
                (Err(NotPulled::Absent { .. }), Some(error)) => Err(failed(error)),
                (Err(error), _) => Err(not_pulled(error)),
            }
        }
        _ => match other_platform {
            Some(error) => Err(failed(error)),
            None => Err(absent(store, &reference)?),
        },
    }
}

fn not_pulled(error: NotPulled) -> NoImage {
    match error {
        NotPulled::Absent { message, help } => NoImage::Problem { message, help },
        NotPulled::Failed(error) => NoImage::Failed(Error::Elsewhere(error)),
    }
}

/// What to tell about an image that the store does not have, when nobody else is asked.
fn absent(store: &Store, reference: &Reference) -> Result<NoImage, NoImage> {
    let known: Vec<String> =
        store.refs().map_err(failed)?.into_iter().map(|(reference, _)| reference.familiar()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match tug_dockerfile::closest(&reference.familiar(), &known) {
        Some(similar) => format!("an image with a similar name is there: `{similar}`"),
        None => "put it there with `tug pull`, `tug load`, `tug import` or `tug build`, or name a file as \
                 `oci-archive:PATH`"
            .to_owned(),
    };
    let message = format!("no image `{}` in the store", reference.familiar());
    Ok(NoImage::Problem { message, help: Some(help) })
}

/// The image called `name`, if the store has it.
pub(crate) fn in_store(
    store: &Store,
    name: &str,
    platform: &Platform,
) -> Result<Option<Image>, tug_layer_store::Error> {
    if let Ok(reference) = name.parse::<Reference>()
        && let Some(descriptor) = store.resolve(&reference)?
    {
        return store.image(&descriptor, platform).map(Some);
    }
    match name.strip_prefix("sha256:").unwrap_or(name).len() >= SHORT_ID {
        true => store.find_image(name, platform),
        false => Ok(None),
    }
}

/// The path in `oci:PATH:NAME` and the name, if there is one. A colon may be part of the path.
fn at_path(name: &str) -> Option<(PathBuf, Option<&str>)> {
    let (transport, rest) = name.split_once(':')?;
    if !TRANSPORTS.contains(&transport) {
        return None;
    }
    let colons = rest.match_indices(':').map(|(at, _)| (&rest[..at], Some(&rest[at + 1..])));
    let candidates = std::iter::once((rest, None)).chain(colons);
    let found = candidates.clone().find(|(path, _)| Path::new(path).exists());
    // What is not there is told in the form that most people mean.
    let (path, image) = found.or_else(|| candidates.clone().nth(1)).unwrap_or((rest, None));
    Some((PathBuf::from(path), image))
}

fn load(
    store: &Store,
    written: &str,
    path: &Path,
    only: Option<&str>,
    platform: &Platform,
) -> Result<Image, NoImage> {
    let options = LoadOptions {
        only: only.map(str::to_owned),
        names: Names::Leave,
        ..LoadOptions::new(platform.clone())
    };
    let loaded = store.load_path(path, &options).map_err(|error| unusable(written, error))?;
    match loaded.as_slice() {
        [only] => store.image(&only.target, platform).map_err(|error| unusable(written, error)),
        several => Err(NoImage::Problem {
            message: format!("there are {} images in `{}`", several.len(), path.display()),
            help: Some(format!("name one of them as `{written}:NAME`: {}", names(several))),
        }),
    }
}

fn names(images: &[Loaded]) -> String {
    let names = images.iter().flat_map(|image| &image.names).map(|name| format!("`{}`", name.familiar()));
    names.collect::<Vec<_>>().join(", ")
}

/// What is wrong with a path or what lies there is a problem of the Dockerfile; the rest is not.
fn unusable(written: &str, error: tug_layer_store::Error) -> NoImage {
    use tug_layer_store::Error as Store;
    let is_theirs = match &error {
        Store::Archive(ArchiveError::Read(_)) => !error.is_disk_full(),
        Store::Archive(_) | Store::Layer(_) | Store::Document { .. } | Store::DigestMismatch { .. } => true,
        Store::SizeMismatch { .. } | Store::NoSuchPlatform { .. } | Store::LayerCount { .. } => true,
        Store::Filesystem { action: "open", .. } | Store::NotAllowed { action: "open", .. } => true,
        _ => false,
    };
    if !is_theirs {
        return failed(error);
    }
    let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
    let reasons: Vec<String> =
        std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect();
    let message = format!("cannot start from `{written}`: {}", reasons.join(": "));
    NoImage::Problem { message, help: error.hint() }
}

fn failed(error: tug_layer_store::Error) -> NoImage {
    NoImage::Failed(Error::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_later_image_can_have_is_a_name_to_follow() {
        let digest = tug_oci::Digest::of(b"");
        let pinned = format!("debian@{digest}");
        for (name, expected) in [
            ("debian", Some("docker.io/library/debian:latest")),
            ("localhost:5000/a/b:1", Some("localhost:5000/a/b:1")),
            (&format!("debian:12@{digest}"), Some("docker.io/library/debian:12")),
            (&pinned, Some(&*format!("docker.io/library/{pinned}"))),
            ("0123456789ab", None),
            (&digest.to_string(), None),
            ("oci:layout:app", None),
            ("docker-archive:app.tar", None),
        ] {
            assert_eq!(followed_name(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_path_may_have_colons_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a:b");
        std::fs::create_dir(&odd).unwrap();
        let shown = odd.display();
        for (written, path, name) in [
            (format!("oci:{shown}"), odd.clone(), None),
            (format!("oci:{shown}:latest"), odd.clone(), Some("latest")),
            (format!("oci-archive:{shown}:docker.io/app:1"), odd.clone(), Some("docker.io/app:1")),
            ("oci:nothing/here:1".to_owned(), PathBuf::from("nothing/here"), Some("1")),
            ("docker-archive:nothing.tar".to_owned(), PathBuf::from("nothing.tar"), None),
        ] {
            assert_eq!(at_path(&written), Some((path, name)), "{written}");
        }
        assert_eq!(at_path("docker.io/app:1"), None);
    }
}
