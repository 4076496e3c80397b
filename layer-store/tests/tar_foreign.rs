//! Archives of GNU tar and Python in our hands, and ours in theirs.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/foreign_tar.rs"]
mod foreign_tar;
#[path = "support/tar_list.rs"]
mod tar_list;

use std::io::Read;
use std::process::{Command, Stdio};

use foreign_tar::{feed, list_of_python};
use tar_list::{list, write};
use tug_layer_store::tar::{Limits, TarReader};
use tug_layer_store::{Mtime, NewEntry, NewEntryKind};

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
    assert_eq!(std::fs::read(folder.path().join("h")).unwrap(), b"abc");
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
