//! What steps do to files, and the layers that come of it: each case runs in a real overlay, over the same three
//! layers, with all ids, with a range of them and with one, on several file systems.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[allow(dead_code, reason = "the helpers are shared with other tests")]
mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use support::layers::entries;
use support::{Ground, Ids, for_one_id, lines, tree_lines};
use tug_layer_store::{CommitOptions, LayerWriterOptions, Mtime, NewEntry, NewEntryKind, Xattrs};
use tug_oci::DiffId;
use tug_testdata::loop_file_system::{Kind, LoopFileSystem};
use tug_testdata::place::Place;
use tug_testdata::{Detail, Listing};

/// What a step does, and the entries of the layer that comes of it.
struct Case {
    name: &'static str,
    step: fn(&Path),
    expected: &'static [&'static str],
    /// What the comparison leaves out, because layers leave it out on purpose.
    without: &'static [Detail],
}

const fn case(name: &'static str, step: fn(&Path), expected: &'static [&'static str]) -> Case {
    Case { name, step, expected, without: &[] }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("nothing", |_| {}, &[]),
    case("remove a file", |root| rm(root, "d/a"), &["d/", "-d/a"]),
    case("remove a directory", |root| rm_r(root, "d"), &["-d"]),
    case("remove a file that only a layer below has", |root| rm(root, "d/low"), &["d/", "-d/low"]),
    case("remove and make a directory again", |root| { rm_r(root, "d"); fs::create_dir(root.join("d")).unwrap(); },
        &["d/", "-d/a", "-d/b", "-d/low", "-d/sub"]),
    case("remove and make a directory and one in it again",
        |root| { rm_r(root, "d"); fs::create_dir_all(root.join("d/sub/deep")).unwrap(); write(root, "d/sub/y", "y"); },
        &["d/", "-d/a", "-d/b", "-d/low", "d/sub/", "d/sub/deep/", "-d/sub/deep/z", "-d/sub/x", "d/sub/y"]),
    case("remove a directory and make a file of that name", |root| { rm_r(root, "d"); write(root, "d", "file"); }, &["d"]),
    case("remove a file and make a directory of that name",
        |root| { rm(root, "f"); fs::create_dir(root.join("f")).unwrap(); write(root, "f/in", "in"); }, &["f/", "f/in"]),
    case("remove a directory and make a link of that name", |root| { rm_r(root, "d"); symlink("e", root.join("d")).unwrap(); }, &["d -> e"]),
    case("move a file", |root| mv(root, "f", "moved"), &["-f", "moved"]),
    case("move a file into another directory", |root| mv(root, "f", "e/f"), &["e/", "e/f", "-f"]),
    case("move a file and move it back", |root| { mv(root, "f", "moved"); mv(root, "moved", "f"); }, &[]),
    case("replace a file by moving another over it", |root| mv(root, "g", "f"), &["f", "-g"]),
    case("move a new directory", |root| { fs::create_dir(root.join("n")).unwrap(); write(root, "n/f", "f"); mv(root, "n", "e/m"); },
        &["e/", "e/m/", "e/m/f"]),
    case("move a new directory over an empty one of a layer", |root| { fs::create_dir(root.join("n")).unwrap(); write(root, "n/f", "f"); mv(root, "n", "e"); },
        &["e/", "e/f"]),
    case("change the mode", |root| chmod(root, "f", 0o600), &["f"]),
    case("change the mode to the same", |root| { chmod(root, "f", 0o600); chmod(root, "f", 0o644); }, &[]),
    case("change the mode of a directory", |root| chmod(root, "d", 0o700), &["d/"]),
    case("change the mode of a directory to the same", |root| { chmod(root, "d", 0o700); chmod(root, "d", 0o755); }, &[]),
    case("change the owner", |root| chown(root, "f", 33, 34), &["f"]),
    case("change the owner of a directory", |root| chown(root, "d", 33, 34), &["d/"]),
    case("change the owner to the same", |root| { chown(root, "f", 33, 34); chown(root, "f", 0, 0); }, &[]),
    case("change the time", |root| utime(root, "f", 12345, 0), &["f"]),
    case("change the time to the same", |root| { utime(root, "f", 12345, 0); utime(root, "f", BUILT, 0); }, &[]),
    case("change the time of a directory", |root| utime(root, "e", 12345, 0), &["e/"]),
    case("open for writing and write nothing", |root| drop(support::open_to_write(&root.join("f"))), &[]),
    case("open for appending and write nothing", |root| drop(fs::File::options().append(true).open(root.join("f")).unwrap()), &[]),
    case("write the same again, and set the time back", |root| { write(root, "f", "f of the base"); utime(root, "f", BUILT, 0); }, &[]),
    case("write as many other bytes, and set the time back", |root| { write(root, "f", "F OF THE BASE"); utime(root, "f", BUILT, 0); }, &["f"]),
    case("write", |root| write(root, "f", "new"), &["f"]),
    case("empty a file", |root| write(root, "f", ""), &["f"]),
    case("write a file of a deep directory", |root| write(root, "d/sub/deep/z", "new"), &["d/", "d/sub/", "d/sub/deep/", "d/sub/deep/z"]),
    case("write through one of two hard links", |root| write(root, "hl/a", "new"), &["hl/", "hl/a"]),
    case("link a file of a layer", |root| link(root, "f", "z"), &["f", "z = f"]),
    case("link a file of a layer to a name before it", |root| link(root, "f", "a"), &["a", "f = a"]),
    case("link a file and remove the first name", |root| { link(root, "f", "z"); rm(root, "f"); }, &["-f", "z"]),
    case("link a linked file of a layer", |root| link(root, "hl/b", "hl/c"), &["hl/", "hl/b", "hl/c = hl/b"]),
    case("make a pair of hard links", |root| { write(root, "n1", "x"); link(root, "n1", "n2"); link(root, "n1", "d/n3"); },
        &["d/", "d/n3", "n1 = d/n3", "n2 = d/n3"]),
    case("link two files that were the same in all but that", |root| { rm(root, "same2"); link(root, "same1", "same2"); }, &["same1", "same2 = same1"]),
    case("make a hard link to a link and a pipe", |root| { symlink("f", root.join("l1")).unwrap(); link(root, "l1", "l2"); fifo(root, "p1"); link(root, "p1", "p2"); },
        &["l1 -> f", "l2 = l1", "p1 p", "p2 = p1"]),
    case("make a pipe", |root| fifo(root, "pipe2"), &["pipe2 p"]),
    case("change the mode of a pipe", |root| chmod(root, "pipe", 0o600), &["pipe p"]),
    case("replace a pipe by one like it", |root| { rm(root, "pipe"); fifo(root, "pipe"); chmod(root, "pipe", 0o644); utime(root, "pipe", BUILT, 0); }, &[]),
    case("replace a link by another", |root| { rm(root, "ln"); symlink("g", root.join("ln")).unwrap(); }, &["ln -> g"]),
    case("replace a link by one like it", |root| { rm(root, "ln"); symlink("f", root.join("ln")).unwrap(); utime(root, "ln", BUILT, 0); }, &[]),
    case("touch a link", |root| utime(root, "ln", 12345, 0), &["ln -> f"]),
    case("remove something made in the same step", |root| { write(root, "n", "n"); rm(root, "n"); write(root, "d/n", "n"); rm(root, "d/n"); utime(root, "d", BUILT, 0); }, &[]),
    case("make a directory and remove it again over nothing", |root| { fs::create_dir(root.join("n")).unwrap(); fs::remove_dir(root.join("n")).unwrap(); }, &[]),
    case("remove, make again, remove again", |root| { rm_r(root, "d"); fs::create_dir(root.join("d")).unwrap(); write(root, "d/n", "n"); rm_r(root, "d"); }, &["-d"]),
    case("make a removed file again as it was", |root| { rm(root, "f"); write(root, "f", "f of the base"); utime(root, "f", BUILT, 0); }, &[]),
    case("make a removed directory again as it was, with less in it",
        |root| { rm_r(root, "hl"); fs::create_dir(root.join("hl")).unwrap(); write(root, "hl/a", "linked"); utime(root, "hl/a", BUILT, 0); utime(root, "hl", BUILT, 0); },
        &["hl/", "-hl/b"]),
    case("make a file of what an upper layer removed", |root| write(root, "gone", "back"), &["gone"]),
    case("make a directory of what an upper layer removed", |root| { fs::create_dir(root.join("gone")).unwrap(); write(root, "gone/n", "n"); }, &["gone/", "gone/n"]),
    case("odd names", |root| { fs::create_dir(root.join("odd")).unwrap(); for name in ODD { write_bytes(root, &[b"odd/", *name].concat(), "x"); } },
        &["odd/", "odd/\u{1b}[2J", "odd/ ", "odd/*?[x]", "odd/-rf", "odd/a\nb", "odd/a:b,c\\d", "odd/ünï", "odd/\u{fffd}\u{fffd}\u{fffd}"]),
    case("a name of 255 bytes", |root| write(root, LONG, "x"), &[LONG]),
    case("attributes", |root| { setxattr(root, "f", "user.note", b"a\nb\0c=d"); setxattr(root, "d", "user.dir", b""); }, &["d/", "f"]),
    case("set an attribute to the same", |root| setxattr(root, "x", "user.k", b"v"), &[]),
    case("remove an attribute", |root| rustix::fs::removexattr(root.join("x"), "user.k").unwrap(), &["x"]),
    case("capabilities whose mask is a newline", |root| setxattr(root, "bin/tool", "security.capability", CAPABILITY), &["bin/", "bin/tool"]),
    case("the set-user-id bit", |root| chmod(root, "f", 0o4755), &["f"]),
    case("the sticky bit and the set-group-id bit of directories", |root| { chmod(root, "e", 0o1777); chmod(root, "d", 0o2755); }, &["d/", "e/"]),
    case("a set-user-id program of somebody else", |root| { chown(root, "f", 33, 34); chmod(root, "f", 0o4755); }, &["f"]),
    case("a directory without permissions", |root| { fs::create_dir(root.join("n")).unwrap(); write(root, "n/f", "f"); chmod(root, "n/f", 0); chmod(root, "n", 0); }, &["n/", "n/f"]),
    case("times with nanoseconds", |root| { write(root, "n", "n"); utime(root, "n", 1_600_000_000, 999_999_999); }, &["n"]),
    case("the time 0", |root| { write(root, "n", "n"); utime(root, "n", 0, 0); }, &["n"]),
    case("a time before 1970", |root| { write(root, "n", "n"); utime(root, "n", -1, 500_000_000); }, &["n"]),
    case("the mode of the root", |root| chmod(root, ".", 0o700), &[]),
    case("touch a file whose time its file system cannot hold", |root| { chmod(root, "far", 0o600); chmod(root, "far", 0o644); }, &[]),
    case("a sparse file", |root| fs::File::create(root.join("n")).unwrap().set_len(64 << 20).unwrap(), &["n"]),
    case("many files", |root| { fs::create_dir(root.join("n")).unwrap(); for n in 0..300 { write(root, &format!("n/{}", n % 10), "x"); } },
        &["n/", "n/0", "n/1", "n/2", "n/3", "n/4", "n/5", "n/6", "n/7", "n/8", "n/9"]),
];

#[rustfmt::skip]
const WITHOUT_SOCKETS: &[Case] = &[
    case("a socket", |root| drop(std::os::unix::net::UnixListener::bind(root.join("s")).unwrap()), &[]),
    case("a socket in the place of a file", |root| { rm(root, "f"); drop(std::os::unix::net::UnixListener::bind(root.join("f")).unwrap()); }, &["-f"]),
];

/// Cases in which hard links to a copy that says nothing new come together again.
#[rustfmt::skip]
const RELINKED: &[Case] = &[
    case("touch one of two hard links", |root| { chmod(root, "hl/a", 0o600); chmod(root, "hl/a", 0o644); }, &[]),
];

const ODD: &[&[u8]] =
    &[b"a:b,c\\d", b"a\nb", b" ", b"-rf", b"*?[x]", b"\x1b[2J", "ünï".as_bytes(), b"\xff\xfe\x80"];
const LONG: &str = concat!(
    "123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-",
    "123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-123456789-",
    "123456789-123456789-123456789-123456789-123456789-12345"
);
/// `cap_dac_override,cap_fowner=ep`: the mask is 0x0a, a newline.
const CAPABILITY: &[u8] = &[1, 0, 0, 2, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const BUILT: i64 = 1_700_000_000;

#[test]
#[ignore = "needs root"]
fn the_matrix_holds_on_the_disk_needs_root() {
    matrix(&std::env::temp_dir());
}

#[test]
#[ignore = "needs root"]
fn the_matrix_holds_on_tmpfs_needs_root() {
    matrix(&LoopFileSystem::new(Kind::Tmpfs, 600).path());
}

#[test]
#[ignore = "needs loop devices"]
fn the_matrix_holds_on_ext4_needs_root_needs_loopfs() {
    matrix(&LoopFileSystem::new(Kind::Ext4, 600).path());
}

#[test]
#[ignore = "needs loop devices"]
fn the_matrix_holds_on_xfs_needs_root_needs_loopfs() {
    matrix(&LoopFileSystem::new(Kind::Xfs, 600).path());
}

#[test]
#[ignore = "needs loop devices"]
fn the_matrix_holds_on_btrfs_needs_root_needs_loopfs() {
    matrix(&LoopFileSystem::new(Kind::Btrfs, 600).path());
}

#[test]
#[ignore = "needs the test users"]
fn the_matrix_holds_with_many_ids_needs_users() {
    in_namespace(Place::NamespaceWithManyIds, "the_matrix_holds_with_many_ids_needs_users");
}

#[test]
#[ignore = "needs the test users"]
fn the_matrix_holds_with_one_id_needs_users() {
    in_namespace(Place::NamespaceWithOneId, "the_matrix_holds_with_one_id_needs_users");
}

#[test]
#[ignore = "needs root"]
fn the_matrix_holds_over_indexes_needs_root() {
    let folder = place_in(&std::env::temp_dir());
    matrix_on(&Ground::with_indexes(folder.path()));
}

#[test]
#[ignore = "needs loop devices"]
fn the_matrix_holds_over_indexes_on_xfs_needs_root_needs_loopfs() {
    let disk = LoopFileSystem::new(Kind::Xfs, 600);
    let folder = place_in(&disk.path());
    matrix_on(&Ground::with_indexes(folder.path()));
}

fn in_namespace(place: Place, test: &str) {
    match Ids::here() {
        Ids::All => assert!(place.rerun_test(test).success()),
        _ => matrix(&std::env::temp_dir()),
    }
}

fn matrix(folder: &Path) {
    let folder = place_in(folder);
    matrix_on(&Ground::new(folder.path(), Ids::here()));
}

fn place_in(folder: &Path) -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tug matrix:,\\").tempdir_in(folder).unwrap()
}

fn matrix_on(ground: &Ground) {
    let base = base(ground);
    let mut failures = Vec::new();
    for case in CASES {
        check(ground, &base, case, &mut failures);
    }
    for case in WITHOUT_SOCKETS {
        check_entries(ground, &base, case, &mut failures);
    }
    for case in RELINKED {
        check(ground, &base, &Case { without: &[Detail::HardLinks], ..*case }, &mut failures);
    }
    assert!(failures.is_empty(), "{} of the cases failed:\n{}", failures.len(), failures.join("\n"));
}

fn check(ground: &Ground, base: &[DiffId], case: &Case, failures: &mut Vec<String>) {
    let options = CommitOptions::default();
    let stepped = ground.step(base, &options, &case.step);
    let mut complain = |what: &str, left: &str, right: &str| {
        if left != right {
            failures.push(format!("--- {}: {what}\n{}", case.name, difference(left, right)));
        }
    };
    complain("entries", &case.expected.join("\n"), &entries(&stepped.layer).join("\n"));

    let leave_out =
        |listing: Listing| case.without.iter().fold(listing, |listing, detail| listing.without(*detail));
    let mut left = leave_out(stepped.left);
    let mut mounted = leave_out(ground.mounted(&stepped.layers));
    let mut laid_over = leave_out(ground.laid_over(&stepped.layers));
    if ground.ids == Ids::All {
        // An index holds times that the file system of a copy cannot.
        let shown = |listing: &Listing| match ground.has_indexes() {
            true => lines(&listing.clone().without_path("far")),
            false => lines(listing),
        };
        complain("mounted", &shown(&left), &shown(&mounted));
    } else {
        // While an overlay is written to, it counts the names of a file wrongly in a user namespace.
        left = left.without(Detail::HardLinks);
        complain("mounted", &lines(&left), &lines(&mounted.clone().without(Detail::HardLinks)));
    }
    if ground.ids == Ids::One {
        (mounted, laid_over) = (for_one_id(mounted), for_one_id(laid_over));
    }
    // The tar says a time that the file system of this test may not be able to hold; a device is an empty file here.
    let without = |listing: Listing| listing.without_path("far").without_path("dev");
    complain("laid over", &lines(&without(mounted)), &lines(&without(laid_over)));
    let (ours, theirs) = ground.trees(stepped.layer.diff_id());
    complain("tree", &tree_lines(&ours), &tree_lines(&theirs));
}

fn check_entries(ground: &Ground, base: &[DiffId], case: &Case, failures: &mut Vec<String>) {
    let stepped = ground.step(base, &CommitOptions::default(), &case.step);
    let found = entries(&stepped.layer);
    if found != case.expected {
        failures.push(format!("--- {}: {found:?}", case.name));
    }
    let (ours, theirs) = ground.trees(stepped.layer.diff_id());
    let (ours, theirs) = (tree_lines(&ours), tree_lines(&theirs));
    if ours != theirs {
        failures.push(format!("--- {}: tree\n{}", case.name, difference(&ours, &theirs)));
    }
}

fn difference(left: &str, right: &str) -> String {
    let only = |here: &str, there: &str, sign: &str| {
        let there: Vec<_> = there.lines().collect();
        let lines = here.lines().filter(|line| !there.contains(line));
        lines.map(|line| format!("  {sign} {line}\n")).collect::<String>()
    };
    let found = only(left, right, "-") + &only(right, left, "+");
    if found.is_empty() { format!("  other order: {left:?} {right:?}") } else { found }
}

/// Three layers: the second changes, adds and removes, the third removes more.
fn base(ground: &Ground) -> Vec<DiffId> {
    let layer = |entries: &[(NewEntry, &str)]| {
        let mut writer = ground.store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for (entry, content) in entries {
            let mtime = if entry.mtime == Mtime::EPOCH { Mtime::from_seconds(BUILT) } else { entry.mtime };
            writer.add(&NewEntry { mtime, ..entry.clone() }, Some(&mut content.as_bytes())).unwrap();
        }
        writer.finish().unwrap().diff_id().clone()
    };
    let directory = |path: &str| (NewEntry::directory(path, 0o755), "");
    let file =
        |path: &str, content: &'static str| (NewEntry::file(path, 0o644, content.len() as u64), content);
    let other = |path: &str, kind| (NewEntry::new(path.into(), kind, 0o644), "");
    let xattrs = Xattrs::from([(b"user.k".to_vec(), b"v".to_vec())]);
    let far = Mtime::from_seconds(16_725_225_600); // the year 2500
    vec![
        layer(&[
            directory("bin"),
            (NewEntry::file("bin/tool", 0o4755, 4), "tool"),
            directory("d"),
            file("d/a", "old a"),
            file("d/low", "low"),
            directory("d/sub"),
            directory("d/sub/deep"),
            file("d/sub/deep/z", "z"),
            file("d/sub/x", "x"),
            other("dev", NewEntryKind::CharDevice { major: 1, minor: 3 }),
            directory("e"),
            file("f", "f of the base"),
            (NewEntry { mtime: far, ..file("far", "far").0 }, "far"),
            file("g", "g"),
            directory("gone"),
            file("gone/x", "x"),
            directory("hl"),
            file("hl/a", "linked"),
            other("hl/b", NewEntryKind::HardLink { target: b"hl/a".to_vec() }),
            (NewEntry::symlink("ln", "f"), ""),
            other("pipe", NewEntryKind::Fifo),
            file("same1", "same"),
            file("same2", "same"),
            (NewEntry { uid: 33, gid: 34, ..file("users", "u").0 }, "u"),
            (NewEntry { xattrs, ..file("x", "x").0 }, "x"),
        ]),
        layer(&[directory("d"), file("d/a", "a"), file("d/b", "b"), (NewEntry::whiteout("gone"), "")]),
        layer(&[directory("d"), (NewEntry::whiteout("d/c"), "")]),
    ]
}

fn write(root: &Path, path: &str, content: &str) {
    fs::write(root.join(path), content).unwrap();
}

fn write_bytes(root: &Path, path: &[u8], content: &str) {
    fs::write(root.join(std::ffi::OsStr::from_bytes(path)), content).unwrap();
}

fn rm(root: &Path, path: &str) {
    fs::remove_file(root.join(path)).unwrap();
}

fn rm_r(root: &Path, path: &str) {
    fs::remove_dir_all(root.join(path)).unwrap();
}

fn mv(root: &Path, from: &str, to: &str) {
    fs::rename(root.join(from), root.join(to)).unwrap();
}

fn link(root: &Path, from: &str, to: &str) {
    rustix::fs::linkat(CWD, root.join(from), CWD, root.join(to), AtFlags::empty()).unwrap();
}

fn chmod(root: &Path, path: &str, mode: u32) {
    fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn fifo(root: &Path, path: &str) {
    rustix::fs::mknodat(CWD, root.join(path), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// With one id, as the runtime does for a process that asks for another owner: it writes down what was asked.
fn chown(root: &Path, path: &str, uid: u32, gid: u32) {
    let path = root.join(path);
    if Ids::here() == Ids::One {
        let owner = format!("{uid}:{gid}");
        match (uid, gid) {
            (0, 0) => rustix::fs::removexattr(&path, "user.tug.owner").unwrap(),
            _ => {
                rustix::fs::setxattr(&path, "user.tug.owner", owner.as_bytes(), XattrFlags::empty()).unwrap();
            }
        }
        return;
    }
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    rustix::fs::chownat(CWD, &path, uid, gid, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn utime(root: &Path, path: &str, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, root.join(path), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn setxattr(root: &Path, path: &str, name: &str, value: &[u8]) {
    rustix::fs::setxattr(root.join(path), name, value, XattrFlags::empty()).unwrap();
}
