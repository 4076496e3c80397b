//! Decides how a test gets a file system of a certain kind: made in a file, mounted through a loop device, gone
//! with the value. Needs root.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Extents, no reflinks; the usual one.
    Ext4,
    /// Reflinks; no 16-bit limits on links.
    Xfs,
    /// Reflinks, odd sizes of directories, inode numbers per subvolume.
    Btrfs,
    /// In memory; no file behind it.
    Tmpfs,
}

/// A mounted file system.
#[derive(Debug)]
pub struct LoopFileSystem {
    folder: TempDir,
}

impl LoopFileSystem {
    /// Makes and mounts one of `megabytes` (xfs wants 300 at least, btrfs 110).
    pub fn new(kind: Kind, megabytes: u64) -> Self {
        let folder =
            tempfile::Builder::new().prefix("tug-fs-").tempdir().expect("a temporary folder can be made");
        let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
        std::fs::create_dir(&mounted).expect("the folder is new");
        let mount = |arguments: &[&str], what: &Path| {
            run(Command::new("mount").args(arguments).arg(what).arg(&mounted));
        };
        let maker: &[&str] = match kind {
            Kind::Tmpfs => {
                mount(&["-t", "tmpfs", "-o", &format!("size={megabytes}m")], Path::new("tmpfs"));
                return Self { folder };
            }
            Kind::Ext4 => &["mkfs.ext4", "-q", "-F"],
            Kind::Xfs => &["mkfs.xfs", "-q", "-f"],
            Kind::Btrfs => &["mkfs.btrfs", "-q", "-f"],
        };
        let file = File::create(&image).expect("the folder is new");
        file.set_len(megabytes << 20).expect("a file may have holes");
        run(Command::new(maker[0]).args(&maker[1..]).arg(&image));
        mount(&["-o", "loop"], &image);
        Self { folder }
    }

    /// Its root.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for LoopFileSystem {
    fn drop(&mut self) {
        // Lazily: a test that failed may have left something open in there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).stderr(Stdio::null()).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
