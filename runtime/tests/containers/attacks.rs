//! Known ways out of a container, each named after where it was found. A marker on the host must not change.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tug_runtime::{BindSource, Mount};

use crate::support::{Place, Who, in_every_mode, names};

in_every_mode! {
    fn cve_2019_5736_our_program_cannot_be_overwritten_from_inside(place) {
        place.write("rootfs/bin/script", "#!/proc/self/exe\n");
        std::fs::set_permissions(place.path("rootfs/bin/script"), PermissionsExt::from_mode(0o755)).unwrap();
        let before = std::fs::read(place.path("contain")).unwrap();
        place.run(&place.container(&["script"]));
        place.run(&place.container(&["/proc/self/exe"]));
        let script = "for n in $(seq 50); do echo x > /proc/1/exe || echo x >> /proc/$PPID/exe; done 2>/dev/null; true";
        place.run(&place.container(&["sh", "-c", script])).good();
        assert!(std::fs::read(place.path("contain")).unwrap() == before);
    }
}

in_every_mode! {
    fn cve_2024_21626_no_descriptor_leads_to_the_host(place) {
        for number in 0..20 {
            let mut container = place.script("ls");
            container.process.working_directory = format!("/proc/self/fd/{number}").into();
            container.process.create_working_directory = number % 2 == 0;
            let answer = place.run(&container);
            assert_eq!(answer.exit_code(), 125, "{number}: {answer:?}");
        }
        let link = place.path("rootfs/link");
        symlink("/proc/self/fd/8", &link).unwrap();
        let mut container = place.script("ls");
        container.process.working_directory = "/link".into();
        assert_eq!(place.run(&container).exit_code(), 125);
    }
}

in_every_mode! {
    fn cve_2025_31133_hiding_does_not_trust_the_null_device_of_the_image(place) {
        std::fs::create_dir(place.path("rootfs/dev")).unwrap();
        symlink("/proc/sys/kernel/core_pattern", place.path("rootfs/dev/null")).unwrap();
        let mut container = place.script("cat /proc/kcore /proc/keys | wc -c; echo x > /proc/sys/kernel/core_pattern || echo refused");
        assert_eq!(place.run(&container).stdout(), "0\nrefused\n");
        // The same in a volume that covers the whole of `/dev`.
        container.mounts = vec![Mount::Bind {
            source: BindSource::Path(place.path("rootfs/dev")),
            target: "/dev".into(),
            read_only: false,
            recursive: false,
        }];
        assert_eq!(place.run(&container).stdout(), "0\nrefused\n");
    }
}

in_every_mode! {
    fn cve_2025_52565_the_console_is_the_terminal_that_we_made(place) {
        std::fs::create_dir_all(place.path("rootfs/dev/pts")).unwrap();
        symlink("/proc/sys/kernel/core_pattern", place.path("rootfs/dev/console")).unwrap();
        symlink("/proc/sys/kernel/core_pattern", place.path("rootfs/dev/pts/0")).unwrap();
        let mut container = place.script("stat -c %t /dev/console /dev/pts/0; tty");
        container.process.terminal = true;
        assert_eq!(place.run(&container).good(), "88\r\n88\r\n/dev/pts/0\r\n");
    }
}

in_every_mode! {
    fn cve_2025_52881_proc_is_the_real_one_or_nothing_runs(place) {
        let marker = place.path("marker");
        std::fs::create_dir(&marker).unwrap();
        place.give(&marker);
        symlink(&marker, place.path("rootfs/proc")).unwrap();
        let answer = place.run(&place.script("true"));
        assert_eq!(answer.story(), "cannot mount on `/proc`\ncaused by: it is not a directory\nhint: -");
        std::fs::remove_file(place.path("rootfs/proc")).unwrap();
        place.write("rootfs/proc", "a file");
        assert_eq!(place.run(&place.script("true")).exit_code(), 125);
        std::fs::remove_file(place.path("rootfs/proc")).unwrap();
        place.write("rootfs/proc/self/status", "a lie");
        assert!(!place.output("cat /proc/self/status").contains("a lie"));
        assert_eq!(names(&marker), [""; 0]);
    }
}

in_every_mode! {
    fn cve_2026_41579_devices_are_not_made_on_the_host(place) {
        let marker = place.path("marker");
        std::fs::create_dir(&marker).unwrap();
        place.give(&marker);
        symlink(&marker, place.path("rootfs/dev")).unwrap();
        let answer = place.run(&place.script("true"));
        assert_eq!(answer.exit_code(), 125, "{answer:?}");
        symlink(&marker, place.path("rootfs/sys")).unwrap();
        assert_eq!(place.run(&place.script("true")).exit_code(), 125);
        assert_eq!(names(&marker), [""; 0]);
    }
}

in_every_mode! {
    fn cve_2021_30465_a_target_that_is_swapped_in_a_shared_volume_stays_in_the_root(place) {
        let marker = place.path("marker");
        for directory in ["marker", "volume/dir", "volume/link-holder"] {
            std::fs::create_dir_all(place.path(directory)).unwrap();
        }
        symlink(&marker, place.path("volume/link")).unwrap();
        place.give(&place.path(""));
        let swap = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let swapper = {
            let (swap, volume) = (std::sync::Arc::clone(&swap), place.path("volume"));
            std::thread::spawn(move || {
                while swap.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = rustix::fs::renameat_with(
                        rustix::fs::CWD,
                        volume.join("dir"),
                        rustix::fs::CWD,
                        volume.join("link"),
                        rustix::fs::RenameFlags::EXCHANGE,
                    );
                }
            })
        };
        let container = || {
            let mut container = place.script("true");
            container.mounts = vec![
                Mount::Bind {
                    source: BindSource::Path(place.path("volume")),
                    target: "/v".into(),
                    read_only: false,
                    recursive: false,
                },
                Mount::Tmpfs { target: "/v/dir/inner".into(), size: None, mode: Some(0o755) },
            ];
            container
        };
        for _ in 0..60 {
            let answer = place.run(&container());
            assert!(answer.exit_code() == 0 || answer.error().is_some(), "{answer:?}");
        }
        swap.store(false, std::sync::atomic::Ordering::Relaxed);
        swapper.join().unwrap();
        assert_eq!(names(&marker), [""; 0]);
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&*place.path("").to_string_lossy()), "{mounts}");
    }
}

in_every_mode! {
    fn cve_2022_29162_no_capability_can_be_inherited(place) {
        for user in ["", "node"] {
            let mut container = place.script("grep -E 'CapInh|CapAmb' /proc/self/status | grep -vc 0000000000000000 || true");
            container.process.user = user.to_owned();
            assert_eq!(place.run(&container).good(), "0\n");
        }
    }
}

in_every_mode! {
    fn cve_2026_47262_endless_lists_of_users_are_refused(place) {
        for name in ["passwd", "group"] {
            let path = place.path("rootfs/etc").join(name);
            let before = std::fs::read(&path).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
            let mut container = place.script("true");
            container.process.user = "nobody:nobody".to_owned();
            let answer = place.run(&container);
            assert_eq!(answer.exit_code(), 125, "{answer:?}");
            std::fs::write(&path, before).unwrap();
        }
    }
}

in_every_mode! {
    fn cve_2024_9676_lists_of_users_that_are_something_else_do_not_hang(place) {
        let path = place.path("rootfs/etc/passwd");
        let mut container = place.script("id -u");
        container.process.user = "tug-marker".to_owned();
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        assert!(place.run(&container).story().contains("it is not a regular file"));
        for target in ["/dev/zero", "/proc/self/status", "/etc", "passwd"] {
            std::fs::remove_file(&path).unwrap();
            symlink(target, &path).unwrap();
            let answer = place.run(&container);
            assert_eq!(answer.exit_code(), 125, "{target}: {answer:?}");
        }
        // A link to a file of the host ends inside the root, where there is none.
        let marker = place.path("marker");
        place.write("marker", "tug-marker:x:7:7::/:/bin/sh\n");
        std::fs::remove_file(&path).unwrap();
        symlink(&marker, &path).unwrap();
        assert!(place.run(&container).story().contains("no user `tug-marker`"));
    }
}

in_every_mode! {
    fn cve_2024_23652_a_stub_is_not_swept_from_the_host(place) {
        // The container replaces the parent of its mount by a link to a directory of the host.
        let host = place.path("host");
        place.write("host/stub", "");
        let mut container = place.container(&["sh", "-c", "mv /opt /gone 2>/dev/null; umount /opt/stub 2>/dev/null; true"]);
        container.mounts = vec![Mount::File {
            target: "/opt/stub".into(),
            contents: Vec::new(),
            mode: 0o644,
            owner: (0, 0),
            read_only: false,
        }];
        let child = place.start(&[{
            let mut container = container.clone();
            container.process.args = ["sleep", "0.4"].map(Into::into).to_vec();
            container
        }]);
        let parent = place.path("upper/opt");
        while !parent.join("stub").exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::rename(&parent, place.path("aside")).unwrap();
        symlink(&host, &parent).unwrap();
        child.wait_with_output().unwrap();
        assert!(host.join("stub").exists());
        std::fs::remove_file(&parent).unwrap();
        place.run(&container);
        assert!(host.join("stub").exists());
    }
}

in_every_mode! {
    fn cve_2021_3602_the_environment_of_the_host_stays_outside(place) {
        let output = place.run(&place.container(&["env"])).good();
        assert_eq!(output.lines().count(), 2, "{output}");
        let ours = place.output("cat /proc/1/environ 2>&1 | grep -c 'Permission denied'");
        assert_eq!(ours, "1\n");
    }
}

in_every_mode! {
    fn a_terminal_of_the_host_cannot_be_typed_into(place) {
        // A session of its own: no terminal of ours is its controlling one.
        assert_eq!(place.run(&place.container(&["sh", "-c", "cat < /dev/tty 2>/dev/null || echo none"])).good(), "none\n");
        assert!(Path::new("/dev/null").exists());
    }
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_paths_through_proc_do_not_lead_whoever_answers_to_the_host() {
    let place = Place::new(Who::OneId);
    place.write("marker/file", "of the host");
    let marker = place.path("marker").display().to_string();
    for user in ["", "node"] {
        for way in
            ["/proc/self/../..", "/proc/self/fd/../../..", "/proc/thread-self/../../..", "/dev/fd/../../.."]
        {
            let script = format!(
                "chown 1000 {way}{marker}/file; touch {way}{marker}/new; mkdir {way}{marker}/directory
                 ln -s x {way}{marker}/link; mkfifo {way}{marker}/fifo; stat {way}{marker}/file; true"
            );
            let mut container = place.container(&["sh", "-c", &script]);
            container.process.user = user.to_owned();
            let answer = place.run(&container);
            assert!(!answer.good().contains("marker"), "{answer:?}");
        }
    }
    assert_eq!(names(&place.path("marker")), ["file"]);
    let mut value = [0; 16];
    let owner = rustix::fs::getxattr(place.path("marker/file"), "user.tug.owner", &mut value[..]);
    assert_eq!(owner, Err(rustix::io::Errno::NODATA));
}
