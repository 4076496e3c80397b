//! Decides where a test finds a root file system to start from: in the folder that `./test` has filled, which
//! the variable [`FOLDER_VARIABLE`] names, or else in `target/test-bases` of this workspace.

use std::env;
use std::path::{Path, PathBuf};

/// Names the folder with the bases.
pub const FOLDER_VARIABLE: &str = "TUG_TEST_BASES";

/// A tar with a static shell, a few users, and little else: 3 MB.
pub fn busybox() -> PathBuf {
    base("busybox.tar")
}

/// A tar with a minimal Debian in which package managers work wherever they work on this machine.
pub fn debian() -> PathBuf {
    base("debian.tar")
}

fn base(name: &str) -> PathBuf {
    let folder = env::var_os(FOLDER_VARIABLE)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-bases"), PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "`{}` is not there: run `testdata/make-bases {}`",
        path.display(),
        folder.display()
    );
    path
}
