//! What the tar reader takes and what it refuses, held against GNU tar and Python.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/foreign_tar.rs"]
mod foreign_tar;
#[path = "support/raw_tar.rs"]
mod raw_tar;
#[path = "support/tar_list.rs"]
mod tar_list;

use foreign_tar::{list_of_python, names_of_gnu_tar};
use raw_tar::{Raw, archive};
use tar_list::list;
use tug_layer_store::tar::{Limits, TarError, TarReader};

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
