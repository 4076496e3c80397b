//! What an entry of a layer's tar means: names tell removals from files. Source: image-spec `layer.md`, "Whiteouts".

use super::LayerError;
use crate::entry::{join, shown, split};

const PREFIX: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names with which aufs kept its books (`.wh..wh.aufs`, `.wh..wh.plnk`, `.wh..wh.orph`).
const AUFS: &[u8] = b".wh..wh.";

/// What a path of a layer's tar means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The thing itself.
    Entry,
    /// The path is removed.
    Whiteout(Vec<u8>),
    /// The directory hides what the layers below have in it.
    Opaque(Vec<u8>),
    /// Nothing to us or anybody else.
    Nothing,
}

/// Tells what `path` means. Fails for removals that make no sense, such as that of `..`.
pub(super) fn meaning(path: &[u8]) -> Result<Meaning, LayerError> {
    let (directory, name) = split(path);
    if path.split(|&byte| byte == b'/').any(|name| name.starts_with(AUFS) && name != OPAQUE) {
        return Ok(Meaning::Nothing);
    }
    if directory.split(|&byte| byte == b'/').any(|name| name.starts_with(PREFIX)) {
        return Err(LayerError::WhiteoutName { path: shown(path) });
    }
    if name == OPAQUE {
        return Ok(Meaning::Opaque(directory.to_vec()));
    }
    match name.strip_prefix(PREFIX) {
        None => Ok(Meaning::Entry),
        Some(b"" | b"." | b"..") => Err(LayerError::WhiteoutName { path: shown(path) }),
        Some(removed) => Ok(Meaning::Whiteout(join(directory, removed))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_removals_from_files() {
        for (path, expected) in [
            ("a/b", Meaning::Entry),
            ("a/.wh.b", Meaning::Whiteout(b"a/b".to_vec())),
            (".wh.b", Meaning::Whiteout(b"b".to_vec())),
            ("a/.wh..wh..opq", Meaning::Opaque(b"a".to_vec())),
            (".wh..wh..opq", Meaning::Opaque(b"".to_vec())),
            (".wh..wh.plnk/12.34", Meaning::Nothing),
            (".wh..wh.aufs", Meaning::Nothing),
            ("a/.whb", Meaning::Entry),
        ] {
            assert_eq!(meaning(path.as_bytes()).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn removals_of_nothing_or_of_the_directory_itself_are_refused() {
        for path in [".wh.", "a/.wh.", "a/.wh..", "a/.wh...", "a/.wh.b/c"] {
            assert!(meaning(path.as_bytes()).is_err(), "{path}");
        }
    }
}
