//! Where an image is that is looked into, and what in it is meant.
//!
//! | written                       | meaning                                                                    |
//! | ----------------------------- | -------------------------------------------------------------------------- |
//! | `NAME`, `ID`                  | an image of the store; a name that is not there: of its registry           |
//! | `docker://NAME`               | an image of a registry                                                     |
//! | `store:NAME`                  | an image of the store, and nothing else                                    |
//! | `oci:PATH[:NAME]`             | an OCI image layout in a folder; likewise `oci-archive:`, `docker-archive:` |
//! | *any of them*`:/PATH`         | a file or folder in it                                                     |
//!
//! No name of an image has `:/` in it, so the first one ends it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use tug_oci::Reference;

use crate::arguments::values::ImageName;

const ARCHIVES: [&str; 3] = ["oci:", "oci-archive:", "docker-archive:"];
const STORE: &str = "store:";
const DOCKER: &str = "docker://";

/// An image, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImagePlace {
    /// As it was typed.
    pub(crate) text: String,
    pub(super) kind: PlaceKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// In the store, else in its registry.
    Name(ImageName),
    Store(ImageName),
    Registry(Reference),
    /// In a file or folder, under a name.
    Archive(PathBuf, Option<String>),
}

/// An image, and a path in it if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImagePath {
    /// The image.
    pub(crate) image: ImagePlace,
    /// The path with its leading slash.
    pub(crate) path: Option<Vec<u8>>,
}

/// Parses `IMAGE`.
pub(crate) fn image(text: &str) -> Result<ImagePlace, String> {
    let name = |text: &str| text.parse::<ImageName>().map_err(|error| error.to_string());
    let kind = if let Some(name) = text.strip_prefix(DOCKER) {
        PlaceKind::Registry(name.parse::<Reference>().map_err(|error| error.to_string())?)
    } else if let Some(stored) = text.strip_prefix(STORE) {
        PlaceKind::Store(name(stored)?)
    } else if let Some(rest) = ARCHIVES.iter().find_map(|kind| text.strip_prefix(kind)) {
        if rest.is_empty() || rest.starts_with(':') {
            return Err(format!("`{text}` has no path: write it as in `oci:PATH:NAME`"));
        }
        let (path, name) = at_path(rest);
        PlaceKind::Archive(path, name)
    } else {
        PlaceKind::Name(name(text)?)
    };
    Ok(ImagePlace { text: text.to_owned(), kind })
}

/// Parses `IMAGE[:/PATH]`, whose path may be any bytes.
pub(crate) fn image_path() -> impl TypedValueParser<Value = ImagePath> {
    OsStringValueParser::new().try_map(|text: OsString| parse(&text))
}

/// Parses `IMAGE:/PATH`.
pub(crate) fn path_in_image() -> impl TypedValueParser<Value = ImagePath> {
    OsStringValueParser::new().try_map(|text: OsString| {
        let shown = text.to_string_lossy().into_owned();
        let example = || {
            let name = shown.split(':').next().unwrap_or(&shown);
            format!(
                "`{shown}` names no file: write the path with a slash in front, as in `{name}:/etc/passwd`"
            )
        };
        match parse(&text) {
            Ok(parsed) if parsed.path.is_some() => Ok(parsed),
            Ok(_) => Err(example()),
            Err(_) if !shown.contains(":/") => Err(example()),
            Err(error) => Err(error),
        }
    })
}

fn parse(text: &OsStr) -> Result<ImagePath, String> {
    let bytes = text.as_bytes();
    let prefixes = ARCHIVES.iter().copied().chain([STORE, DOCKER]);
    let start = prefixes.filter(|prefix| bytes.starts_with(prefix.as_bytes())).map(str::len).max();
    let start = start.unwrap_or(0);
    let end = bytes[start..].windows(2).position(|pair| pair == b":/").map(|at| start + at);
    let name = String::from_utf8(bytes[..end.unwrap_or(bytes.len())].to_vec());
    let name = name.map_err(|_| "the name of the image is no text".to_owned())?;
    Ok(ImagePath { image: image(&name)?, path: end.map(|end| bytes[end + 1..].to_vec()) })
}

/// The path and the name in `PATH:NAME`. A colon may be part of a path that exists.
fn at_path(text: &str) -> (PathBuf, Option<String>) {
    let colons = text.match_indices(':').map(|(at, _)| (&text[..at], Some(text[at + 1..].to_owned())));
    let candidates = std::iter::once((text, None)).chain(colons);
    let found = candidates.clone().find(|(path, _)| Path::new(path).exists());
    let (path, name) = found.or_else(|| candidates.clone().nth(1)).unwrap_or((text, None));
    (PathBuf::from(OsString::from_vec(path.as_bytes().to_vec())), name.filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_in_an_image_begins_behind_the_first_colon_with_a_slash() {
        for (text, image, path) in [
            ("app", "app", None),
            ("app:1.2", "app:1.2", None),
            ("app:/etc", "app", Some("/etc")),
            ("app:1.2:/", "app:1.2", Some("/")),
            ("localhost:5000/app:/a:/b", "localhost:5000/app", Some("/a:/b")),
            ("docker://debian:12:/etc", "docker://debian:12", Some("/etc")),
            ("oci:/nothing/here:app:/etc", "oci:/nothing/here:app", Some("/etc")),
            ("docker-archive:a.tar:/etc/", "docker-archive:a.tar", Some("/etc/")),
        ] {
            let parsed = parse(OsStr::new(text)).unwrap();
            assert_eq!(parsed.image.text, image, "{text}");
            assert_eq!(parsed.path.as_deref(), path.map(str::as_bytes), "{text}");
        }
        let odd = parse(OsStr::from_bytes(b"app:/\xff")).unwrap();
        assert_eq!(odd.path.as_deref(), Some(&b"/\xff"[..]));
        for bad in ["oci:", "docker://UPPER", "a b:/x", "store:"] {
            assert!(parse(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
