//! Roots of every shape.

use tug_runtime::Root;

use crate::support::{Place, Who, in_every_mode, names};

in_every_mode! {
    fn changes_land_in_the_upper_directory_in_overlays_form(place) {
        place.write("rootfs/old/file", "old");
        place.write("rootfs/gone", "");
        place.output("rm /gone; rm -r /old; mkdir /old; echo new > /old/new; echo x >> /etc/passwd");
        let upper = place.path("upper");
        assert_eq!(names(&upper), ["dev", "etc", "gone", "old", "proc", "sys"]);
        let gone = std::fs::symlink_metadata(upper.join("gone")).unwrap();
        assert!(std::os::unix::fs::FileTypeExt::is_char_device(&gone.file_type()));
        assert_eq!(std::os::unix::fs::MetadataExt::rdev(&gone), 0);
        assert_eq!(names(&upper.join("old")), ["new"]);
        assert!(std::fs::read_to_string(upper.join("etc/passwd")).unwrap().ends_with("x\n"));
    }
}

in_every_mode! {
    fn hundreds_of_layers_are_merged_and_the_top_one_wins(place) {
        let mut lower = Vec::new();
        for number in (0..320).rev() {
            place.write(&format!("layers/{number:03}/number"), &number.to_string());
            place.write(&format!("layers/{number:03}/only-{number}"), "");
            lower.push(place.path(&format!("layers/{number:03}")).into());
        }
        lower.push(place.path("rootfs").into());
        place.give(&place.path("layers"));
        let mut container = place.script("cat /number; ls / | grep -c only; ulimit -Sn");
        container.root.lower = lower;
        // Each layer is a file that is open for a moment.
        assert_eq!(place.run_with_few_files(&container).good(), "319320\n64\n");
    }
}

in_every_mode! {
    fn a_path_may_hold_any_character_and_be_long(place) {
        let odd = Place::named(place.who, "a:b,c\\d e\"f=g\n");
        assert_eq!(odd.output("echo works > /file; cat /file"), "works\n");
        assert_eq!(std::fs::read_to_string(odd.path("upper/file")).unwrap(), "works\n");
        let long = Place::named(place.who, &"long".repeat(50));
        let deep: std::path::PathBuf = ["deep".repeat(50), "deeper".repeat(40), "deepest".repeat(30)].iter().collect();
        let container_root = long.path("").join(&deep);
        std::fs::create_dir_all(&container_root).unwrap();
        for name in ["rootfs", "upper", "work"] {
            std::fs::rename(long.path(name), container_root.join(name)).unwrap();
        }
        long.give(&long.path(""));
        let mut container = long.script("echo works > /file; cat /file");
        container.root = Root {
            lower: vec![container_root.join("rootfs").into()],
            upper: Some(container_root.join("upper")),
            work: Some(container_root.join("work")),
            read_only: false,
        };
        assert_eq!(long.run(&container).good(), "works\n");
    }
}

in_every_mode! {
    fn a_root_without_an_upper_directory_can_only_be_read(place) {
        for name in ["proc", "dev", "sys"] {
            std::fs::create_dir(place.path("rootfs").join(name)).unwrap();
        }
        let mut container = place.script("echo no > /file 2>/dev/null || echo refused");
        container.root = Root { lower: vec![place.path("rootfs").into()], ..Root::default() };
        let answer = place.run(&container);
        assert!(answer.story().starts_with("cannot mount on `/etc/resolv.conf`\ncaused by: it does not exist, and the root is read-only"));
        container.files.resolv_conf = tug_runtime::ResolvConf::Keep;
        container.files.keep_hosts = true;
        assert_eq!(place.run(&container).good(), "refused\n");
    }
}

in_every_mode! {
    fn a_root_without_layers_is_empty_and_can_be_written(place) {
        let mut container = place.container(&["/busybox", "ls", "/"]);
        container.root.lower.clear();
        container.mounts = vec![tug_runtime::Mount::Bind {
            source: tug_runtime::BindSource::Path(place.path("rootfs/bin/busybox")),
            target: "/busybox".into(),
            read_only: true,
            recursive: false,
        }];
        assert_eq!(place.run(&container).good(), "busybox\ndev\netc\nproc\nsys\n");
    }
}

in_every_mode! {
    fn a_layer_that_is_missing_is_named(place) {
        let mut container = place.script("true");
        container.root.lower.push(place.path("no-such-layer").into());
        let story = place.run(&container).story();
        assert!(story.starts_with("cannot open `") && story.contains("no-such-layer"), "{story}");
    }
}

in_every_mode! {
    fn the_same_upper_directory_can_be_used_again(place) {
        place.output("echo one > /file");
        assert_eq!(place.output("cat /file; echo two > /file"), "one\n");
        assert_eq!(place.output("cat /file"), "two\n");
    }
}
