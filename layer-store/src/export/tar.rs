//! Merged trees as tars.
//!
//! What comes out is the tree as a container would see it: no whiteouts, parents before what is in them, hard links
//! as such, times in whole seconds. The same tree gives the same bytes.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use super::part::Part;
use crate::archive::ArchiveCompression;
use crate::entry::{EntryKind, NewEntry, NewEntryKind, join, shown};
use crate::error::{Error, Result};
use crate::layer::LayerError;
use crate::store::Store;
use crate::tar::{TarError, TarWriter};
use crate::view::{Node, View};

const BUFFER: usize = 256 * 1024;

impl Store {
    /// Writes a merged tree as a tar to `out`, compressed as a whole.
    pub fn export(&self, view: &View, compression: ArchiveCompression, out: &mut dyn Write) -> Result<()> {
        compression.around(out, &mut |out| {
            self.go_on()?;
            view.export(out)
        })
    }
}

impl View {
    /// Writes the merged tree as a tar to `out`.
    pub fn export(&self, out: &mut dyn Write) -> Result<()> {
        let tar = TarWriter::new(out);
        finish(self.export_below(b"", &Part::whole(), &[], tar)?)
    }

    /// Writes one file or directory of the merged tree, with all that is in it, as a tar to `out`.
    pub fn export_part(&self, part: &Part, out: &mut dyn Write) -> Result<()> {
        finish(self.export_below(b"", part, &[], TarWriter::new(out))?)
    }

    /// Writes several merged trees as one tar to `out`, each in a directory of the name beside it.
    pub fn export_each(trees: &[(String, Self)], out: &mut dyn Write) -> Result<()> {
        let mut tar = TarWriter::new(out);
        for (name, tree) in trees {
            tar.header(&NewEntry::directory(name.as_bytes(), 0o755)).map_err(unwritable)?;
            tar = tree.export_below(name.as_bytes(), &Part::whole(), &[], tar)?;
        }
        finish(tar)
    }

    /// Writes several merged trees as one tar to `out`, in the same root. Of what several have, the first one counts.
    pub fn export_together(trees: &[&Self], out: &mut dyn Write) -> Result<()> {
        let mut tar = TarWriter::new(out);
        for (number, tree) in trees.iter().enumerate() {
            tar = tree.export_below(b"", &Part::whole(), &trees[..number], tar)?;
        }
        finish(tar)
    }

    fn export_below<'a>(
        &self,
        prefix: &[u8],
        part: &Part,
        earlier: &[&Self],
        tar: Tar<'a>,
    ) -> Result<Tar<'a>> {
        let names = HashMap::new();
        let mut export = Export { view: self, prefix, earlier, tar, names, buffer: vec![0; BUFFER] };
        // One list of children for each directory on the way down; paths may be deeper than a stack is.
        let mut open = vec![part.top(self).into_iter()];
        while let Some(children) = open.last_mut() {
            let Some(node) = children.next() else {
                open.pop();
                continue;
            };
            let path = node.path().to_vec();
            let node = node.at(part.place(&path));
            export.add(&node)?;
            if matches!(node.entry().kind, EntryKind::Directory) {
                open.push(self.children(&path).into_iter());
            }
        }
        Ok(export.tar)
    }
}

type Tar<'a> = TarWriter<&'a mut dyn Write>;

fn finish(tar: Tar<'_>) -> Result<()> {
    let out = tar.finish().map_err(unwritable)?;
    out.flush().map_err(|error| unwritable(TarError::Write(error)))
}

struct Export<'a, 'out> {
    view: &'a View,
    /// The directory of the tar that the tree is in; empty for its root.
    prefix: &'a [u8],
    /// Trees that are in the tar already.
    earlier: &'a [&'a View],
    tar: Tar<'out>,
    /// The first name of each file that has several, in the tar.
    names: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
}

impl Export<'_, '_> {
    fn add(&mut self, node: &Node) -> Result<()> {
        let entry = node.entry();
        let path = join(self.prefix, &entry.path);
        if self.earlier.iter().any(|earlier| earlier.lookup(&entry.path).is_some()) {
            if let Some(link) = node.link() {
                self.names.entry(link).or_insert(path);
            }
            return Ok(());
        }
        let first_name = node.link().and_then(|link| self.names.get(&link)).cloned();
        let kind = match (first_name, entry.kind.to_new()) {
            (None, None) => return Ok(()),
            (Some(target), _) => NewEntryKind::HardLink { target },
            (None, Some(kind)) => kind,
        };
        if let (Some(link), NewEntryKind::File { .. }) = (node.link(), &kind) {
            self.names.insert(link, path.clone());
        }
        let size = if let NewEntryKind::File { size } = &kind { Some(*size) } else { None };
        self.tar.header(&NewEntry { path, ..entry.to_new(kind) }).map_err(unwritable)?;
        match size {
            Some(size) => self.copy(node, size),
            None => Ok(()),
        }
    }

    fn copy(&mut self, node: &Node, size: u64) -> Result<()> {
        let damaged = || {
            let path = shown(node.path());
            Error::Layer(LayerError::ContentLength { path, expected: size })
        };
        let mut content = self.view.open(node)?;
        let mut left = size;
        loop {
            let count = match content.read(&mut self.buffer) {
                Ok(0) if left == 0 => break,
                Ok(0) => return Err(damaged()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(Error::Stream { action: "read a layer", source }),
            };
            left = left.checked_sub(count as u64).ok_or_else(damaged)?;
            self.tar.content(&self.buffer[..count]).map_err(unwritable)?;
        }
        self.tar.pad().map_err(unwritable)
    }
}

fn unwritable(error: TarError) -> Error {
    match error {
        TarError::Write(source) => Error::Stream { action: "write the archive", source },
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::DiffId;

    use super::*;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;
    use crate::tar::{Limits, TarReader};

    fn layer(store: &Store, entries: &[(NewEntry, &str)]) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for (entry, content) in entries {
            writer.add(entry, Some(&mut content.as_bytes())).unwrap();
        }
        writer.finish().unwrap().diff_id().clone()
    }

    fn file(path: &str, content: &'static str) -> (NewEntry, &'static str) {
        (NewEntry::file(path, 0o644, content.len() as u64), content)
    }

    fn other(path: &str, kind: NewEntryKind) -> (NewEntry, &'static str) {
        (NewEntry::new(path.into(), kind, 0o755), "")
    }

    fn listing(tar: &[u8]) -> String {
        let mut reader = TarReader::new(tar, Limits::default());
        let mut lines = String::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            let path = String::from_utf8(entry.path).unwrap();
            let what = match entry.kind {
                NewEntryKind::File { .. } => {
                    let mut content = String::new();
                    reader.read_to_string(&mut content).unwrap();
                    format!("= {content}")
                }
                NewEntryKind::Directory => "directory".to_owned(),
                NewEntryKind::Symlink { target } => format!("-> {}", String::from_utf8(target).unwrap()),
                NewEntryKind::HardLink { target } => format!("is {}", String::from_utf8(target).unwrap()),
                kind => format!("{kind:?}"),
            };
            lines.push_str(&format!("{path} {what}\n"));
        }
        lines
    }

    #[test]
    fn the_merged_tree_comes_out_without_what_was_removed() {
        let (_folder, store) = store();
        let low = layer(
            &store,
            &[
                other("bin", NewEntryKind::Directory),
                file("bin/a", "tool"),
                other("bin/b", NewEntryKind::HardLink { target: b"bin/a".to_vec() }),
                other("etc", NewEntryKind::Directory),
                file("etc/motd", "low"),
                file("etc/old", "gone"),
                other("link", NewEntryKind::Symlink { target: b"../../etc".to_vec() }),
            ],
        );
        let high = layer(
            &store,
            &[
                other("dev", NewEntryKind::Directory),
                other("dev/null", NewEntryKind::CharDevice { major: 1, minor: 3 }),
                other("etc", NewEntryKind::Directory),
                file("etc/motd", "high"),
                other("etc/old", NewEntryKind::Whiteout),
                other("pipe", NewEntryKind::Fifo),
            ],
        );
        let view = store.view(&[low, high]).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        view.export(&mut first).unwrap();
        view.export(&mut second).unwrap();
        assert!(first == second);
        insta::assert_snapshot!(listing(&first), @r"
        bin directory
        bin/a = tool
        bin/b is bin/a
        dev directory
        dev/null CharDevice { major: 1, minor: 3 }
        etc directory
        etc/motd = high
        link -> ../../etc
        pipe Fifo
        ");
    }

    #[test]
    fn several_trees_lie_side_by_side() {
        let (_folder, store) = store();
        let linked =
            layer(&store, &[file("a", "1"), other("b", NewEntryKind::HardLink { target: b"a".to_vec() })]);
        let single = layer(&store, &[file("a", "2")]);
        let trees = [
            ("linux_amd64".to_owned(), store.view(&[linked]).unwrap()),
            ("linux_arm64".to_owned(), store.view(&[single]).unwrap()),
        ];
        let mut out = Vec::new();
        View::export_each(&trees, &mut out).unwrap();
        insta::assert_snapshot!(listing(&out), @r"
        linux_amd64 directory
        linux_amd64/a = 1
        linux_amd64/b is linux_amd64/a
        linux_arm64 directory
        linux_arm64/a = 2
        ");
        let more = store.view(&[layer(&store, &[file("a", "1"), file("c", "3")])]).unwrap();
        let mut out = Vec::new();
        View::export_together(&[&trees[0].1, &more], &mut out).unwrap();
        assert_eq!(listing(&out), "a = 1\nb is a\nc = 3\n");
    }

    #[test]
    fn a_full_disk_is_reported_as_such() {
        let (_folder, store) = store();
        let view = store.view(&[layer(&store, &[file("motd", "hello")])]).unwrap();
        let mut full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        assert!(view.export(&mut full).unwrap_err().is_disk_full());
    }
}
