//! Resolves symbolic links in a merged tree, as a process would whose root it is.

use super::View;
use crate::entry::{EntryKind, join, shown, split};
use crate::error::Result;
use crate::layer::LayerError;

/// More than the kernel's 40, for the links that package managers chain up; the same as Go's `EvalSymlinks`.
const MOST_LINKS: usize = 255;

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowLast {
    /// It is.
    Yes,
    /// It is not: the link itself is meant.
    No,
}

impl View {
    /// The path without symbolic links, `.` and `..`. Nothing leads out of the root: `..` there stays there.
    ///
    /// What does not exist is taken as it is written. Fails only when there are too many links.
    pub fn resolve(&self, path: &[u8], last: FollowLast) -> Result<Vec<u8>> {
        let mut resolved = Vec::new();
        let mut pending: Vec<Vec<u8>> = components(path);
        let mut links = 0;
        while let Some(name) = pending.pop() {
            if name == b".." {
                resolved = split(&resolved).0.to_vec();
                continue;
            }
            let next = join(&resolved, &name);
            let is_last = pending.is_empty();
            match self.target_of(&next) {
                Some(target) if !is_last || last == FollowLast::Yes => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(LayerError::TooManyLinks { path: shown(path) }.into());
                    }
                    if target.starts_with(b"/") {
                        resolved.clear();
                    }
                    pending.extend(components(&target));
                }
                _ => resolved = next,
            }
        }
        Ok(resolved)
    }

    fn target_of(&self, path: &[u8]) -> Option<Vec<u8>> {
        match self.lookup(path)?.entry.kind {
            EntryKind::Symlink { target } => Some(target),
            _ => None,
        }
    }
}

/// The names in a path, last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    fn resolve(links: &[(&str, &str)], path: &str, last: FollowLast) -> Result<String> {
        let (_folder, store) = store();
        let mut writer = store.layer_writer(&LayerWriterOptions::default())?;
        for (path, target) in links {
            let entry = match *target {
                "" => NewEntry::directory(*path, 0o755),
                _ => NewEntry::symlink(*path, *target),
            };
            writer.add(&entry, None)?;
        }
        let view = store.view(&[writer.finish()?.diff_id().clone()])?;
        view.resolve(path.as_bytes(), last).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let links = [
            ("a", ""),
            ("a/up", "../../../b"),
            ("b", ""),
            ("b/c", "/a/./up//d"),
            ("lib", "usr/lib"),
            ("z", "lib"),
        ];
        for (path, last, expected) in [
            ("a/up/x", FollowLast::No, "b/x"),
            ("a/up", FollowLast::No, "a/up"),
            ("a/up", FollowLast::Yes, "b"),
            ("/b/c/e", FollowLast::No, "b/d/e"),
            ("z/libc.so", FollowLast::Yes, "usr/lib/libc.so"),
            ("../../a/../..", FollowLast::Yes, ""),
            ("absent/../x/", FollowLast::Yes, "x"),
            (".", FollowLast::Yes, ""),
        ] {
            assert_eq!(resolve(&links, path, last).unwrap(), expected, "{path} {last:?}");
        }
    }

    #[test]
    fn links_that_lead_to_each_other_end_in_an_error() {
        for links in [&[("a", "a")][..], &[("a", "b"), ("b", "a/x")]] {
            let error = resolve(links, "a", FollowLast::Yes).unwrap_err();
            assert!(matches!(error, crate::Error::Layer(LayerError::TooManyLinks { .. })), "{error}");
        }
    }
}
