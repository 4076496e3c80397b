//! Makes a layer out of entries that come in canonical order.

use std::borrow::Cow;
use std::io::Read;

use tug_oci::{DiffId, Digest};

use super::sink::LayerSink;
use super::{Draft, Layer, LayerError, TREE};
use crate::entry::{NewEntry, NewEntryKind, Xattrs, canonical_order, is_inside, shown, split};
use crate::error::Result;
use crate::scratch::ScratchDir;
use crate::store::Store;
use crate::toc::{RecordKind, Toc};
use crate::xattr;

/// How a new layer is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerWriterOptions {
    /// Make it ready to be mounted in the same pass, because a step that mounts it follows.
    pub materialise: bool,
}

/// A new layer that is being written: the tar, the table of contents, and what it takes to mount it if
/// asked for, in one pass.
///
/// Nothing is in the store before [`LayerWriter::finish`].
pub struct LayerWriter {
    store: Store,
    // Before the folder, so that nothing writes to it any more when it goes to the trash.
    sink: LayerSink,
    folder: ScratchDir,
    has_tree: bool,
    mountable: bool,
    last: Option<Vec<u8>>,
    /// The directories that the next entry may be in.
    open: Vec<Vec<u8>>,
    has_links: bool,
}

impl Store {
    /// Begins a new layer.
    pub fn layer_writer(&self, options: &LayerWriterOptions) -> Result<LayerWriter> {
        let folder = self.scratch("layer")?;
        let has_tree = options.materialise && !self.options().indexed_layers;
        let sink = LayerSink::new(self, has_tree.then(|| folder.path().join(TREE)))?;
        Ok(LayerWriter {
            store: self.clone(),
            folder,
            has_tree,
            mountable: options.materialise,
            sink,
            last: None,
            open: Vec::new(),
            has_links: false,
        })
    }
}

impl LayerWriter {
    /// Adds an entry, for a file with its content. Returns the digest of the content.
    ///
    /// Entries come in canonical order ([`canonical_order`]), each once, and each behind the directory that it is in.
    /// The root itself is never an entry. Times are cut to seconds. `content` must have exactly the announced length.
    pub fn add(&mut self, entry: &NewEntry, content: Option<&mut dyn Read>) -> Result<Option<Digest>> {
        check(entry)?;
        self.check_place(&entry.path)?;
        let digest = self.sink.add(&as_kept(entry), content)?;
        while self.open.last().is_some_and(|directory| !is_inside(&entry.path, directory)) {
            self.open.pop();
        }
        match &entry.kind {
            NewEntryKind::Directory => self.open.push(entry.path.clone()),
            NewEntryKind::HardLink { .. } => self.has_links = true,
            _ => {}
        }
        self.last = Some(entry.path.clone());
        Ok(digest)
    }

    /// Completes the layer and puts it into the store.
    pub fn finish(self) -> Result<Layer> {
        let finished = self.sink.finish()?;
        if self.has_links {
            check_links(&finished.toc)?;
        }
        Draft::of(self.folder, self.has_tree, self.mountable, finished).publish(&self.store, None)
    }

    /// Completes the tar and keeps it as a blob, if it is that of `layer`; else keeps nothing.
    pub(crate) fn finish_tar_as(self, layer: &DiffId) -> Result<bool> {
        let blob = self.sink.finish()?.blob;
        match blob.digest() == layer.digest() {
            true => blob.keep().map(|_| true),
            false => Ok(false),
        }
    }

    fn check_place(&self, path: &[u8]) -> std::result::Result<(), LayerError> {
        if let Some(last) = &self.last
            && canonical_order(last, path).is_ge()
        {
            return Err(LayerError::OutOfOrder { path: shown(path), after: shown(last) });
        }
        let parent = self.open.iter().rev().find(|directory| is_inside(path, directory));
        match split(path).0 == parent.map_or(&b""[..], Vec::as_slice) {
            true => Ok(()),
            false => Err(LayerError::ParentMissing { path: shown(path) }),
        }
    }
}

/// Refuses what no layer can hold.
pub(crate) fn check(entry: &NewEntry) -> std::result::Result<(), LayerError> {
    let path = &entry.path;
    let is_path = !path.is_empty()
        && !path.contains(&0)
        && path.split(|&byte| byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."));
    if !is_path {
        return Err(LayerError::Path { path: shown(path) });
    }
    if path.split(|&byte| byte == b'/').any(|name| name.starts_with(b".wh.")) {
        return Err(LayerError::WhiteoutName { path: shown(path) });
    }
    if entry.kind == (NewEntryKind::CharDevice { major: 0, minor: 0 }) {
        return Err(LayerError::WhiteoutDevice { path: shown(path) });
    }
    Ok(())
}

/// The entry as layers hold it: whole seconds, and only the attributes that layers keep.
fn as_kept(entry: &NewEntry) -> Cow<'_, NewEntry> {
    let has_xattrs = matches!(
        entry.kind,
        NewEntryKind::File { .. } | NewEntryKind::HardLink { .. } | NewEntryKind::Directory
    );
    let xattrs = if has_xattrs { xattr::kept(&entry.xattrs) } else { Cow::Owned(Xattrs::new()) };
    match xattrs {
        Cow::Borrowed(_) if entry.mtime.nanos == 0 => Cow::Borrowed(entry),
        xattrs => {
            let (mtime, xattrs) = (entry.mtime.whole_seconds(None), xattrs.into_owned());
            Cow::Owned(NewEntry {
                mtime,
                xattrs,
                path: entry.path.clone(),
                kind: entry.kind.clone(),
                ..*entry
            })
        }
    }
}

/// Every hard link must lead to something that is not a directory, and not to a link in turn.
fn check_links(toc: &Toc) -> std::result::Result<(), LayerError> {
    for record in toc.records() {
        let RecordKind::HardLink(target) = record.kind else { continue };
        let found = toc.find(target).map(|index| toc.record(index));
        let can_be_linked = found.is_some_and(|found| {
            !found.is_directory() && !matches!(found.kind, RecordKind::HardLink(_) | RecordKind::Whiteout)
        });
        if !can_be_linked {
            return Err(LayerError::LinkTarget { path: shown(record.path), target: shown(target) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    fn write(entries: &[(NewEntry, &str)]) -> Result<Layer> {
        let (_folder, store) = store();
        let mut writer = store.layer_writer(&LayerWriterOptions::default())?;
        for (entry, content) in entries {
            writer.add(entry, Some(&mut content.as_bytes()))?;
        }
        writer.finish()
    }

    fn error_of(entries: &[(NewEntry, &str)]) -> LayerError {
        match write(entries).unwrap_err() {
            crate::Error::Layer(error) => error,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_layer_has_the_digest_of_its_tar_and_a_table_of_contents() {
        let (_folder, store) = store();
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        writer.add(&NewEntry::directory("etc", 0o755), None).unwrap();
        let digest = writer.add(&NewEntry::file("etc/motd", 0o644, 5), Some(&mut &b"hello"[..])).unwrap();
        assert_eq!(digest, Some(Digest::of(b"hello")));
        let layer = writer.finish().unwrap();
        let tar = store.read_blob(layer.diff_id().digest(), 10_000).unwrap();
        assert_eq!((layer.tar_size(), layer.content_size()), (tar.len() as u64, 5));
        let entry = layer.toc().unwrap().lookup(b"etc/motd").unwrap();
        let crate::EntryKind::File { size, digest, offset } = entry.kind else { panic!("{entry:?}") };
        assert_eq!((size, digest), (5, Digest::of(b"hello")));
        assert_eq!(&tar[offset as usize..][..5], b"hello");
        let again = store.layer(layer.diff_id()).unwrap().unwrap();
        assert_eq!(again.toc().unwrap().as_bytes(), layer.toc().unwrap().as_bytes());
    }

    #[test]
    fn the_same_layer_made_by_many_at_once_is_one_layer() {
        let folder = tempfile::tempdir().unwrap();
        // Every process may do this: files belong to whoever makes them.
        let options = crate::StoreOptions {
            owners: crate::Owners::Recorded,
            in_user_namespace: true,
            indexed_layers: false,
        };
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        let make = |materialise| {
            let mut writer = store.layer_writer(&LayerWriterOptions { materialise }).unwrap();
            writer.add(&NewEntry::directory("d", 0o755), None).unwrap();
            for number in 0..50 {
                let entry = NewEntry::file(format!("d/{number:02}"), 0o644, 20_000);
                writer.add(&entry, Some(&mut std::io::repeat(number).take(20_000))).unwrap();
            }
            writer.finish().unwrap().diff_id().clone()
        };
        let make = &make;
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|number| scope.spawn(move || make(number % 2 == 0))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|diff_id| *diff_id == made[0]));
        let tree = store.layer(&made[0]).unwrap().unwrap().make_tree().unwrap();
        assert_eq!(std::fs::read(tree.join("d/49")).unwrap(), vec![49; 20_000]);
        assert_eq!(std::fs::read_dir(tree.join("d")).unwrap().count(), 50);
    }

    #[test]
    fn entries_out_of_order_or_without_their_directory_are_refused() {
        let file = |path: &str| (NewEntry::file(path, 0o644, 0), "");
        let directory = |path: &str| (NewEntry::directory(path, 0o755), "");
        assert!(matches!(error_of(&[file("b"), file("a")]), LayerError::OutOfOrder { .. }));
        assert!(matches!(error_of(&[file("a"), file("a")]), LayerError::OutOfOrder { .. }));
        assert!(matches!(error_of(&[file("a/b")]), LayerError::ParentMissing { .. }));
        assert!(matches!(error_of(&[directory("a"), file("ab/c")]), LayerError::ParentMissing { .. }));
        assert!(matches!(error_of(&[file("a"), file("a/b")]), LayerError::ParentMissing { .. }));
        write(&[directory("a"), directory("a/b"), file("a/b/c"), file("a/d"), file("a.b")]).unwrap();
    }

    #[test]
    fn names_and_devices_that_mean_something_else_are_refused() {
        for path in ["", "/a", "a/", "a//b", "./a", "..", "a\0"] {
            assert!(
                matches!(error_of(&[(NewEntry::file(path, 0o644, 0), "")]), LayerError::Path { .. }),
                "{path}"
            );
        }
        let whiteout = NewEntry::file(".wh.a", 0o644, 0);
        assert!(matches!(error_of(&[(whiteout, "")]), LayerError::WhiteoutName { .. }));
        let device = NewEntry::new(b"a".to_vec(), NewEntryKind::CharDevice { major: 0, minor: 0 }, 0);
        assert!(matches!(error_of(&[(device, "")]), LayerError::WhiteoutDevice { .. }));
        let link = NewEntry::new(b"a".to_vec(), NewEntryKind::HardLink { target: b"b".to_vec() }, 0o644);
        assert!(matches!(error_of(&[(link, "")]), LayerError::LinkTarget { .. }));
    }

    #[test]
    fn content_of_another_length_is_refused() {
        for content in ["1234", "123456"] {
            let error = error_of(&[(NewEntry::file("a", 0o644, 5), content)]);
            assert!(matches!(error, LayerError::ContentLength { expected: 5, .. }), "{error}");
        }
    }

    #[test]
    fn attributes_of_this_machine_do_not_come_into_layers() {
        let mut entry = NewEntry::file("a", 0o644, 0);
        for name in ["user.a", "user.tug.owner", "trusted.overlay.opaque", "security.selinux"] {
            entry.xattrs.insert(name.into(), b"x".to_vec());
        }
        let kept = write(&[(entry, "")]).unwrap().toc().unwrap().lookup(b"a").unwrap().xattrs;
        assert_eq!(kept.keys().collect::<Vec<_>>(), [b"user.a"]);
    }
}
