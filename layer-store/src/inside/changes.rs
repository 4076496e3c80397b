//! Which paths are not the same in two merged trees.

use std::cmp::Ordering;

use crate::entry::{Entry, EntryKind, canonical_order};
use crate::view::View;

/// A path that is not the same in two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The path, without leading slash.
    pub path: Vec<u8>,
    /// What was there; `None` if nothing was.
    pub before: Option<Entry>,
    /// What is there now; `None` if nothing is.
    pub after: Option<Entry>,
    /// In what they differ; empty where one of them is missing.
    pub aspects: Vec<ChangedAspect>,
}

/// In what something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangedAspect {
    /// It was a file and is a link, or the like.
    Kind,
    /// The bytes of a file.
    Content,
    /// What a link or device leads to.
    Target,
    /// Permissions.
    Mode,
    /// Owner or group.
    Owner,
    /// Extended attributes.
    Attributes,
    /// When it was changed.
    Time,
}

impl ChangedAspect {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Content => "content",
            Self::Target => "target",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Attributes => "attributes",
            Self::Time => "time",
        }
    }
}

impl FileChange {
    /// The bytes of a file before and after; 0 for everything else.
    pub fn sizes(&self) -> (u64, u64) {
        let size = |entry: &Option<Entry>| match entry.as_ref().map(|entry| &entry.kind) {
            Some(EntryKind::File { size, .. }) => *size,
            _ => 0,
        };
        (size(&self.before), size(&self.after))
    }
}

impl View {
    /// The paths that are not the same here and in `after`, in canonical order.
    pub fn changes(&self, after: &Self) -> Vec<FileChange> {
        let (mut left, mut right) = (self.walk(b"").peekable(), after.walk(b"").peekable());
        let mut changes = Vec::new();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => canonical_order(one.path(), other.path()),
            };
            let before = if order == Ordering::Greater { None } else { left.next() };
            let after = if order == Ordering::Less { None } else { right.next() };
            let aspects = match (&before, &after) {
                (Some(before), Some(after)) => match aspects(before.entry(), after.entry()) {
                    aspects if aspects.is_empty() => continue,
                    aspects => aspects,
                },
                _ => Vec::new(),
            };
            let either = before.as_ref().or(after.as_ref());
            changes.push(FileChange {
                path: either.map_or_else(Vec::new, |node| node.path().to_vec()),
                before: before.map(|node| node.entry().clone()),
                after: after.map(|node| node.entry().clone()),
                aspects,
            });
        }
    }
}

/// Where the content lies in the tar does not matter.
fn aspects(before: &Entry, after: &Entry) -> Vec<ChangedAspect> {
    let mut aspects = Vec::new();
    match (&before.kind, &after.kind) {
        (EntryKind::File { digest: one, .. }, EntryKind::File { digest: other, .. }) if one == other => {}
        (EntryKind::File { .. }, EntryKind::File { .. }) => aspects.push(ChangedAspect::Content),
        (one, other) if std::mem::discriminant(one) != std::mem::discriminant(other) => {
            aspects.push(ChangedAspect::Kind);
        }
        (one, other) if one != other => aspects.push(ChangedAspect::Target),
        _ => {}
    }
    if before.mode != after.mode {
        aspects.push(ChangedAspect::Mode);
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        aspects.push(ChangedAspect::Owner);
    }
    if before.xattrs != after.xattrs {
        aspects.push(ChangedAspect::Attributes);
    }
    if before.mtime != after.mtime {
        aspects.push(ChangedAspect::Time);
    }
    aspects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::LayerWriterOptions;
    use crate::store::Store;
    use crate::store::tests::store;

    fn view(store: &Store, entries: &[(NewEntry, &str)]) -> View {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for (entry, content) in entries {
            writer.add(entry, Some(&mut content.as_bytes())).unwrap();
        }
        store.view(&[writer.finish().unwrap().diff_id().clone()]).unwrap()
    }

    fn file(path: &str, mode: u32, content: &'static str) -> (NewEntry, &'static str) {
        (NewEntry::file(path, mode, content.len() as u64), content)
    }

    #[test]
    fn paths_that_are_not_the_same_are_told_with_what_is_not() {
        let (_folder, store) = store();
        let before = view(
            &store,
            &[
                file("a", 0o644, "same"),
                file("b", 0o644, "old"),
                (NewEntry::directory("d", 0o755), ""),
                file("d/gone", 0o644, "x"),
                (NewEntry::symlink("l", "a"), ""),
                file("t", 0o644, "a file"),
            ],
        );
        let after = view(
            &store,
            &[
                file("a", 0o755, "same"),
                file("b", 0o644, "newer"),
                (NewEntry::symlink("l", "b"), ""),
                file("new", 0o644, "12345"),
                (NewEntry::directory("t", 0o755), ""),
            ],
        );
        let mut listing = String::new();
        for change in before.changes(&after) {
            let sign = match (&change.before, &change.after) {
                (None, _) => "A",
                (_, None) => "D",
                _ => "M",
            };
            let names: Vec<_> = change.aspects.iter().map(|aspect| aspect.name()).collect();
            let path = String::from_utf8_lossy(&change.path).into_owned();
            listing += format!("{sign} {path} {:?} {}", change.sizes(), names.join(",")).trim_end();
            listing.push('\n');
        }
        insta::assert_snapshot!(listing, @"
        M a (4, 4) mode
        M b (3, 5) content
        D d (0, 0)
        D d/gone (1, 0)
        M l (0, 0) target
        A new (0, 5)
        M t (6, 0) kind,mode
        ");
        assert!(after.changes(&after).is_empty());
    }
}
