//! What is mounted, and what is left of it.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tug_runtime::{BindSource, ForeignRoot, Mount, Root};

use crate::support::{Place, Who, in_every_mode, names};

fn bind(source: PathBuf, target: &str, read_only: bool) -> Mount {
    Mount::Bind { source: BindSource::Path(source), target: target.into(), read_only, recursive: true }
}

in_every_mode! {
    fn nothing_of_ours_is_left_in_the_upper_directory(place) {
        for name in ["proc", "dev", "sys"] {
            place.write(&format!("rootfs/{name}/.keep"), "");
        }
        place.write("volume/file", "of the host");
        let etc = place.path("rootfs/etc");
        let before = std::fs::metadata(&etc).unwrap();
        let mut container = place.script("cat /etc/hosts /data/deep/file /new/file > /dev/null; test -d /made/tmp");
        container.files.hostname = true;
        container.mounts = vec![
            bind(place.path("volume"), "/data/deep", false),
            Mount::File {
                target: "/new/file".into(),
                contents: b"secret".to_vec(),
                mode: 0o400,
                owner: (0, 0),
                read_only: true,
            },
            Mount::Tmpfs { target: "/made/tmp".into(), size: None, mode: Some(0o1777) },
        ];
        place.run(&container).good();
        let upper = place.path("upper");
        for name in names(&upper) {
            assert_eq!((name.as_str(), names(&upper.join(&name))), ("etc", vec![]));
        }
        // The directory was copied up to mount on files in it; its times are still those of the layer.
        let after = std::fs::metadata(upper.join("etc")).unwrap();
        assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
    }
}

in_every_mode! {
    fn what_the_container_made_itself_stays(place) {
        let mut container = place.script("rm /tmp/target 2>/dev/null; echo mine > /etc/mine; umask 0; mkdir /proc2");
        container.process.args[1] = "-c".into();
        container.mounts = vec![bind(place.path("rootfs/etc/passwd"), "/opt/file", true)];
        place.run(&container).good();
        let upper = place.path("upper");
        assert_eq!(std::fs::read_to_string(upper.join("etc/mine")).unwrap(), "mine\n");
        assert_eq!(names(&upper), ["dev", "etc", "proc", "proc2", "sys"]);
        for name in ["dev", "proc", "sys"] {
            assert_eq!(std::fs::metadata(upper.join(name)).unwrap().permissions().mode() & 0o7777, 0o755);
        }
    }
}

in_every_mode! {
    fn a_stub_that_was_written_to_or_replaced_stays(place) {
        // The mount is on the file that the container sees; below it lies ours, which another container can reach.
        let target = place.path("upper/opt/stub");
        let mut container = place.script("sleep 0.3");
        container.mounts = vec![bind(place.path("rootfs/etc/passwd"), "/opt/stub", true)];
        let child = place.start(&[container]);
        while !target.exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::remove_file(&target).unwrap();
        std::fs::write(&target, "").unwrap();
        child.wait_with_output().unwrap();
        assert!(target.exists());
    }
}

in_every_mode! {
    fn a_bind_mount_shows_the_host_and_can_be_read_only(place) {
        place.write("volume/file", "of the host\n");
        let mut container = place.script("cat /v/file; echo new > /v/other; echo no > /r/other 2>/dev/null || echo refused");
        container.mounts = vec![bind(place.path("volume"), "/v", false), bind(place.path("volume"), "/r", true)];
        assert_eq!(place.run(&container).good(), "of the host\nrefused\n");
        assert_eq!(std::fs::read_to_string(place.path("volume/other")).unwrap(), "new\n");
    }
}

in_every_mode! {
    fn a_source_that_is_missing_or_of_another_kind_is_an_error(place) {
        place.write("volume/file", "");
        for (source, target, story) in [
            ("nowhere", "/v", "cannot mount on `/v`\ncaused by: there is no source"),
            ("volume", "/etc/passwd", "cannot mount on `/etc/passwd`\ncaused by: one of source and target is a directory, the other is not"),
            ("volume/file", "/tmp", "cannot mount on `/tmp`\ncaused by: one of source and target is a directory, the other is not"),
            ("volume", "/", "cannot mount on `/`\ncaused by: the runtime needs that path for itself"),
            ("volume", "/proc", "cannot mount on `/proc`\ncaused by: the runtime needs that path for itself"),
            ("volume", "/proc/sys/kernel", "cannot mount on `/proc/sys/kernel`\ncaused by: the runtime needs that path for itself"),
            ("volume", "/etc/passwd/x", "cannot mount on `/etc/passwd/x`\ncaused by: it is not a directory"),
        ] {
            let mut container = place.script("true");
            container.mounts = vec![bind(place.path(source), target, false)];
            let answer = place.run(&container);
            assert_eq!(answer.exit_code(), 125);
            assert!(answer.story().starts_with(story), "{}", answer.story());
        }
        assert_eq!(names(&place.path("upper")), ["dev", "etc", "proc", "sys"]);
        assert_eq!(names(&place.path("upper/etc")), [""; 0]);
    }
}

in_every_mode! {
    fn a_file_in_memory_has_the_contents_mode_and_owner_that_were_asked_for(place) {
        let mut container = place.script("stat -c '%a %u:%g %s' /run/secrets/key; cat /run/secrets/key; echo > /run/secrets/key || echo refused");
        let owner = if place.who == Who::OneId { (0, 0) } else { (1000, 1001) };
        container.mounts = vec![Mount::File {
            target: "/run/secrets/key".into(),
            contents: b"k\xff\n".to_vec(),
            mode: 0o440,
            owner,
            read_only: true,
        }];
        let output = place.run(&container).stdout();
        assert_eq!(output, format!("440 {}:{} 3\nk\u{fffd}\nrefused\n", owner.0, owner.1));
    }
}

in_every_mode! {
    fn a_file_system_in_memory_has_its_size_and_mode(place) {
        let mut container = place.script("stat -c %a /scratch; df -k /scratch | tail -1 | tr -s ' ' | cut -d' ' -f2");
        container.mounts = vec![Mount::Tmpfs { target: "/scratch".into(), size: Some(1 << 20), mode: Some(0o700) }];
        assert_eq!(place.run(&container).good(), "700\n1024\n");
    }
}

in_every_mode! {
    fn another_root_can_be_mounted_and_its_links_stay_inside_it(place) {
        place.write("other/app/file", "of the other\n");
        symlink("/app", place.path("other/link")).unwrap();
        symlink("../../../../../../app", place.path("other/up")).unwrap();
        for path in ["/app", "/link", "/up", "/link/../app"] {
            let mut container = place.script("cat /from/file; echo no 2>/dev/null > /from/new || echo refused");
            container.mounts = vec![Mount::Foreign {
                root: ForeignRoot {
                    root: Root { lower: vec![place.path("other").into()], ..Root::default() },
                    path: path.into(),
                },
                target: "/from".into(),
            }];
            assert_eq!(place.run(&container).good(), "of the other\nrefused\n", "{path}");
        }
    }
}

in_every_mode! {
    fn a_path_of_a_build_cannot_leave_the_directory_it_is_in(place) {
        place.write("context/file", "of the context\n");
        place.write("outside", "of the host\n");
        let outside = place.path("outside");
        symlink(&outside, place.path("context/absolute")).unwrap();
        symlink("../outside", place.path("context/relative")).unwrap();
        for (path, story) in [("file", ""), ("absolute", "there is no source"), ("relative", "there is no source")] {
            let mut container = place.script("cat /v");
            container.mounts = vec![Mount::Bind {
                source: BindSource::Beneath { root: place.path("context"), path: path.into() },
                target: "/v".into(),
                read_only: true,
                recursive: false,
            }];
            let answer = place.run(&container);
            if story.is_empty() {
                assert_eq!(answer.good(), "of the context\n");
            } else {
                assert!(answer.story().contains(story), "{}", answer.story());
            }
        }
    }
}

in_every_mode! {
    fn a_root_that_is_read_only_still_has_its_mounts(place) {
        let mut container = place.script("echo no > /file 2>/dev/null || echo refused; echo yes > /v/file; cat /etc/hosts | head -1");
        std::fs::create_dir(place.path("volume")).unwrap();
        place.give(&place.path("volume"));
        container.root.read_only = true;
        container.mounts = vec![bind(place.path("volume"), "/v", false)];
        assert_eq!(place.run(&container).good(), "refused\n127.0.0.1\tlocalhost\n");
    }
}

in_every_mode! {
    fn a_dangling_resolv_conf_is_mounted_where_it_points(place) {
        let path = place.path("rootfs/etc/resolv.conf");
        symlink("../run/systemd/resolve/stub.conf", &path).unwrap();
        let mut container = place.script("cat /etc/resolv.conf");
        container.files.resolv_conf = tug_runtime::ResolvConf::Text("nameserver 192.0.2.1\n".to_owned());
        assert_eq!(place.run(&container).good(), "nameserver 192.0.2.1\n");
        assert!(!place.path("upper/run").exists());
        assert!(Path::new(&path).is_symlink());
    }
}
