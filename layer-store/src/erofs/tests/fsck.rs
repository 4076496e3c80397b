//! The programs that come with EROFS as a third opinion. Version 1.5, of Debian 12, reads blocks of 4096 bytes only, so
//! it gets an index in such blocks: all else in it is the same. It does not look for blocks of one file on another device
//! by their number alone, so the tar stands behind the index in the same file, where these blocks are too. It extracts no
//! attributes.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Output};

use tug_testdata::Listing;

use super::{entry, file};
use crate::entry::{Entry, EntryKind};
use crate::erofs::format::BlockSize;
use crate::erofs::write_in_blocks;

const PAGES: BlockSize = BlockSize { bits: 12 };

#[test]
#[ignore = "needs root and erofs-utils"]
fn other_programs_find_nothing_wrong_and_extract_the_same_needs_root_needs_erofs() {
    let folder = tempfile::tempdir().unwrap();
    let (index, tar) = (folder.path().join("index"), folder.path().join("tar"));
    let mut data = File::create(&tar).unwrap();
    data.write_all(&[b'-'; 4096]).unwrap();
    data.write_all(&[b'a'; 8192]).unwrap();
    data.write_all(b"short").unwrap();
    data.set_len(16384).unwrap();
    let mut entries = vec![
        entry("a", EntryKind::Directory),
        entry("a/-", EntryKind::Fifo),
        entry("a/f", file(8000, 4096)),
        entry("a/g", EntryKind::HardLink { target: b"a/f".to_vec() }),
        entry("empty", file(0, 0)),
        entry("link", EntryKind::Symlink { target: b"a/f".to_vec() }),
        entry("long", EntryKind::Symlink { target: vec![b'l'; 4095] }),
        entry("many", EntryKind::Directory),
    ];
    entries.extend((0..900).map(|number| entry(format!("many/{number:04}"), EntryKind::Fifo)));
    entries.push(entry("null", EntryKind::CharDevice { major: 1, minor: 3 }));
    entries.push(Entry { uid: 70_000, ..entry("other", file(5, 12288)) });
    entries[0].xattrs.insert(b"user.note".to_vec(), b"value".to_vec());
    entries[2].xattrs.insert(b"user.note".to_vec(), b"value".to_vec());
    let toc = super::table(&entries);
    let mut image = File::create(&index).unwrap();
    write_in_blocks(&toc, &[16384], PAGES, &mut image).unwrap();
    std::io::copy(&mut File::open(&tar).unwrap(), &mut image).unwrap();

    let extracted = folder.path().join("extracted");
    let device = format!("--device={}", tar.display());
    let extract = format!("--extract={}", extracted.display());
    run(Command::new("fsck.erofs").args([&device, &extract, "--preserve"]).arg(&index));
    let listing = Listing::of_folder(&extracted);
    let shown = |path: &str| {
        let lines = listing.lines();
        lines.lines().find(|line| line.starts_with(&format!("{path} "))).unwrap_or_default().to_owned()
    };
    assert_eq!(listing.lines().lines().count(), entries.len() + 1);
    assert!(shown("a/f").starts_with("a/f file 644 0:0 8000 "), "{}", shown("a/f"));
    assert!(
        shown("other").starts_with("other file 644 70000:0 5 \"short\" @1700000000"),
        "{}",
        shown("other")
    );
    assert_eq!(shown("link"), "link link -> a/f 0:0 @1700000000");

    let output = run(Command::new("dump.erofs").args(["-s", &device]).arg(&index));
    for line in ["0xE0F5E1E2", &format!("{}", entries.len())] {
        assert!(output.contains(line), "{output}");
    }
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let output = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success(), "{command:?}: {output}");
    output
}
