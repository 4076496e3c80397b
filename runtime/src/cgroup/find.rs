//! Which control groups there are and which of them we are in: `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::path::{Path, PathBuf};

/// A tree of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Where it is mounted.
    pub(crate) mount: PathBuf,
    /// Our own group, or the one that was chosen instead.
    pub(crate) own: PathBuf,
    /// Whether somebody chose it: then the container's group is made below it and nowhere else.
    pub(crate) chosen: bool,
    /// The controllers of version 1 that are in this tree.
    controllers: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    pub(crate) version2: Option<Hierarchy>,
    pub(crate) version1: Vec<Hierarchy>,
}

/// The host's, as this process sees them.
pub(crate) fn hierarchies() -> Hierarchies {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

impl Hierarchy {
    /// The groups from below the mount down to our own, outermost first.
    pub(super) fn way(&self) -> Vec<&Path> {
        let mut way: Vec<&Path> = self.own.ancestors().take_while(|group| *group != self.mount).collect();
        way.reverse();
        way
    }
}

impl Hierarchies {
    /// The same with the group `parent`, seen from the root of every tree, in place of our own.
    pub(crate) fn below(mut self, parent: Option<&Path>) -> Self {
        let Some(parent) = parent else { return self };
        let parent = parent.strip_prefix("/").unwrap_or(parent);
        for hierarchy in self.version2.iter_mut().chain(&mut self.version1) {
            hierarchy.own = hierarchy.mount.join(parent);
            hierarchy.chosen = true;
        }
        self
    }

    /// The tree of version 2, if it has this controller for us.
    pub(crate) fn version2_with(&self, controller: &str) -> Option<&Hierarchy> {
        self.version2.as_ref().filter(|hierarchy| {
            // A group that was chosen may not be there yet.
            let own = if hierarchy.own.exists() { &hierarchy.own } else { &hierarchy.mount };
            let offered = std::fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
            let above = hierarchy.own.parent().filter(|_| hierarchy.own != hierarchy.mount);
            let above = above.map(|above| above.join("cgroup.subtree_control"));
            let handed_on = above.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
            offered
                .split_whitespace()
                .chain(handed_on.split_whitespace())
                .any(|offered| offered == controller)
        })
    }

    /// The tree of version 1 with this controller.
    pub(crate) fn version1_with(&self, controller: &str) -> Option<&Hierarchy> {
        self.version1.iter().find(|hierarchy| hierarchy.controllers.iter().any(|known| known == controller))
    }
}

pub(super) fn parse(mountinfo: &str, groups: &str) -> Hierarchies {
    let mut found = Hierarchies::default();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        let (&[_, _, _, root, mount, ..], &[kind, _, options, ..]) = (before.as_slice(), after.as_slice())
        else {
            continue;
        };
        let hierarchy = |group: &str, controllers| Hierarchy {
            mount: PathBuf::from(mount),
            own: own_directory(mount, root, group),
            chosen: false,
            controllers,
        };
        match kind {
            "cgroup2" if found.version2.is_none() => {
                let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
                found.version2 = group.map(|group| hierarchy(group, Vec::new()));
            }
            "cgroup" => {
                let group = groups.lines().find_map(|line| {
                    let mut fields = line.splitn(3, ':');
                    let controllers = fields.nth(1)?;
                    let all_there =
                        controllers.split(',').all(|name| options.split(',').any(|option| option == name));
                    (all_there && !controllers.is_empty())
                        .then(|| (controllers, fields.next().unwrap_or("/")))
                });
                if let Some((controllers, group)) = group {
                    let controllers = controllers.split(',').map(str::to_owned).collect();
                    found.version1.push(hierarchy(group, controllers));
                }
            }
            _ => {}
        }
    }
    found
}

/// Where our group is, below a mount that may show only part of the tree.
fn own_directory(mount: &str, root: &str, group: &str) -> PathBuf {
    let group = Path::new(group);
    let below = group.strip_prefix(root).or_else(|_| group.strip_prefix("/")).unwrap_or(Path::new(""));
    // A path that leads out of the mount is of a group above it; the mount is the nearest we see.
    if below.components().any(|part| part == std::path::Component::ParentDir) {
        return PathBuf::from(mount);
    }
    let own = Path::new(mount).join(below);
    if below.as_os_str().is_empty() { PathBuf::from(mount) } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_version_2_is_found_below_its_mount() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = parse(mounts, "0::/user.slice/user-1000.slice/session-3.scope\n");
        let hierarchy = found.version2.unwrap();
        assert_eq!(hierarchy.own, Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope"));
        assert_eq!(hierarchy.mount, Path::new("/sys/fs/cgroup"));
    }

    #[test]
    fn controllers_of_version_1_are_found_by_their_options() {
        let mounts = "41 40 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      42 40 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      43 40 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
        let groups = "4:memory:/box/a\n2:cpu,cpuacct:/\n9:name=systemd:/\n0::/\n";
        let found = parse(mounts, groups);
        let own = |controller| found.version1_with(controller).map(|hierarchy| hierarchy.own.clone());
        assert_eq!(own("memory"), Some("/sys/fs/cgroup/memory/box/a".into()));
        assert_eq!(own("cpu"), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(own("pids"), None);
        assert_eq!(found.version2, None);
    }

    #[test]
    fn in_a_container_the_mount_shows_only_its_own_part() {
        assert_eq!(
            own_directory("/sys/fs/cgroup/pids", "/docker/ab", "/docker/ab"),
            Path::new("/sys/fs/cgroup/pids")
        );
        assert_eq!(own_directory("/m", "/docker/ab", "/docker/ab/c"), Path::new("/m/c"));
        assert_eq!(own_directory("/m", "/", "/../other"), Path::new("/m"));
    }
}
