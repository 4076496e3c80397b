//! Files of an upper directory that have several names.
//!
//! `ln old new` copies `old` up unchanged and adds `new`. If only the new name became an entry, the layer would have a
//! file of its own there, and the two names would be two files from then on. So a file whose names are as below, and
//! were one file there as well, is left out; of any other, all names are entries.

use std::collections::HashMap;
use std::io;

use super::compare::Below;
use super::facts::{Facts, Kind};
use super::walk::names_in;
use crate::entry::join;
use crate::folder::Folder;
use crate::store::StoreOptions;

/// What is known about files with several names.
#[derive(Default)]
pub(super) struct Links {
    /// The first name that became an entry, by inode.
    first_names: HashMap<u64, Vec<u8>>,
    /// All names, by inode, once somebody asked.
    groups: Option<HashMap<u64, Vec<Vec<u8>>>>,
}

impl Links {
    /// The entry that a further name links to.
    pub(super) fn first_name(&self, facts: &Facts) -> Option<&Vec<u8>> {
        self.first_names.get(&facts.inode).filter(|_| facts.link_count > 1)
    }

    pub(super) fn has_become_entry(&mut self, facts: &Facts, path: &[u8]) {
        if facts.link_count > 1 {
            self.first_names.entry(facts.inode).or_insert_with(|| path.to_vec());
        }
    }

    /// Whether all names of a file are as below, and are one file there.
    pub(super) fn are_as_below(
        &mut self,
        facts: &Facts,
        upper: &Folder,
        below: &Below<'_>,
        options: &StoreOptions,
    ) -> io::Result<bool> {
        if self.first_names.contains_key(&facts.inode) {
            return Ok(false);
        }
        let groups = match &mut self.groups {
            Some(groups) => groups,
            None => self.groups.insert(scan(upper, options)?),
        };
        let mut one = None;
        for path in groups.get(&facts.inode).map_or(&[][..], Vec::as_slice) {
            match below.same(facts, below.view.merged().find(path).as_ref())? {
                Some(position) if one.is_none_or(|one| one == position) => one = Some(position),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Finds all files with several names. This walks the whole upper directory a second time, so it is done only when an
/// unchanged file has several.
fn scan(upper: &Folder, options: &StoreOptions) -> io::Result<HashMap<u64, Vec<Vec<u8>>>> {
    let mut groups: HashMap<u64, Vec<Vec<u8>>> = HashMap::new();
    let mut folder = Folder::new(upper.open_directory(b"")?);
    let mut pending = vec![Vec::new()];
    while let Some(directory) = pending.pop() {
        let entered = folder.enter(&directory)?;
        for name in names_in(entered)? {
            let path = join(&directory, &name);
            let facts = Facts::read(entered, &name, options)?;
            match facts.kind {
                Kind::Directory => pending.push(path),
                Kind::Thing(_) if facts.link_count > 1 => groups.entry(facts.inode).or_default().push(path),
                _ => {}
            }
        }
    }
    Ok(groups)
}
