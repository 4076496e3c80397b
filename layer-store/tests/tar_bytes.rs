//! The bytes that the tar writer writes: those of Go's `archive/tar`, as containerd and BuildKit use it.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/raw_tar.rs"]
mod raw_tar;

use raw_tar::sum;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{Mtime, NewEntry, NewEntryKind, Xattrs};
use tug_oci::Digest;

#[test]
fn a_header_is_written_as_gos_archive_tar_writes_it() {
    // The fields are those that Go 1.23 writes with FormatPAX for the same headers.
    let write = |entry: &NewEntry| {
        let mut writer = TarWriter::new(Vec::new());
        writer.header(entry).unwrap();
        writer.finish().unwrap()
    };
    let mtime = Mtime::from_seconds(1_700_000_000);
    let plain = write(&NewEntry { mtime, uid: 1, gid: 2, ..NewEntry::file("a/b", 0o644, 5) });
    let mut expected = vec![0; 512];
    let fields: [(usize, &[u8]); 9] = [
        (0, b"a/b"),
        (100, b"0000644\x000000001\x000000002\x0000000000005\x0014524770400\0"),
        (148, b"010052\x00 "),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000\x000000000\0"),
        (345, b""),
        (500, b""),
        (512, b""),
    ];
    for (at, field) in fields {
        expected[at..at + field.len()].copy_from_slice(field);
    }
    sum(&mut expected);
    let differ = plain.iter().zip(&expected).position(|(left, right)| left != right);
    assert_eq!(differ, None, "the first byte that differs");
    assert_eq!(plain.len(), 512 + 1024);

    let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
    let split = write(&NewEntry::file(long.as_bytes(), 0o644, 0));
    assert_eq!((&split[..90], &split[345..465]), ("f".repeat(90).as_bytes(), "d".repeat(120).as_bytes()));
    let unsplit = write(&NewEntry { uid: 3_000_000, ..NewEntry::file(long.as_bytes(), 0o644, 0) });
    assert!(unsplit[512..].starts_with(format!("221 path={long}\n15 uid=3000000\n").as_bytes()));
    assert_eq!(&unsplit[1024..1124], &long.as_bytes()[..100], "as much as fits");
    let odd = write(&NewEntry::directory("ü/x", 0o755));
    assert_eq!(&odd[..18], b"/x/PaxHeaders.0\0\0\0");
    assert!(odd[512..].starts_with("14 path=ü/x/\n".as_bytes()));
}

/// The layer was made by containerd 1.6.20 from an overlay snapshot. It stamps removals with the time of day; since
/// version 2 it writes 0, and so it does here.
#[test]
fn a_layer_has_the_same_digest_as_containerds() {
    let (n, d, x) = ("n".repeat(120), "d".repeat(90), "x".repeat(60));
    let capable = |mask: [u8; 2]| {
        let value = [&[1, 0, 0, 2][..], &mask, &[0; 14]].concat();
        Xattrs::from([(b"security.capability".to_vec(), value)])
    };
    let (fowner, net_raw) = (capable([0x0a, 0]), capable([0, 0x20]));
    let entry = |path: &str, kind: NewEntryKind, mode| {
        let mtime = Mtime::from_seconds(1_710_000_000);
        NewEntry { mtime, ..NewEntry::new(path.as_bytes().to_vec(), kind, mode) }
    };
    let directory = |path: &str, mode| (entry(path, NewEntryKind::Directory, mode), String::new());
    let file = |path: &str, content: &str| {
        (entry(path, NewEntryKind::File { size: content.len() as u64 }, 0o644), content.to_owned())
    };
    let symlink = |path: &str, target: &str| {
        (entry(path, NewEntryKind::Symlink { target: target.into() }, 0o777), String::new())
    };
    let special = |path: &str, kind| (entry(path, kind, 0o644), String::new());
    let gone = |path: &str| (NewEntry::whiteout(path), String::new());
    let with = |(entry, content): (NewEntry, String), change: &dyn Fn(NewEntry) -> NewEntry| {
        (change(entry), content)
    };
    let link = |target: &str| NewEntryKind::HardLink { target: target.into() };
    let entries = [
        with(file("biguid", "big\n"), &|entry| NewEntry { uid: 3_000_000, gid: 2_097_151, ..entry }),
        directory("bin", 0o755),
        with(file("bin/tool", "tool\n"), &|entry| NewEntry { mode: 0o4755, ..entry }),
        special("blk", NewEntryKind::BlockDevice { major: 8, minor: 1 }),
        with(file("capfile", "caps\n"), &|entry| NewEntry { xattrs: fowner.clone(), ..entry }),
        with(special("capfile2", link("capfile")), &|entry| NewEntry { xattrs: fowner.clone(), ..entry }),
        special("chr", NewEntryKind::CharDevice { major: 10, minor: 200 }),
        with(file("content", &"x".repeat(3000)), &|entry| NewEntry {
            mtime: Mtime::from_seconds(10_413_792_000),
            ..entry
        }),
        directory("d", 0o755),
        gone("d/a"),
        file("d/b", "b\n"),
        special("d/b2", link("d/b")),
        file("d/new", "new\n"),
        directory("d/sub", 0o755),
        directory("d/sub/deep", 0o755),
        file("d/sub/deep/z", "z\n"),
        directory(&d, 0o755),
        directory(&format!("{d}/{d}"), 0o755),
        with(file(&format!("{d}/{d}/capfile"), "caps\n"), &|entry| NewEntry {
            xattrs: net_raw.clone(),
            ..entry
        }),
        directory(&format!("{d}/{d}/{d}"), 0o755),
        file(&format!("{d}/{d}/{d}/{x}"), "4\n"),
        file(&format!("{d}/{d}/{d}/ü"), "5\n"),
        file(&format!("{d}/{d}/short"), "1\n"),
        file(&format!("{d}/{n}"), "3\n"),
        special("dev", NewEntryKind::CharDevice { major: 1, minor: 3 }),
        directory("e", 0o2755),
        file("f", "f\n"),
        with(file("g", "g\n"), &|entry| NewEntry { uid: 33, gid: 34, ..entry }),
        gone("gone"),
        directory("hl", 0o755),
        file("hl/a", "linked\n"),
        file("hl/b", "linked\n"),
        symlink("ln", "f"),
        symlink("lnk", "target"),
        symlink("longlink", &format!("{n}{n}")),
        directory("newdir", 0o1777),
        file(&n, "2\n"),
        with(file("old", "old\n"), &|entry| NewEntry { mtime: Mtime::from_seconds(-5), ..entry }),
        special("p2", NewEntryKind::Fifo),
        special("pipe", NewEntryKind::Fifo),
        symlink("ulink", "ü"),
        file("ünï", "5\n"),
    ];
    let mut writer = TarWriter::new(Vec::new());
    for (entry, content) in &entries {
        writer.header(entry).unwrap();
        writer.content(content.as_bytes()).unwrap();
        writer.pad().unwrap();
    }
    let digest = Digest::of(&writer.finish().unwrap());
    assert_eq!(digest.to_string(), "sha256:7c98982627d63d7451be946ed2e86fe70545370fd7249970796e404d9d898021");
}
