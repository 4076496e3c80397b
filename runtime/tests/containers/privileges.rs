//! More and less than the usual privileges, and what a container may own and open.

use std::os::unix::fs::MetadataExt;

use tug_runtime::{BindSource, Mount, Resource, Security, Ulimit, capabilities};

use crate::support::{Place, Who, in_every_mode};

in_every_mode! {
    fn a_privileged_container_sees_and_may_all_that_we_may(place) {
        let mut container = place.script(
            "grep CapEff /proc/self/status | cut -f2; grep -c Seccomp:.*[02] /proc/self/status
             mount | grep -c ' on /proc/sys '  || true; test -w /proc/sys/kernel/hostname && echo writable",
        );
        container.security = Security::privileged();
        let answer = place.run(&container);
        let lines = answer.good();
        let lines: Vec<&str> = lines.lines().collect();
        let has = u64::from_str_radix(lines[0], 16).unwrap();
        assert!(has & capabilities::named("SYS_ADMIN").unwrap() != 0, "{answer:?}");
        assert_eq!(lines[2..], ["0", "writable"], "{answer:?}");
        let lacks = capabilities::ALL & !has;
        let warned = answer.warnings().iter().any(|warning| warning.starts_with("without CAP_"));
        assert_eq!(warned, lacks != 0, "{answer:?}");
    }
}

in_every_mode! {
    fn capabilities_are_given_and_taken_one_by_one(place) {
        let mut container = place.script("grep CapEff /proc/self/status | cut -f2");
        let admin = capabilities::named("NET_ADMIN").unwrap();
        container.security.capabilities |= admin;
        container.security.capabilities &= !capabilities::named("CHOWN").unwrap();
        let has = u64::from_str_radix(place.run(&container).good().trim(), 16).unwrap();
        assert_eq!(has, (capabilities::DOCKER | admin) & !1);
    }
}

in_every_mode! {
    fn directories_that_are_missing_are_made_and_stay(place) {
        place.write("rootfs/srv/data/there", "kept");
        let mut container = place.script("stat -c '%a %u %F' /var/lib/x /srv/data; cat /srv/data/there");
        container.directories = vec!["/var/lib/x".into(), "/srv/data".into()];
        assert_eq!(place.run(&container).good(), "755 0 directory\n755 0 directory\nkept");
        assert!(place.path("upper/var/lib/x").is_dir());
        assert!(!place.path("upper/srv").exists(), "what is there is left alone");
    }
}

in_every_mode! {
    fn open_files_are_limited_as_before_us_and_as_asked(place) {
        let own = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let mut container = place.script("ulimit -Sn; ulimit -Hn");
        let shown = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
        let expected = format!("{}\n{}\n", shown(own.current), shown(own.maximum));
        assert_eq!(place.run(&container).good(), expected);
        container.ulimits = vec![Ulimit { resource: Resource::OpenFiles, soft: Some(77), hard: Some(99) }];
        assert_eq!(place.run(&container).good(), "77\n99\n");
    }
}

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_devices_made_by_a_privileged_container_of_root_can_be_opened() {
    let place = Place::new(Who::Root);
    let mut container = place.script("mknod /zero c 1 5 && head -c 3 /zero | wc -c; ls /dev/fuse");
    container.security = Security::privileged();
    assert_eq!(place.run(&container).good(), "3\n/dev/fuse\n");
    let mut container = place.script("head -c 3 /zero");
    container.security = Security::default();
    let answer = place.run(&container);
    assert!(answer.stderr().contains("Permission denied"), "{answer:?}");
}

/// Who owns what after the files of a mount were given to `user`.
fn given(place: &Place, user: &str) -> (Vec<(u32, u32)>, crate::support::Answer) {
    place.write("data/sub/file", "x");
    std::os::unix::fs::symlink("/etc/passwd", place.path("data/link")).unwrap();
    place.give(&place.path("data/link"));
    let before = std::fs::metadata("/etc/passwd").unwrap().uid();
    let mut container = place.script("touch /data/new 2>/dev/null && echo may write");
    container.process.user = user.to_owned();
    container.mounts.push(Mount::Bind {
        source: BindSource::Path(place.path("data")),
        target: "/data".into(),
        read_only: false,
        recursive: true,
    });
    container.owned = vec!["/data".into()];
    let answer = place.run(&container);
    assert_eq!(std::fs::metadata("/etc/passwd").unwrap().uid(), before, "links are not followed");
    let owner = |path: &str| {
        let found = std::fs::symlink_metadata(place.path(path)).unwrap();
        (found.uid(), found.gid())
    };
    (vec![owner("data"), owner("data/sub"), owner("data/sub/file"), owner("data/link")], answer)
}

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_the_files_of_a_mount_are_given_to_the_user() {
    let (owners, answer) = given(&Place::new(Who::Root), "node");
    assert_eq!(answer.good(), "may write\n");
    assert_eq!(owners, [(1000, 1001); 4]);
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_the_files_of_a_mount_are_given_to_an_id_of_the_range() {
    let (owners, answer) = given(&Place::new(Who::ManyIds), "node");
    assert_eq!(answer.good(), "may write\n");
    assert!(owners.iter().all(|owner| *owner == owners[0] && owner.0 >= 100_000), "{owners:?}");
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_with_one_id_files_can_be_given_to_nobody_else() {
    let (_, answer) = given(&Place::new(Who::OneId), "node");
    assert_eq!(answer.error(), Some("cannot give what is mounted on `/data` to the user of the container"));
    let (_, answer) = given(&Place::new(Who::OneId), "root");
    assert_eq!(answer.good(), "may write\n");
}
