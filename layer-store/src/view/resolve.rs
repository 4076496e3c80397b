//! Follows a path as a process in the image would: links are resolved inside the image's root, and `..` stops there.

use std::collections::VecDeque;

use super::{Node, View};
use crate::entry::{EntryKind, join, shown, split};

/// As many links as Linux follows for one path.
const MOST_LINKS: usize = 40;
/// More components than this no path leads through, links included.
const MOST_COMPONENTS: usize = 64 * 1024;

/// What becomes of a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed, as all before it are.
    Follow,
    /// It is what is meant, unless the path ends in a slash.
    Keep,
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing.
    #[error("`/{}` is not in the image", shown(.0))]
    Missing(Vec<u8>),
    /// Something else than a directory is on the way.
    #[error("`/{}` is not a directory", shown(.0))]
    NotADirectory(Vec<u8>),
    /// Links lead to links without end.
    #[error("`/{}` leads through more than {MOST_LINKS} symbolic links", shown(.0))]
    TooManyLinks(Vec<u8>),
}

impl View {
    /// What is at `path`, from the root, with or without a slash in front. The node that comes out has the path without
    /// any link on it.
    pub fn resolve(&self, path: &[u8], last: LastLink) -> Result<Node, PathError> {
        let too_many = || PathError::TooManyLinks(path.to_vec());
        let mut wanted: VecDeque<Vec<u8>> = components(path);
        let needs_directory = path.ends_with(b"/") || path.ends_with(b"/.") || path == b".";
        let (mut links, mut steps) = (0, 0);
        let mut here = self.lookup(b"").expect("the root is always there");
        while let Some(name) = wanted.pop_front() {
            steps += 1;
            if steps > MOST_COMPONENTS {
                return Err(too_many());
            }
            if name == b".." {
                let above = split(here.path()).0.to_vec();
                here = self.lookup(&above).ok_or(PathError::Missing(above))?;
                continue;
            }
            let path = join(here.path(), &name);
            let found = self.lookup(&path).ok_or_else(|| PathError::Missing(path.clone()))?;
            let is_last = wanted.is_empty();
            match &found.entry().kind {
                EntryKind::Symlink { target } if !is_last || needs_directory || last == LastLink::Follow => {
                    links += 1;
                    if links > MOST_LINKS || wanted.len() > MOST_COMPONENTS {
                        return Err(too_many());
                    }
                    if target.starts_with(b"/") {
                        here = self.lookup(b"").expect("the root is always there");
                    }
                    for component in components(target).into_iter().rev() {
                        wanted.push_front(component);
                    }
                }
                EntryKind::Directory => here = found,
                _ if is_last && !needs_directory => return Ok(found),
                _ => return Err(PathError::NotADirectory(path)),
            }
        }
        Ok(here)
    }
}

fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    #[test]
    fn links_are_followed_inside_the_image_and_nowhere_else() {
        let (_folder, store) = store();
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        let entries = [
            NewEntry::symlink("bin", "usr/bin"),
            NewEntry::directory("etc", 0o755),
            NewEntry::file("etc/passwd", 0o644, 0),
            NewEntry::symlink("loop", "loop2"),
            NewEntry::symlink("loop2", "/loop"),
            NewEntry::symlink("out", "../../../etc/passwd"),
            NewEntry::symlink("up", "/usr/bin/.."),
            NewEntry::directory("usr", 0o755),
            NewEntry::directory("usr/bin", 0o755),
            NewEntry::file("usr/bin/sh", 0o755, 0),
            NewEntry::symlink("usr/bin/void", "nothing"),
        ];
        for entry in &entries {
            writer.add(entry, None).unwrap();
        }
        let diff_id = writer.finish().unwrap().diff_id().clone();
        let view = store.view(&[diff_id]).unwrap();
        let follow = |path: &str| match view.resolve(path.as_bytes(), LastLink::Follow) {
            Ok(node) => format!("/{}", String::from_utf8_lossy(node.path())),
            Err(error) => error.to_string(),
        };
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/..", "/"),
            ("bin", "/usr/bin"),
            ("/bin/sh", "/usr/bin/sh"),
            ("bin/./../../etc//passwd", "/etc/passwd"),
            ("/out", "/etc/passwd"),
            ("up", "/usr"),
            ("up/bin/sh", "/usr/bin/sh"),
            ("loop", "`/loop` leads through more than 40 symbolic links"),
            ("usr/bin/void", "`/usr/bin/nothing` is not in the image"),
            ("etc/passwd/x", "`/etc/passwd` is not a directory"),
            ("etc/passwd/", "`/etc/passwd` is not a directory"),
            ("etc/shadow", "`/etc/shadow` is not in the image"),
        ] {
            assert_eq!(follow(path), expected, "{path}");
        }
        let kept = |path: &str| view.resolve(path.as_bytes(), LastLink::Keep).unwrap().path().to_vec();
        assert_eq!((kept("/bin"), kept("/bin/")), (b"bin".to_vec(), b"usr/bin".to_vec()));
    }
}
