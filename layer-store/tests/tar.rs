//! The tar reader and writer: what they take and what they refuse, held against GNU tar and Python.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[path = "support/raw_tar.rs"]
mod raw_tar;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use raw_tar::{Raw, archive, sum};
use tug_layer_store::tar::{Limits, TarError, TarReader, TarWriter};
use tug_layer_store::{Mtime, NewEntry, NewEntryKind};

/// One line for each entry, with its content.
fn list(bytes: &[u8]) -> Result<Vec<String>, TarError> {
    let mut reader = TarReader::new(bytes, Limits::default());
    let mut lines = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(|error| match error.downcast::<TarError>() {
            Ok(error) => error,
            Err(error) => TarError::Read(error),
        })?;
        lines.push(line(&entry, &content));
    }
    reader.finish()?;
    Ok(lines)
}

fn line(entry: &NewEntry, content: &[u8]) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let path = text(&entry.path);
    match &entry.kind {
        NewEntryKind::Directory => format!("{path}/"),
        NewEntryKind::File { size } if content.len() < 40 => format!("{path} {size} {}", text(content)),
        NewEntryKind::File { size } => format!("{path} {size}"),
        NewEntryKind::Symlink { target } => format!("{path} -> {}", text(target)),
        NewEntryKind::HardLink { target } => format!("{path} = {}", text(target)),
        NewEntryKind::CharDevice { major, minor } => format!("{path} c {major}:{minor}"),
        NewEntryKind::BlockDevice { major, minor } => format!("{path} b {major}:{minor}"),
        NewEntryKind::Fifo => format!("{path} p"),
        other => format!("{path} {other:?}"),
    }
}

/// What Python makes of an archive, in the same lines; `None` when it refuses it.
fn list_of_python(bytes: &[u8]) -> Option<Vec<String>> {
    const PROGRAM: &str = r#"
import sys, tarfile
def text(s):
    out = ""
    for b in s.encode("utf-8", "surrogateescape"):
        c = chr(b)
        if c == "\n": out += "\\n"
        elif c in "\\'\"": out += "\\" + c
        elif 32 <= b < 127: out += c
        else: out += "\\x%02x" % b
    return out
def clean(s):
    return "/".join(p for p in s.split("/") if p not in ("", "."))
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|", errorlevel=2) as tar:
    for m in tar:
        name = text(clean(m.name))
        if m.isdir(): print(name + "/")
        elif m.isreg():
            content = tar.extractfile(m).read()
            print("%s %d %s" % (name, m.size, text(content.decode("utf-8", "surrogateescape"))) if len(content) < 40 else "%s %d" % (name, m.size))
        elif m.issym(): print("%s -> %s" % (name, text(m.linkname)))
        elif m.islnk(): print("%s = %s" % (name, text(clean(m.linkname))))
        elif m.ischr(): print("%s c %d:%d" % (name, m.devmajor, m.devminor))
        elif m.isblk(): print("%s b %d:%d" % (name, m.devmajor, m.devminor))
        elif m.isfifo(): print("%s p" % name)
        else: print("%s ? %r" % (name, m.type))
"#;
    let output = feed(Command::new("python3").args(["-c", PROGRAM]).env("PYTHONUTF8", "1"), bytes);
    output.map(|text| text.lines().map(str::to_owned).collect())
}

/// The names that GNU tar lists; `None` when it refuses the archive, or says that something is odd about it.
fn names_of_gnu_tar(bytes: &[u8]) -> Option<Vec<String>> {
    let output = feed(Command::new("tar").args(["-t", "-f", "-", "--quoting-style=escape"]), bytes);
    let clean =
        |name: &str| name.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
    output.map(|text| text.lines().map(clean).collect())
}

fn feed(command: &mut Command, bytes: &[u8]) -> Option<String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // A program that has seen enough closes its end.
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let is_content = output.status.success() && output.stderr.is_empty();
    is_content.then(|| String::from_utf8(output.stdout).unwrap())
}

/// Archives that every parser reads in the same way.
fn plain_cases() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let long = "n".repeat(150);
    let mut prefixed = Raw::file("name", "in");
    prefixed.prefix = b"a/prefix".to_vec();
    let mut v7 = Raw::new(b'\0', "old/");
    v7.magic = vec![0; 8];
    let mut v7_file = Raw::new(b'\0', "old/file").content("old");
    v7_file.magic = vec![0; 8];
    let mut blank = Raw::file("blank", "x");
    blank.mode = b"   644 \0".to_vec();
    blank.uid = b"     0 \0".to_vec();
    let mut large = Raw::file("large", "x");
    large.uid = b"\x80\0\0\0\0\x20\0\0".to_vec();
    let mut device = Raw::new(b'3', "null");
    device.device = (b"0000001\0".to_vec(), b"0000003\0".to_vec());
    vec![
        ("nothing", archive(&[]), &[]),
        ("files", archive(&[Raw::file("a", "1"), Raw::file("b", "")]), &["a 1 1", "b 0 "]),
        (
            "directories and links",
            archive(&[
                Raw::new(b'5', "d/"),
                Raw::new(b'2', "l").link("d/../x"),
                Raw::file("f", "x"),
                Raw::new(b'1', "h").link("f"),
            ]),
            &["d/", "l -> d/../x", "f 1 x", "h = f"],
        ),
        ("a prefix", archive(&[prefixed]), &["a/prefix/name 2 in"]),
        ("seventh edition", archive(&[v7, v7_file]), &["old/", "old/file 3 old"]),
        ("blanks around numbers", archive(&[blank]), &["blank 1 x"]),
        ("base-256", archive(&[large]), &["large 1 x"]),
        ("devices and pipes", archive(&[device, Raw::new(b'6', "pipe")]), &["null c 1:3", "pipe p"]),
        ("a long name of GNU", archive(&[Raw::gnu(b'L', "l/ong"), Raw::file("short", "x")]), &["l/ong 1 x"]),
        (
            "a long target of GNU",
            archive(&[Raw::gnu(b'K', "t/arget"), Raw::new(b'2', "l").link("short")]),
            &["l -> t/arget"],
        ),
        (
            "both",
            archive(&[Raw::gnu(b'K', "t"), Raw::gnu(b'L', "n"), Raw::new(b'2', "l").link("x")]),
            &["n -> t"],
        ),
        ("a path of PAX", archive(&[Raw::pax(&[("path", b"p/ax")]), Raw::file("short", "x")]), &["p/ax 1 x"]),
        (
            "a size of PAX",
            archive(&[
                Raw::pax(&[("size", b"3")]),
                Raw::file("f", "xyz").size("00000000000\0"),
                Raw::file("g", ""),
            ]),
            &["f 3 xyz", "g 0 "],
        ),
        (
            "a target of PAX",
            archive(&[Raw::pax(&[("linkpath", long.as_bytes())]), Raw::new(b'2', "l").link("x")]),
            Box::leak(Box::new([Box::leak(format!("l -> {long}").into_boxed_str()) as &str])),
        ),
        (
            "values with newlines",
            archive(&[
                Raw::pax(&[("SCHILY.xattr.user.x", b"1\n9 path=z\n"), ("path", b"real")]),
                Raw::file("f", "x"),
            ]),
            &["real 1 x"],
        ),
        (
            "a comment for all",
            archive(&[Raw { type_flag: b'g', ..Raw::pax(&[("comment", b"0123")]) }, Raw::file("f", "x")]),
            &["f 1 x"],
        ),
        (
            "names to be cleaned",
            archive(&[Raw::file("./a//b", "x"), Raw::new(b'5', "./c/")]),
            &["a/b 1 x", "c/"],
        ),
        (
            "more behind the end",
            [archive(&[Raw::file("a", "x")]), archive(&[Raw::file("hidden", "x")])].concat(),
            &["a 1 x"],
        ),
        ("no end mark", Raw::file("a", "x").bytes(), &["a 1 x"]),
    ]
}

#[test]
fn common_archives_are_read() {
    for (name, bytes, expected) in plain_cases() {
        assert_eq!(list(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")), expected, "{name}");
    }
}

#[test]
fn common_archives_are_read_as_python_and_gnu_tar_read_them() {
    for (name, bytes, expected) in plain_cases() {
        if let Some(python) = list_of_python(&bytes) {
            assert_eq!(python, expected, "{name}, by Python");
        }
        if let Some(names) = names_of_gnu_tar(&bytes) {
            let ours = expected.iter().map(|line| line.split(' ').next().unwrap().trim_end_matches('/'));
            assert_eq!(names, ours.collect::<Vec<_>>(), "{name}, by GNU tar");
        }
    }
}

/// Archives in which one parser finds what another does not, or which are broken.
fn refused_cases() -> Vec<(&'static str, Vec<u8>)> {
    let file = || Raw::file("f", "x");
    let hidden = Raw::file("hidden", "").bytes();
    let number = |change: fn(&mut Raw)| {
        let mut raw = Raw::file("f", "x");
        change(&mut raw);
        archive(&[raw])
    };
    let cut = |bytes: &[u8], length: usize| bytes[..length].to_vec();
    let mut damaged = archive(&[file()]);
    damaged[0] ^= 1;
    let zero = vec![0; 512];
    vec![
        ("a name with ..", archive(&[Raw::file("../f", "x")])),
        (".. in the middle", archive(&[Raw::file("a/../f", "x")])),
        (".. in PAX", archive(&[Raw::pax(&[("path", b"a/../../f")]), file()])),
        (".. in a hard link", archive(&[file(), Raw::new(b'1', "h").link("../f")])),
        ("no name", archive(&[Raw::file("", "x")])),
        ("a link in the place of the root", archive(&[Raw::new(b'2', ".").link("/etc")])),
        ("a file in the place of the root", archive(&[Raw::file("./", "x")])),
        ("a hard link to itself", archive(&[file(), Raw::new(b'1', "f").link("./f")])),
        ("a hard link to the root", archive(&[Raw::new(b'1', "h").link("/")])),
        ("a link to nothing", archive(&[Raw::new(b'2', "l")])),
        ("a name of 256 bytes", archive(&[Raw::pax(&[("path", &[b'n'; 256])]), file()])),
        ("NUL in a path of PAX", archive(&[Raw::pax(&[("path", b"a\0b")]), file()])),
        ("an empty path of PAX", archive(&[Raw::pax(&[("path", b"")]), file()])),
        ("an empty size of PAX", archive(&[Raw::pax(&[("size", b"")]), file()])),
        ("a record with a wrong length", archive(&[Raw::new(b'x', "p").content("99 path=x\n"), file()])),
        ("a record without newline", archive(&[Raw::new(b'x', "p").content("8 path=x"), file()])),
        ("two PAX headers", archive(&[Raw::pax(&[("path", b"a")]), Raw::pax(&[("path", b"b")]), file()])),
        ("two long names", archive(&[Raw::gnu(b'L', "a"), Raw::gnu(b'L', "b"), file()])),
        ("names of GNU and of PAX", archive(&[Raw::gnu(b'L', "a"), Raw::pax(&[("path", b"b")]), file()])),
        ("a size before a long name", archive(&[Raw::pax(&[("size", b"512")]), Raw::gnu(b'L', "a"), file()])),
        ("a PAX header at the end", archive(&[file(), Raw::pax(&[("path", b"a")])])),
        ("a long name at the end", archive(&[file(), Raw::gnu(b'L', "a")])),
        ("a path for all", archive(&[Raw { type_flag: b'g', ..Raw::pax(&[("path", b"a")]) }, file()])),
        ("a size for all", archive(&[Raw { type_flag: b'g', ..Raw::pax(&[("size", b"1")]) }, file()])),
        ("a long name with more behind its NUL", archive(&[Raw::new(b'L', "l").content("a\0b"), file()])),
        ("a link with content", archive(&[Raw::new(b'2', "l").link("t").content(&hidden)])),
        ("a hard link with content", archive(&[file(), Raw::new(b'1', "h").link("f").content(&hidden)])),
        ("a directory with content", archive(&[Raw::new(b'5', "d/").content(&hidden)])),
        ("a file that is a directory, with content", archive(&[Raw::file("d/", &hidden)])),
        ("a device with content", archive(&[Raw::new(b'3', "c").content(&hidden)])),
        ("an unknown kind", archive(&[Raw::new(b'Z', "z")])),
        ("a volume header", archive(&[Raw::new(b'V', "v")])),
        ("a piece of another volume", archive(&[Raw::new(b'M', "m")])),
        ("a size that is no number", number(|raw| raw.size = b"0000000x001\0".to_vec())),
        ("a negative size", number(|raw| raw.size = vec![0xff; 12])),
        ("a size beyond all numbers", number(|raw| raw.size = [&[0x80, 1][..], &[0xff; 10]].concat())),
        ("a size in which digits go on behind a blank", number(|raw| raw.size = b"0000001 001\0".to_vec())),
        ("an owner beyond 32 bits", number(|raw| raw.uid = b"\x80\0\0\x01\0\0\0\0".to_vec())),
        ("the owner that means none", number(|raw| raw.gid = b"\x80\0\0\0\xff\xff\xff\xff".to_vec())),
        ("an owner of PAX that is no number", archive(&[Raw::pax(&[("uid", b"-1")]), file()])),
        (
            "a device number beyond the kernel's",
            archive(&[Raw { device: (b"7777777\0".to_vec(), b"0\0".to_vec()), ..Raw::new(b'4', "b") }]),
        ),
        ("a wrong checksum", damaged),
        ("no tar at all", b"#!/bin/sh\n".repeat(100)),
        ("less than a block", b"x".to_vec()),
        ("cut in a header", cut(&archive(&[file()]), 100)),
        ("cut in content", cut(&archive(&[Raw::file("f", [b'x'; 600])]), 700)),
        ("cut in the zeros behind content", cut(&archive(&[file()]), 514)),
        ("cut in an extended header", cut(&archive(&[Raw::pax(&[("path", b"a")]), file()]), 600)),
        (
            "one block of zeros, then more",
            [zero.clone(), Raw::file("hidden", "x").bytes(), zero.clone(), zero].concat(),
        ),
        ("an extended header of 2 MiB", archive(&[Raw::pax(&[("comment", &vec![b'x'; 2 << 20])]), file()])),
        (
            "a sparse map that does not add up",
            archive(&[Raw::pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"0,2")]), file()]),
        ),
        (
            "a sparse map that goes back",
            archive(&[Raw::pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"5,1,0,0")]), file()]),
        ),
        (
            "a sparse map for a link",
            archive(&[
                Raw::pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"0,0")]),
                Raw::new(b'2', "l").link("t"),
            ]),
        ),
        (
            "a name of a sparse file that is none",
            archive(&[Raw::pax(&[("GNU.sparse.name", b"other")]), file()]),
        ),
    ]
}

#[test]
fn archives_that_can_be_read_in_two_ways_or_not_at_all_are_refused() {
    for (name, bytes) in refused_cases() {
        let listed = list(&bytes);
        assert!(listed.is_err(), "{name}: {listed:?}");
        let error = listed.unwrap_err().to_string();
        assert!(!error.is_empty() && error.len() < 400 && !error.contains('\n'), "{name}: {error}");
    }
}

#[test]
fn what_an_archive_may_cost_is_bounded() {
    let limited = |bytes: &[u8], limits: Limits| {
        let mut reader = TarReader::new(bytes, limits);
        while let Some(_entry) = reader.next_entry()? {}
        reader.finish()
    };
    let many = archive(&vec![Raw::file("f", ""); 20]);
    let mut limits = Limits::default();
    limits.entries = 10;
    assert!(matches!(limited(&many, limits.clone()), Err(TarError::Limit { limit: 10, .. })));
    let mut limits = Limits::default();
    limits.plain_size = 4096;
    assert!(matches!(limited(&many, limits), Err(TarError::Limit { limit: 4096, .. })));
    let mut limits = Limits::default();
    limits.content_size = 1 << 30;
    let hole = archive(&[
        Raw::pax(&[("GNU.sparse.size", b"99999999999"), ("GNU.sparse.map", b"")]),
        Raw::file("f", ""),
    ]);
    assert!(matches!(limited(&hole, limits), Err(TarError::Limit { .. })));
    let mut limits = Limits::default();
    limits.path = 100;
    let deep = archive(&[Raw::pax(&[("path", "a/".repeat(100).as_bytes())]), Raw::new(b'5', "d/")]);
    assert!(matches!(limited(&deep, limits), Err(TarError::Name { .. })));
}

#[test]
fn sparse_files_of_every_kind_are_read_with_their_holes() {
    let folder = tempfile::tempdir().unwrap();
    let mut content = vec![0; 3 << 20];
    for at in (0..24).map(|piece| piece * (100 << 10)) {
        content[at..at + 4096].fill(b'x');
    }
    std::fs::write(folder.path().join("dense"), &content).unwrap();
    let sparse = std::fs::File::create(folder.path().join("sparse")).unwrap();
    for at in (0..24).map(|piece| piece * (100 << 10)) {
        use std::os::unix::fs::FileExt;
        sparse.write_all_at(&content[at..at + 4096], at as u64).unwrap();
    }
    sparse.set_len(content.len() as u64).unwrap();
    std::fs::File::create(folder.path().join("hole")).unwrap().set_len(5 << 20).unwrap();
    for kind in ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"] {
        let mut command = Command::new("tar");
        command.args(["-c", "--sparse"]);
        if kind.starts_with("--sparse-version") {
            command.arg("--format=posix");
        }
        let output =
            command.arg(kind).arg("-C").arg(folder.path()).args(["sparse", "hole"]).output().unwrap();
        assert!(output.status.success() && output.stdout.len() < 1 << 20, "{kind}: {output:?}");
        let mut reader = TarReader::new(output.stdout.as_slice(), Limits::default());
        for (name, expected) in [("sparse", &content), ("hole", &vec![0; 5 << 20])] {
            let entry = reader.next_entry().unwrap().unwrap();
            assert_eq!(entry.path, name.as_bytes(), "{kind}");
            assert_eq!(entry.kind, NewEntryKind::File { size: expected.len() as u64 });
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == *expected, "{kind}: {name} differs");
        }
        assert!(reader.next_entry().unwrap().is_none());
    }
}

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

fn write(entries: &[(NewEntry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    for (entry, content) in entries {
        writer.header(entry).unwrap();
        writer.content(content).unwrap();
        writer.pad().unwrap();
    }
    writer.finish().unwrap()
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

#[test]
fn archives_of_gnu_tar_and_python_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let deep = "directory-with-a-long-name/".repeat(5);
    let make = |path: &str, content: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    make("a file", "1");
    make("d/empty", "");
    make("d/.hidden", &"long".repeat(500));
    std::os::unix::fs::symlink("../a file", folder.path().join("d/link")).unwrap();
    std::fs::hard_link(folder.path().join("a file"), folder.path().join("hard")).unwrap();
    let expected = |with_long: bool| {
        let mut lines = vec!["a file 1 1".to_owned(), "d/".to_owned(), "d/.hidden 2000".to_owned()];
        lines.extend(["d/empty 0 ", "d/link -> ../a file", "hard = a file"].map(str::to_owned));
        if with_long {
            let mut above = String::new();
            for name in deep.split_terminator('/') {
                above = format!("{above}{name}/");
                lines.push(above.clone());
            }
            lines.push(format!("{deep}file 1 x"));
        }
        lines.sort();
        lines
    };
    let listed = |bytes: &[u8]| {
        let mut lines = list(bytes).unwrap();
        lines.retain(|line| line != "/");
        lines.sort();
        lines
    };
    for format in ["v7", "ustar", "oldgnu", "gnu", "posix"] {
        if format == "ustar" {
            make(&format!("{deep}file"), "x");
        }
        let bytes = output(
            Command::new("tar")
                .arg(format!("--format={format}"))
                .args(["--sort=name", "-cC"])
                .arg(folder.path())
                .arg("."),
        );
        assert_eq!(listed(&bytes), expected(format != "v7"), "{format}");
    }
    for format in ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"] {
        const PROGRAM: &str = "
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=getattr(tarfile, sys.argv[1])) as tar: tar.add(sys.argv[2], '.')
";
        let bytes = output(Command::new("python3").args(["-c", PROGRAM, format]).arg(folder.path()));
        let mut lines = listed(&bytes);
        // Python lists names in the order of the directory, so either may be the link.
        for line in &mut lines {
            *line = line.replace("a file = hard", "a file 1 1").replace("hard 1 1", "hard = a file");
        }
        assert_eq!(lines, expected(true), "{format}");
    }
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn our_archives_are_read_by_gnu_tar_and_python() {
    let entry = |path: &str, kind, mode| NewEntry::new(path.into(), kind, mode);
    let long = format!("{}/{}", "ü".repeat(80), "z".repeat(200));
    let bytes = write(&[
        (entry("d", NewEntryKind::Directory, 0o755), vec![]),
        (entry("d/f", NewEntryKind::File { size: 3 }, 0o4755), b"abc".to_vec()),
        (
            NewEntry {
                uid: 4_000_000_000,
                mtime: Mtime::from_seconds(-5),
                ..entry("h", NewEntryKind::HardLink { target: b"d/f".to_vec() }, 0o644)
            },
            vec![],
        ),
        (entry("l", NewEntryKind::Symlink { target: "x".repeat(150).into_bytes() }, 0o777), vec![]),
        (entry("null", NewEntryKind::CharDevice { major: 1, minor: 3 }, 0o666), vec![]),
        (entry("p", NewEntryKind::Fifo, 0o644), vec![]),
        (entry(&long, NewEntryKind::File { size: 1 }, 0o644), b"x".to_vec()),
    ]);
    let ours = list(&bytes).unwrap();
    assert_eq!(list_of_python(&bytes).expect("Python takes it"), ours);
    let output = feed(Command::new("tar").args(["-tf", "-", "--quoting-style=literal"]), &bytes)
        .expect("GNU tar takes it");
    assert_eq!(output.lines().count(), ours.len());
    assert!(output.lines().any(|line| line == long));
    let folder = tempfile::tempdir().unwrap();
    let mut extract = Command::new("tar");
    extract.args(["-x", "-f", "-", "--exclude=null", "-C"]).arg(folder.path());
    feed(&mut extract, &bytes).expect("GNU tar unpacks it");
    assert_eq!(std::fs::read(folder.path().join(Path::new("h"))).unwrap(), b"abc");
}
