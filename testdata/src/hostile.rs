//! Layers that want something else than to be unpacked: made by code, so that nothing dangerous lies in the repository.
//!
//! Each says what must become of it. `ATTACKS.md` beside this crate says where such attacks were found.

use crate::raw_tar::{Raw, archive};

/// What must become of a layer, wherever it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is an error that names what is wrong; nothing of it is kept.
    Refused,
    /// It is unpacked, and all that it makes is inside.
    Contained,
    /// The same, but no container can be started over it: it has something in the place of `/proc`, `/dev` or `/sys`.
    ContainedWithoutContainers,
}

/// A layer.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    /// Its plain tar.
    pub tar: Vec<u8>,
    /// What must become of it.
    pub verdict: Verdict,
}

/// All of them. `outside` is a folder of the host with a file `marker` in it, which all of them try to reach.
pub fn layers(outside: &str) -> Vec<Hostile> {
    let refused = refused(outside).into_iter().map(|(name, raw)| (name, raw, Verdict::Refused));
    let contained = contained(outside).into_iter().map(|(name, raw)| (name, raw, Verdict::Contained));
    let covered = ["dev", "proc", "sys"]
        .map(|place| (place_name(place), vec![link(place, outside)], Verdict::ContainedWithoutContainers));
    let all = refused.chain(contained).chain(covered);
    all.map(|(name, raw, verdict)| Hostile { name, tar: archive(&raw), verdict }).collect()
}

fn place_name(place: &str) -> &'static str {
    match place {
        "dev" => "a link in the place of /dev",
        "proc" => "a link in the place of /proc",
        _ => "a link in the place of /sys",
    }
}

fn link(path: &str, target: impl AsRef<[u8]>) -> Raw {
    Raw::new(b'2', path).link(target)
}

fn hard_link(path: &str, target: impl AsRef<[u8]>) -> Raw {
    Raw::new(b'1', path).link(target)
}

fn directory(path: &str) -> Raw {
    Raw { mode: b"0000755\0".to_vec(), ..Raw::new(b'5', path) }
}

fn refused(outside: &str) -> Vec<(&'static str, Vec<Raw>)> {
    let up = format!("../../../../../../../..{outside}/marker");
    let hidden = Raw::file("hidden", "x").bytes();
    vec![
        ("a name that climbs out", vec![Raw::pax(&[("path", up.as_bytes())]), Raw::file("f", "changed")]),
        ("a name that climbs out from below", vec![directory("a"), Raw::file("a/../../marker", "changed")]),
        ("a hard link that climbs out", vec![hard_link("h", "../../../etc/passwd"), Raw::file("h", "x")]),
        ("a hard link to a file of the host", vec![hard_link("h", "/etc/no-such-file-in-the-layer")]),
        ("a link in the place of the root", vec![link("./", outside), Raw::file("marker", "changed")]),
        ("a link whose name is a point", vec![link(".", outside), Raw::file("marker", "changed")]),
        ("a link whose name is a slash", vec![link("/", outside), Raw::file("marker", "changed")]),
        ("a file in the place of the root", vec![Raw::file(".", "x")]),
        ("no name at all", vec![Raw::file("", "x")]),
        ("a hard link to itself", vec![hard_link("h", "h")]),
        ("hard links to each other", vec![hard_link("a", "b"), hard_link("b", "a")]),
        ("a hard link to a directory", vec![directory("d"), hard_link("h", "d")]),
        ("the removal of the folder above", vec![Raw::file("d/.wh...", "")]),
        ("the removal of the folder itself", vec![Raw::file("d/.wh..", "")]),
        ("the removal of nothing", vec![Raw::file(".wh.", "")]),
        ("a file below a removal", vec![Raw::file(".wh.d/f", "")]),
        ("a device that means a removal", vec![Raw::new(b'3', "null")]),
        ("entries hidden in the content of a link", vec![link("l", "t").content(&hidden)]),
        ("entries hidden in the content of a folder", vec![directory("d/").content(&hidden)]),
        (
            "a size for a header between",
            vec![Raw::pax(&[("size", b"512")]), Raw::gnu(b'L', "a"), Raw::file("f", "x")],
        ),
        (
            "two names for one file",
            vec![Raw::gnu(b'L', "a"), Raw::pax(&[("path", b"b")]), Raw::file("f", "x")],
        ),
        ("a name with a NUL in it", vec![Raw::pax(&[("path", b"a\0/../../b")]), Raw::file("f", "x")]),
        ("a name of 300 bytes", vec![Raw::pax(&[("path", &[b'n'; 300])]), Raw::file("f", "x")]),
        ("a path of 100,000 bytes", vec![Raw::pax(&[("path", &b"d/".repeat(50_000))]), directory("d")]),
        ("a header of 3 MB", vec![Raw::pax(&[("comment", &vec![b'x'; 3 << 20])]), Raw::file("f", "x")]),
        ("a negative size", vec![Raw { size: vec![0xff; 12], ..Raw::file("f", "x") }]),
        (
            "a size beyond all",
            vec![Raw { size: [&[0x80, 1][..], &[0xff; 10]].concat(), ..Raw::file("f", "x") }],
        ),
        ("a size that is a lie", vec![Raw::file("f", "x").size("77777777777\0")]),
        (
            "holes of an exabyte",
            vec![
                Raw::pax(&[("GNU.sparse.size", b"1152921504606846976"), ("GNU.sparse.map", b"")]),
                Raw::file("f", ""),
            ],
        ),
        (
            "a map of holes that goes back",
            vec![
                Raw::pax(&[("GNU.sparse.size", b"10"), ("GNU.sparse.map", b"5,1,0,0")]),
                Raw::file("f", "xx"),
            ],
        ),
        ("an owner that is no number", vec![Raw::pax(&[("uid", b"-1")]), Raw::file("f", "x")]),
        ("an owner beyond all", vec![Raw::pax(&[("uid", b"4294967296")]), Raw::file("f", "x")]),
    ]
}

fn contained(outside: &str) -> Vec<(&'static str, Vec<Raw>)> {
    let marker = format!("{outside}/marker");
    let set_uid = |raw: Raw| Raw { mode: b"0004777\0".to_vec(), ..raw };
    let overlay: [(&str, &[u8]); 6] = [
        ("SCHILY.xattr.trusted.overlay.redirect", marker.as_bytes()),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.overlay.redirect", marker.as_bytes()),
        ("SCHILY.xattr.user.overlay.metacopy", b""),
        ("SCHILY.xattr.user.tug.owner", b"0:0"),
        ("SCHILY.xattr.security.selinux", b"system_u:object_r:etc_t"),
    ];
    vec![
        (
            "a name from the root on",
            vec![Raw::pax(&[("path", marker.as_bytes())]), Raw::file("f", "changed")],
        ),
        ("a file behind a link", vec![link("l", outside), Raw::file("l/marker", "changed")]),
        (
            "a folder behind a link",
            vec![link("l", outside), directory("l"), Raw::file("l/marker", "changed")],
        ),
        ("a removal behind a link", vec![link("l", outside), Raw::file("l/.wh.marker", "")]),
        ("an opaque mark behind a link", vec![link("l", outside), Raw::file("l/.wh..wh..opq", "")]),
        ("a mode for what a link leads to", vec![link("m", &marker), set_uid(hard_link("h", "m"))]),
        ("content for what a link leads to", vec![link("m", &marker), Raw::file("m", "changed")]),
        (
            "a file behind a hard link to a link",
            vec![link("l", outside), hard_link("h", "l"), Raw::file("h/marker", "changed")],
        ),
        ("a link that climbs", vec![link("c", "../../../../../../../../etc"), Raw::file("c/passwd2", "x")]),
        ("what belongs to the overlay", vec![Raw::pax(&overlay), Raw::file("f", "x"), directory("d")]),
        (
            "the disks of the host",
            vec![
                Raw { device: (b"0000010\0".to_vec(), b"0000000\0".to_vec()), ..Raw::new(b'4', "sda") },
                Raw { device: (b"0000001\0".to_vec(), b"0000001\0".to_vec()), ..Raw::new(b'3', "mem") },
                Raw::new(b'6', "pipe"),
            ],
        ),
        (
            "names that are hard to write",
            vec![Raw::file(b"new\nline", "x"), Raw::file(b"\xff\xfe\x1b[31m", "x")],
        ),
        ("a folder in a folder, 500 times", vec![Raw::pax(&[("path", &b"d/".repeat(500))]), directory("d")]),
    ]
}
