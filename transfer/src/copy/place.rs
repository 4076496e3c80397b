//! Where something is copied from or to, as people write it.
//!
//! | written                       | meaning                                                         |
//! | ----------------------------- | --------------------------------------------------------------- |
//! | `NAME`, `docker://NAME`       | an image in a registry                                          |
//! | `store:NAME`                  | an image in the store                                           |
//! | `oci:PATH[:NAME]`             | an OCI image layout in a folder                                 |
//! | `oci-archive:PATH[:NAME]`     | a tar of one                                                    |
//! | `docker-archive:PATH[:NAME]`  | a tar as `docker save` writes it                                |
//!
//! The words are those of skopeo.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tug_oci::{Reference, ReferenceError};

/// A place that an image is copied from or to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A registry.
    Registry(Reference),
    /// The store.
    Store(String),
    /// A folder or file, with the name of the image in it.
    Archive {
        /// Of what kind.
        kind: ArchiveKind,
        /// Where.
        path: PathBuf,
        /// What it is called there.
        name: Option<String>,
    },
}

/// What kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// An OCI image layout in a folder.
    OciFolder,
    /// A tar of one.
    OciTar,
    /// A tar as `docker save` writes it.
    DockerTar,
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The name of the image is none.
    #[error("`{text}` names no image")]
    Name {
        /// What was written.
        text: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// There is no path.
    #[error("`{0}` has no path")]
    NoPath(String),
    /// Another tool knows this kind.
    #[error("`{0}` is a kind of place that tug does not know")]
    Unknown(String),
}

impl PlaceError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(kind) if kind == "docker-daemon:" => {
                Some("save it first: `docker save NAME | tug load`, then copy `store:NAME`".to_owned())
            }
            Self::Unknown(_) => Some(
                "use `NAME`, `store:NAME`, `oci:PATH`, `oci-archive:PATH` or `docker-archive:PATH`"
                    .to_owned(),
            ),
            Self::NoPath(_) => Some("write it as in `oci:PATH:NAME`".to_owned()),
            Self::Name { .. } => None,
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let reference = |name: &str| {
            let parsed = name.parse::<Reference>();
            parsed.map_err(|source| PlaceError::Name { text: name.to_owned(), source })
        };
        if let Some(name) = text.strip_prefix("docker://") {
            return reference(name).map(Self::Registry);
        }
        let Some((word, rest)) = text.split_once(':') else { return reference(text).map(Self::Registry) };
        let kind = match word {
            "store" => {
                return match rest.is_empty() {
                    true => Err(PlaceError::Name { text: text.to_owned(), source: ReferenceError::Empty }),
                    false => Ok(Self::Store(rest.to_owned())),
                };
            }
            "oci" => ArchiveKind::OciFolder,
            "oci-archive" => ArchiveKind::OciTar,
            "docker-archive" => ArchiveKind::DockerTar,
            "docker-daemon" | "containers-storage" | "dir" | "ostree" | "sif" | "atomic" | "tarball" => {
                return Err(PlaceError::Unknown(format!("{word}:")));
            }
            _ => return reference(text).map(Self::Registry),
        };
        let (path, name) = match rest.split_once(':') {
            Some((path, name)) => (path, Some(name.to_owned()).filter(|name| !name.is_empty())),
            None => (rest, None),
        };
        match path.is_empty() {
            true => Err(PlaceError::NoPath(text.to_owned())),
            false => Ok(Self::Archive { kind, path: path.into(), name }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(name) => out.write_str(&name.familiar()),
            Self::Store(name) => write!(out, "store:{name}"),
            Self::Archive { kind, path, name } => {
                write!(out, "{}:{}", kind.word(), path.display())?;
                name.iter().try_for_each(|name| write!(out, ":{name}"))
            }
        }
    }
}

impl ArchiveKind {
    fn word(self) -> &'static str {
        match self {
            Self::OciFolder => "oci",
            Self::OciTar => "oci-archive",
            Self::DockerTar => "docker-archive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written_alike() {
        for (text, shown) in [
            ("alpine", "alpine:latest"),
            ("docker://localhost:5000/a:1", "localhost:5000/a:1"),
            ("localhost:5000/a:1", "localhost:5000/a:1"),
            ("store:app", "store:app"),
            ("oci:/x/y:app:1", "oci:/x/y:app:1"),
            ("oci-archive:a.tar", "oci-archive:a.tar"),
            ("docker-archive:a.tar:app", "docker-archive:a.tar:app"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_advice() {
        for (text, message) in [
            ("oci:", "`oci:` has no path"),
            ("oci::name", "`oci::name` has no path"),
            ("store:", "`store:` names no image"),
            ("docker-daemon:app", "`docker-daemon:` is a kind of place that tug does not know"),
            ("docker://UPPER", "`UPPER` names no image"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap_err().to_string(), message);
        }
        assert!("dir:x".parse::<Place>().unwrap_err().hint().unwrap().contains("oci:PATH"));
    }
}
