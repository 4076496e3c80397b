//! Steps that do anything in any order: whatever it was, the layers show what was left.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[allow(dead_code, reason = "the helpers are shared with other tests")]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};
use support::layers::entries;
use support::{Ground, Ids, for_one_id, lines, tree_lines};
use tug_layer_store::CommitOptions;
use tug_testdata::Detail;
use tug_testdata::place::Place;

const CHAINS: u64 = 30;
const STEPS: u64 = 5;
const ACTIONS: u64 = 20;

#[test]
#[ignore = "needs root"]
fn layers_show_what_random_steps_left_needs_root() {
    run_chains();
}

#[test]
#[ignore = "needs root"]
fn layers_over_indexes_show_what_random_steps_left_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    run_chains_on(&Ground::with_indexes(folder.path()));
}

#[test]
#[ignore = "needs the test users"]
fn layers_show_what_random_steps_left_with_many_ids_needs_users() {
    in_namespace(Place::NamespaceWithManyIds, "layers_show_what_random_steps_left_with_many_ids_needs_users");
}

#[test]
#[ignore = "needs the test users"]
fn layers_show_what_random_steps_left_with_one_id_needs_users() {
    in_namespace(Place::NamespaceWithOneId, "layers_show_what_random_steps_left_with_one_id_needs_users");
}

fn in_namespace(place: Place, test: &str) {
    match Ids::here() {
        Ids::All => assert!(place.rerun_test(test).success()),
        _ => run_chains(),
    }
}

fn run_chains() {
    let folder = tempfile::tempdir().unwrap();
    run_chains_on(&Ground::new(folder.path(), Ids::here()));
}

fn run_chains_on(ground: &Ground) {
    for seed in 1..=CHAINS {
        let mut layers = Vec::new();
        for step in 0..STEPS {
            let name = format!("chain {seed}, step {step}");
            let stepped = ground.step(&layers, &CommitOptions::default(), &|root| {
                let mut numbers = Numbers(seed * 1000 + step);
                for _ in 0..numbers.below(ACTIONS) {
                    act(root, &mut numbers);
                }
            });
            // Links of copies that say nothing new come together again, so they are compared from here on only.
            let left = stepped.left.without(Detail::HardLinks);
            let mut mounted = ground.mounted(&stepped.layers);
            let shown = entries(&stepped.layer).join("\n");
            assert_eq!(
                lines(&left),
                lines(&mounted.clone().without(Detail::HardLinks)),
                "{name}, mounted:\n{shown}"
            );
            let mut laid_over = ground.laid_over(&stepped.layers);
            if ground.ids == Ids::One {
                (mounted, laid_over) = (for_one_id(mounted), for_one_id(laid_over));
            }
            assert_eq!(lines(&mounted), lines(&laid_over), "{name}, laid over:\n{shown}");
            let (ours, theirs) = ground.trees(stepped.layer.diff_id());
            assert_eq!(tree_lines(&ours), tree_lines(&theirs), "{name}, trees:\n{shown}");
            layers = stepped.layers;
        }
    }
}

/// Does something to few names. Much of it fails, as it does in the hands of programs.
fn act(root: &Path, numbers: &mut Numbers) {
    let (one, two) = (root.join(path(numbers)), root.join(path(numbers)));
    let _ = match numbers.below(16) {
        // A pipe would wait for somebody who reads.
        0..=2 if one.is_file() || !one.exists() => fs::write(&one, "x".repeat(numbers.below(5) as usize)),
        3 | 4 => fs::create_dir(&one),
        5 => fs::remove_file(&one),
        6 => fs::remove_dir_all(&one),
        7 | 8 => fs::rename(&one, &two),
        9 => rustix::fs::linkat(CWD, &one, CWD, &two, AtFlags::empty()).map_err(Into::into),
        10 => symlink("a", &one),
        11 if !one.is_symlink() => fs::set_permissions(
            &one,
            fs::Permissions::from_mode([0o600, 0o644, 0o755, 0o4711][numbers.below(4) as usize]),
        ),
        12 => {
            let time = Timespec { tv_sec: numbers.below(3) as i64, tv_nsec: numbers.below(2) as i64 };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, &one, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(Into::into)
        }
        13 => {
            rustix::fs::mknodat(CWD, &one, FileType::Fifo, Mode::from_raw_mode(0o644), 0).map_err(Into::into)
        }
        14 if one.is_file() => fs::File::options().append(true).open(&one).map(drop),
        15 if one.is_dir() && !one.is_symlink() => {
            fs::remove_dir_all(&one).and_then(|()| fs::create_dir(&one))
        }
        _ => Ok(()),
    };
}

fn path(numbers: &mut Numbers) -> String {
    let names = (0..=numbers.below(3)).map(|_| ["a", "b", "c"][numbers.below(3) as usize]);
    names.collect::<Vec<_>>().join("/")
}

/// The same numbers for the same seed (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 32)) % limit
    }
}
