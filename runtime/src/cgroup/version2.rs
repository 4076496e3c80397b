//! Version 2: one group for all limits, where the host lets us make one that has the controllers.

use std::path::{Path, PathBuf};

use super::find::Hierarchy;
use super::limits::Limit;
use super::{make_directory, name, write, write_all};

/// Sets a limit on the group among `made`, which is made if it is not there yet.
pub(super) fn make(hierarchy: &Hierarchy, limit: &Limit, made: &[PathBuf]) -> Result<PathBuf, String> {
    let directory = match made.iter().find(|directory| directory.starts_with(&hierarchy.mount)) {
        Some(directory) => directory.clone(),
        None => place(hierarchy)?,
    };
    if hierarchy.chosen {
        for above in hierarchy.way().into_iter().filter_map(Path::parent) {
            if !hands_on(above, limit.controller) {
                hand_on(above, limit.controller)?;
            }
        }
    }
    let above = directory.parent().unwrap_or(&hierarchy.mount);
    if !hands_on(above, limit.controller) {
        hand_on(above, limit.controller)?;
    }
    write_all(&directory, &limit.version2)?;
    Ok(directory)
}

fn place(hierarchy: &Hierarchy) -> Result<PathBuf, String> {
    let Hierarchy { mount, own, chosen, .. } = hierarchy;
    if *chosen {
        for group in hierarchy.way() {
            make_directory(group)?;
        }
        let below = own.join(name());
        make_directory(&below)?;
        return Ok(below);
    }
    let is_real_root = own == mount && !own.join("cgroup.type").exists();
    let beside = own.parent().filter(|_| own != mount).map(|above| above.join(name()));
    if !is_real_root
        && let Some(beside) = beside
        && make_directory(&beside).is_ok()
    {
        return Ok(beside);
    }
    if !is_real_root {
        leave_for_a_leaf(own)?;
    }
    let below = own.join(name());
    make_directory(&below)?;
    Ok(below)
}

/// Moves us into a group below our own, so that our own can hand controllers on.
fn leave_for_a_leaf(own: &Path) -> Result<(), String> {
    let me = std::process::id().to_string();
    let members = std::fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
    if members.split_whitespace().any(|member| member != me) {
        return Err(format!("other processes are in our control group `{}`", own.display()));
    }
    let leaf = own.join("tug-self");
    make_directory(&leaf)?;
    write(&leaf.join("cgroup.procs"), &me)
}

fn hands_on(directory: &Path, controller: &str) -> bool {
    std::fs::read_to_string(directory.join("cgroup.subtree_control"))
        .is_ok_and(|text| text.split_whitespace().any(|known| known == controller))
}

fn hand_on(directory: &Path, controller: &str) -> Result<(), String> {
    write(&directory.join("cgroup.subtree_control"), &format!("+{controller}"))
}

#[cfg(test)]
mod tests {
    use super::super::limits::limits;
    use super::*;
    use crate::Resources;

    /// A directory that looks like a tree of version 2 but for what the kernel would do.
    fn tree(own: &str, handed_on: &str, members: &str) -> (tempfile::TempDir, Hierarchy) {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join(own);
        std::fs::create_dir_all(&own).unwrap();
        for directory in own.ancestors().take_while(|directory| directory.starts_with(root.path())) {
            std::fs::write(directory.join("cgroup.subtree_control"), handed_on).unwrap();
            std::fs::write(directory.join("cgroup.procs"), members).unwrap();
            if directory != root.path() {
                std::fs::write(directory.join("cgroup.type"), "domain\n").unwrap();
            }
        }
        let mounts = format!("30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", root.path().display());
        let group = own.strip_prefix(root.path()).unwrap().display().to_string();
        let found = super::super::find::parse(&mounts, &format!("0::/{group}\n"));
        (root, found.version2.unwrap())
    }

    fn memory() -> Limit {
        limits(&Resources { memory: Some(1 << 20), ..Resources::default() }).remove(0)
    }

    #[test]
    fn the_group_is_made_beside_ours_where_the_one_above_hands_the_controller_on() {
        let (_root, hierarchy) = tree("user/session", "memory pids", "");
        let directory = place(&hierarchy).unwrap();
        assert_eq!(directory.parent(), hierarchy.own.parent());
        assert!(hands_on(directory.parent().unwrap(), memory().controller));
    }

    #[test]
    fn below_the_root_of_a_namespace_we_leave_for_a_leaf_only_if_we_are_alone() {
        let me = std::process::id();
        let (_root, hierarchy) = tree("", "", &format!("{me}\n"));
        std::fs::write(hierarchy.own.join("cgroup.type"), "domain\n").unwrap();
        std::fs::create_dir(hierarchy.own.join("tug-self")).unwrap();
        std::fs::write(hierarchy.own.join("tug-self/cgroup.procs"), "").unwrap();
        assert_eq!(place(&hierarchy).unwrap().parent(), Some(hierarchy.own.as_path()));
        assert_eq!(
            std::fs::read_to_string(hierarchy.own.join("tug-self/cgroup.procs")).unwrap(),
            me.to_string()
        );

        std::fs::write(hierarchy.own.join("cgroup.procs"), format!("{me}\n1\n")).unwrap();
        assert!(place(&hierarchy).unwrap_err().contains("other processes"));
    }

    #[test]
    fn a_limit_that_cannot_be_written_says_which_file() {
        let (_root, hierarchy) = tree("user/session", "memory", "");
        let reason = make(&hierarchy, &memory(), &[]).unwrap_err();
        assert!(reason.contains("memory.max"), "{reason}");
    }
}
