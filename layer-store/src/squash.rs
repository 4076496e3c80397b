//! Several layers as one that does the same to what is below them.
//!
//! What an upper layer has replaced or removed is not in the new one, which is why people want it. A path that the
//! layers below have and the result has not becomes a whiteout.

use std::collections::HashMap;
use std::io::Read;

use tug_oci::{DiffId, Digest};

use crate::entry::{EntryKind, NewEntry, NewEntryKind, split};
use crate::error::Result;
use crate::layer::{Layer, LayerWriter, LayerWriterOptions};
use crate::store::Store;
use crate::view::{Node, View};

impl Store {
    /// One layer that does to the first `below` of `layers` what all the others do. The same layers always give the same
    /// one; the second time it costs nothing.
    pub fn squash(&self, layers: &[DiffId], below: usize) -> Result<Layer> {
        let names: Vec<String> = layers.iter().map(ToString::to_string).collect();
        let key = Digest::of(format!("squashed 1 {below} {}", names.join(" ")).as_bytes());
        let known = self.cache_record(&key)?.and_then(|bytes| serde_json::from_slice::<DiffId>(&bytes).ok());
        if let Some(known) = known
            && let Some(layer) = self.layer(&known)?
        {
            return Ok(layer);
        }
        let squash = Squash {
            store: self,
            below: self.view(&layers[..below.min(layers.len())])?,
            all: self.view(layers)?,
            first_new: below,
            writer: self.layer_writer(&LayerWriterOptions::default())?,
            names: HashMap::new(),
            waiting: Vec::new(),
        };
        let layer = squash.write()?;
        let record = serde_json::to_vec(layer.diff_id()).expect("a digest is a string");
        self.put_cache_record(&key, &record)?;
        Ok(layer)
    }
}

struct Squash<'a> {
    store: &'a Store,
    below: View,
    all: View,
    /// The number of the first layer that goes into the new one.
    first_new: usize,
    writer: LayerWriter,
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), Vec<u8>>,
    /// Directories on the way to where we are that are in the layer only if something in them is.
    waiting: Vec<NewEntry>,
}

impl Squash<'_> {
    fn write(mut self) -> Result<Layer> {
        // One list for each directory on the way down; paths may be deeper than a stack is.
        let mut open = vec![self.pairs(b"", true).into_iter()];
        while let Some(pairs) = open.last_mut() {
            let Some(pair) = pairs.next() else {
                open.pop();
                self.waiting.truncate(open.len().saturating_sub(1));
                continue;
            };
            self.store.go_on()?;
            match pair {
                Pair { now: None, path, .. } => self.add(&NewEntry::whiteout(path), None)?,
                Pair { now: Some(node), before, path } => {
                    if !matches!(node.entry().kind, EntryKind::Directory) {
                        self.file(&node)?;
                        continue;
                    }
                    let was_directory =
                        before.as_ref().is_some_and(|it| matches!(it.entry().kind, EntryKind::Directory));
                    self.waiting.push(node.entry().to_new(NewEntryKind::Directory));
                    if before.as_ref().map(Node::entry) != Some(node.entry()) {
                        self.flush()?;
                    }
                    open.push(self.pairs(&path, was_directory).into_iter());
                }
            }
        }
        self.writer.finish()
    }

    /// What is in a directory now, and what the layers below have in it.
    fn pairs(&self, directory: &[u8], was_directory: bool) -> Vec<Pair> {
        let mut now = self.all.children(directory).into_iter().peekable();
        let before = if was_directory { self.below.children(directory) } else { Vec::new() };
        let mut pairs = Vec::new();
        for old in before {
            while let Some(new) = now.next_if(|new| name(new) < name(&old)) {
                pairs.push(Pair { path: new.path().to_vec(), now: Some(new), before: None });
            }
            let same = now.next_if(|new| name(new) == name(&old));
            pairs.push(Pair { path: old.path().to_vec(), now: same, before: Some(old) });
        }
        pairs.extend(now.map(|new| Pair { path: new.path().to_vec(), now: Some(new), before: None }));
        pairs
    }

    /// Adds what a layer above has put there; what comes from below stays there.
    fn file(&mut self, node: &Node) -> Result<()> {
        if node.layer().is_none_or(|layer| layer < self.first_new) {
            return Ok(());
        }
        let first = node.link().and_then(|link| self.names.get(&link)).cloned();
        let kind = match (first, node.entry().kind.to_new()) {
            // Directories are elsewhere.
            (None, None | Some(NewEntryKind::Directory)) => return Ok(()),
            (Some(target), _) => NewEntryKind::HardLink { target },
            (None, Some(kind)) => kind,
        };
        if let Some(link) = node.link() {
            self.names.entry(link).or_insert_with(|| node.path().to_vec());
        }
        let entry = node.entry().to_new(kind);
        match entry.kind {
            NewEntryKind::File { .. } => {
                let mut content = self.all.open(node)?;
                self.add(&entry, Some(&mut content))
            }
            _ => self.add(&entry, None),
        }
    }

    fn add(&mut self, entry: &NewEntry, content: Option<&mut dyn Read>) -> Result<()> {
        self.flush()?;
        self.writer.add(entry, content).map(drop)
    }

    /// Adds the directories that waited for something in them.
    fn flush(&mut self) -> Result<()> {
        for directory in self.waiting.iter_mut().filter(|directory| !directory.path.is_empty()) {
            self.writer.add(directory, None)?;
            // It keeps its place among those that we are in.
            directory.path.clear();
        }
        Ok(())
    }
}

/// A path that is there now, or was there below, or both.
struct Pair {
    path: Vec<u8>,
    now: Option<Node>,
    before: Option<Node>,
}

fn name(node: &Node) -> &[u8] {
    split(node.path()).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    /// A layer from lines: `dir/`, `-gone`, `name=content`, `name>hard link`.
    fn layer(store: &Store, lines: &[&str]) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for line in lines {
            let added = if let Some(directory) = line.strip_suffix('/') {
                writer.add(&NewEntry::directory(directory, 0o755), None)
            } else if let Some(gone) = line.strip_prefix('-') {
                writer.add(&NewEntry::whiteout(gone), None)
            } else if let Some((path, target)) = line.split_once('>') {
                let kind = NewEntryKind::HardLink { target: target.into() };
                writer.add(&NewEntry::new(path.into(), kind, 0o644), None)
            } else {
                let (path, content) = line.split_once('=').unwrap();
                let entry = NewEntry::file(path, 0o644, content.len() as u64);
                writer.add(&entry, Some(&mut content.as_bytes()))
            };
            added.unwrap();
        }
        writer.finish().unwrap().diff_id().clone()
    }

    fn listing(layer: &Layer) -> String {
        let toc = layer.toc().unwrap();
        let lines = toc.entries().map(|entry| {
            let path = String::from_utf8(entry.path).unwrap();
            match entry.kind {
                EntryKind::Directory => format!("{path}/"),
                EntryKind::Whiteout => format!("-{path}"),
                EntryKind::HardLink { target } => format!("{path}>{}", String::from_utf8(target).unwrap()),
                EntryKind::File { size, .. } => format!("{path} {size}"),
                other => format!("{path} {other:?}"),
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn files(store: &Store, layers: &[DiffId]) -> Vec<u8> {
        let mut tar = Vec::new();
        store.view(layers).unwrap().export(&mut tar).unwrap();
        tar
    }

    #[test]
    fn what_came_and_went_is_in_no_layer_and_what_was_below_is_taken_away() {
        let (_folder, store) = store();
        let layers = [
            layer(
                &store,
                &["base/", "base/kept=1", "base/old=1", "base/removed=1", "gone/", "gone/x=1", "it=1"],
            ),
            layer(&store, &["base/", "-base/removed", "base/temporary=123", "-gone", "own/", "own/a=1"]),
            layer(&store, &["base/", "base/old=12", "-base/temporary", "-it", "own/", "own/b=22"]),
        ];
        let squashed = store.squash(&layers, 1).unwrap();
        insta::assert_snapshot!(listing(&squashed), @r"
        base/
        base/old 2
        -base/removed
        -gone
        -it
        own/
        own/a 1
        own/b 2
        ");
        let both = [layers[0].clone(), squashed.diff_id().clone()];
        assert!(files(&store, &both) == files(&store, &layers));
        assert_eq!(store.squash(&layers, 1).unwrap().diff_id(), squashed.diff_id());

        let whole = store.squash(&layers, 0).unwrap();
        assert!(files(&store, &[whole.diff_id().clone()]) == files(&store, &layers));
        insta::assert_snapshot!(listing(&whole), @r"
        base/
        base/kept 1
        base/old 2
        own/
        own/a 1
        own/b 2
        ");
    }

    #[test]
    fn files_and_directories_take_each_others_places() {
        let (_folder, store) = store();
        let layers = [
            layer(&store, &["a/", "a/x=1", "b=1", "c/", "c/d/", "c/d/e=1"]),
            layer(&store, &["-a", "-b", "c/", "-c/d"]),
            layer(&store, &["a=1", "b/", "b/y=1", "c/", "c/d/", "c/d/f=1"]),
        ];
        let squashed = store.squash(&layers, 1).unwrap();
        let both = [layers[0].clone(), squashed.diff_id().clone()];
        assert!(files(&store, &both) == files(&store, &layers), "{}", listing(&squashed));
    }

    #[test]
    fn names_of_one_file_stay_names_of_one_file() {
        let (_folder, store) = store();
        let layers =
            [layer(&store, &["base=1"]), layer(&store, &["a=hello", "z>a"]), layer(&store, &["d/", "d/e=1"])];
        let squashed = store.squash(&layers, 1).unwrap();
        insta::assert_snapshot!(listing(&squashed), @r"
        a 5
        d/
        d/e 1
        z>a
        ");
    }
}
