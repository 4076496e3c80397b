//! What holds for every tar and every chain: the merged view is what a second, simpler reading of the image
//! specification says, and a tree is the same however it was made.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/layers.rs"]
mod layers;

use layers::Unprivileged;
use proptest::collection::vec;
use proptest::prelude::*;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{Mtime, NewEntry, NewEntryKind};
use tug_oci::DiffId;
use tug_testdata::{Detail, Listing};

/// What a tar says, in few names, so that entries meet often.
#[derive(Clone, Debug)]
enum Said {
    Directory(String, u32),
    File(String, u8),
    Symlink(String),
    Fifo(String),
    HardLink(String, String),
    Whiteout(String),
    Opaque(String),
}

fn paths() -> impl Strategy<Value = String> {
    vec("[abc]", 1..4).prop_map(|names| names.join("/"))
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => (paths(), prop_oneof![Just(0o755_u32), Just(0o700), Just(0o1777)]).prop_map(|(path, mode)| Said::Directory(path, mode)),
        4 => (paths(), any::<u8>()).prop_map(|(path, content)| Said::File(path, content)),
        1 => paths().prop_map(Said::Symlink),
        1 => paths().prop_map(Said::Fifo),
        2 => (paths(), paths()).prop_map(|(path, target)| Said::HardLink(path, target)),
        2 => paths().prop_map(Said::Whiteout),
        1 => paths().prop_map(Said::Opaque),
    ]
}

fn tar(all: &[Said]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    let mtime = Mtime::from_seconds(1_700_000_000);
    for said in all {
        // A removal speaks of a directory that is there: tools list it, and so does this one.
        let inside = match said {
            Said::Whiteout(path) => path.clone(),
            Said::Opaque(path) => format!("{path}/mark"),
            _ => String::new(),
        };
        for (end, _) in inside.match_indices('/') {
            writer
                .header(&NewEntry { mtime, ..NewEntry::directory(&inside.as_bytes()[..end], 0o755) })
                .unwrap();
        }
        let (path, kind, mode, content) = match said {
            Said::Directory(path, mode) => (path.clone(), NewEntryKind::Directory, *mode, String::new()),
            Said::File(path, content) => {
                let content = "x".repeat(usize::from(*content));
                (path.clone(), NewEntryKind::File { size: content.len() as u64 }, 0o644, content)
            }
            Said::Symlink(path) => {
                (path.clone(), NewEntryKind::Symlink { target: b"../a".to_vec() }, 0o777, String::new())
            }
            Said::Fifo(path) => (path.clone(), NewEntryKind::Fifo, 0o600, String::new()),
            Said::HardLink(path, target) => {
                let target = target.clone().into_bytes();
                (path.clone(), NewEntryKind::HardLink { target }, 0o644, String::new())
            }
            Said::Whiteout(path) => (path.clone(), NewEntryKind::Whiteout, 0, String::new()),
            Said::Opaque(path) => {
                (format!("{path}/.wh..wh..opq"), NewEntryKind::File { size: 0 }, 0, String::new())
            }
        };
        writer.header(&NewEntry { mtime, ..NewEntry::new(path.into_bytes(), kind, mode) }).unwrap();
        writer.content(content.as_bytes()).unwrap();
        writer.pad().unwrap();
    }
    writer.finish().unwrap()
}

/// Whether a link comes before the file that it is a name of. It is a link for us, whatever the layers below have; for
/// the other reading it is one to a file of theirs.
fn has_a_link_before_its_file(all: &[Said]) -> bool {
    let makes = |said: &Said, wanted: &str| match said {
        Said::File(path, _) | Said::Symlink(path) | Said::Fifo(path) | Said::HardLink(path, _) => {
            path == wanted
        }
        Said::Directory(..) | Said::Whiteout(_) | Said::Opaque(_) => false,
    };
    all.iter().enumerate().any(|(at, said)| match said {
        Said::HardLink(_, target) => {
            let made = |all: &[Said]| all.iter().any(|said| makes(said, target));
            !made(&all[..at]) && made(&all[at..])
        }
        _ => false,
    })
}

/// Directories that no layer lists are there for us, and not for the other reading: they are left out.
fn without_directories(listing: &Listing) -> String {
    listing
        .lines()
        .lines()
        .filter(|line| !line.contains(" dir "))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_shows_what_the_specification_says(chain in vec(vec(said(), 0..12), 1..4)) {
        let ground = Unprivileged::new();
        let mut layers: Vec<DiffId> = Vec::new();
        let mut expected = Listing::default();
        for all in &chain {
            let bytes = tar(all);
            // A link to nothing is refused by both, one to what comes later only by the other reading.
            let Ok(layer) = ground.import(&bytes) else { continue };
            prop_assume!(!has_a_link_before_its_file(all));
            let mut with = expected.clone();
            prop_assume!(with.apply_layer(bytes.as_slice()).is_ok());
            expected = with;
            let (at_once, later) = ground.trees(layer.diff_id());
            prop_assert_eq!(at_once, later);
            layers.push(layer.diff_id().clone());
        }
        let mut exported = Vec::new();
        ground.store.view(&layers).unwrap().export(&mut exported).unwrap();
        let shown = Listing::of_tar(exported.as_slice());
        let (shown, expected) = (shown.without(Detail::HardLinks), expected.without(Detail::HardLinks));
        prop_assert_eq!(without_directories(&shown), without_directories(&expected));
    }
}
