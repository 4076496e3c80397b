//! What another tool unpacks from our layers is what the step left.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[allow(dead_code, reason = "the helpers are shared with other tests")]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, XattrFlags};
use support::{Ground, Ids, lines};
use tug_layer_store::{CommitOptions, ImportLayer};
use tug_oci::{ImageConfig, Platform};
use tug_testdata::{Listing, bases};

#[test]
#[ignore = "needs root, umoci and a base"]
fn umoci_unpacks_what_steps_left_needs_root_needs_umoci_needs_busybox() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(folder.path(), Ids::here());
    let mut tar = fs::File::open(bases::busybox()).unwrap();
    let base = ground.store.import_layer(&mut tar, &ImportLayer::default()).unwrap();
    let mut layers = vec![base.diff_id().clone()];
    layers = ground
        .step(&layers, &CommitOptions::default(), &|root| {
            fs::create_dir_all(root.join("d/sub/deep")).unwrap();
            for path in ["d/a", "d/b", "d/sub/x", "d/sub/deep/z", "f", "g"] {
                fs::write(root.join(path), path).unwrap();
            }
            fs::hard_link(root.join("f"), root.join("f2")).unwrap();
            symlink("/d/a", root.join("link")).unwrap();
            rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
                .unwrap();
            let null = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(
                CWD,
                root.join("null"),
                FileType::CharacterDevice,
                Mode::from_raw_mode(0o666),
                null,
            )
            .unwrap();
        })
        .layers;
    let last = ground.step(&layers, &CommitOptions::default(), &|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/sub")).unwrap();
        fs::write(root.join("d/sub/new"), "n".repeat(1000)).unwrap();
        fs::remove_file(root.join("g")).unwrap();
        fs::create_dir(root.join("g")).unwrap();
        fs::hard_link(root.join("f2"), root.join("f3")).unwrap();
        fs::set_permissions(
            root.join("link").parent().unwrap().join("pipe"),
            fs::Permissions::from_mode(0o640),
        )
        .unwrap();
        rustix::fs::chownat(
            CWD,
            root.join("null"),
            Some(Uid::from_raw(33)),
            Some(Gid::from_raw(34)),
            AtFlags::empty(),
        )
        .unwrap();
        fs::write(root.join("capable"), "x").unwrap();
        let capability = [&[1, 0, 0, 2, 0x0a, 0, 0, 0][..], &[0; 12]].concat();
        rustix::fs::setxattr(root.join("capable"), "security.capability", &capability, XattrFlags::empty())
            .unwrap();
        rustix::fs::setxattr(root.join("capable"), "user.note", b"a\nb\0c", XattrFlags::empty()).unwrap();
        fs::write(root.join("ünï ä"), "x").unwrap();
    });
    let mut config = ImageConfig::empty(Platform::host());
    config.rootfs.diff_ids = last.layers.clone();
    let image = ground.store.write_image(config, Default::default()).unwrap();
    ground.store.tag(&"steps:1".parse().unwrap(), &image.descriptor).unwrap();

    let index = fs::read_to_string(ground.store.root().join("index.json")).unwrap();
    assert!(index.contains("steps"), "{index}");
    let bundle = folder.path().join("bundle");
    let image = format!("{}:steps:1", ground.store.root().display());
    let output = Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let unpacked = Listing::of_folder(&bundle.join("rootfs"));
    assert_eq!(lines(&unpacked), lines(&last.left));
    assert_eq!(lines(&ground.mounted(&last.layers)), lines(&last.left));
}
