//! What holds for every archive.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/raw_tar.rs"]
mod raw_tar;
#[path = "support/tar_list.rs"]
mod tar_list;

use std::io::Read;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use raw_tar::sum;
use tar_list::{list, write};
use tug_layer_store::tar::{Limits, TarReader};
use tug_layer_store::{Mtime, NewEntry, NewEntryKind};

prop_compose! {
    fn paths()(names in vec("[a-z.ü\n]{1,12}|[x]{90,110}|[y]{200,255}", 1..5)) -> Vec<u8> {
        let names = names.into_iter().filter(|name| name != "." && name != ".." && name.len() < 256);
        let names: Vec<String> = names.collect();
        if names.is_empty() { b"path".to_vec() } else { names.join("/").into_bytes() }
    }
}

fn kinds() -> impl Strategy<Value = (NewEntryKind, Vec<u8>)> {
    prop_oneof![
        Just((NewEntryKind::Directory, vec![])),
        Just((NewEntryKind::Fifo, vec![])),
        vec(any::<u8>(), 0..2000)
            .prop_map(|content| (NewEntryKind::File { size: content.len() as u64 }, content)),
        vec(1..=255_u8, 1..300).prop_map(|target| (NewEntryKind::Symlink { target }, vec![])),
        paths().prop_map(|path| (
            NewEntryKind::HardLink { target: [b"link/", path.as_slice()].concat() },
            vec![]
        )),
        (0..4096_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| (NewEntryKind::CharDevice { major, minor }, vec![])),
        (0..4096_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| (NewEntryKind::BlockDevice { major, minor }, vec![])),
    ]
}

fn new_entries() -> impl Strategy<Value = (NewEntry, Vec<u8>)> {
    let numbers = (0..0o10000_u32, 0..u32::MAX, 0..u32::MAX, -5_000_000_000..20_000_000_000_i64);
    let xattrs = btree_map("user\\.[a-z.]{1,8}".prop_map(String::into_bytes), vec(any::<u8>(), 0..50), 0..3);
    (paths(), kinds(), numbers, xattrs).prop_map(
        |(path, (kind, content), (mode, uid, gid, seconds), xattrs)| {
            (NewEntry { path, kind, mode, uid, gid, mtime: Mtime::from_seconds(seconds), xattrs }, content)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(entries in vec(new_entries(), 0..8)) {
        let bytes = write(&entries);
        prop_assert_eq!(bytes.len() % 512, 0);
        let mut reader = TarReader::new(bytes.as_slice(), Limits::default());
        for (entry, content) in &entries {
            let next = reader.next_entry().unwrap();
            prop_assert_eq!(next.as_ref(), Some(entry));
            let offset = reader.content_offset() as usize;
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, content);
            if !content.is_empty() {
                prop_assert_eq!(&bytes[offset..][..content.len()], content.as_slice());
            }
        }
        prop_assert!(reader.next_entry().unwrap().is_none());
        prop_assert_eq!(reader.finish().unwrap(), bytes.len() as u64);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..3000)) {
        let _ = list(&bytes);
    }

    #[test]
    fn no_changed_archive_makes_the_reader_panic(
        entries in vec(new_entries(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keeps_sums: bool,
    ) {
        let mut bytes = write(&entries);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if keeps_sums {
                let block = at / 512 * 512;
                sum(&mut bytes[block..block + 512]);
            }
        }
        let _ = list(&bytes);
    }
}
