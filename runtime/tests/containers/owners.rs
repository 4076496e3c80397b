//! Owners and users where only one id exists: what ends up in the upper directory, and what programs believe.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::support::{Answer, Place, Who};

/// What the store will read.
fn owner(place: &Place, path: &str) -> String {
    attribute(place, path, "user.tug.owner").unwrap_or_else(|| "0:0".to_owned())
}

fn attribute(place: &Place, path: &str, name: &str) -> Option<String> {
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(place.path("upper").join(path), name, &mut value[..]).ok()?;
    Some(String::from_utf8_lossy(&value[..length]).into_owned())
}

/// The owner in the table of a link or fifo.
fn recorded(place: &Place, answer: &Answer, path: &str) -> Option<(u64, u64)> {
    let inode = std::fs::symlink_metadata(place.path("upper").join(path)).unwrap().ino();
    answer.owners().iter().find(|(found, ..)| *found == inode).map(|&(_, uid, gid)| (uid, gid))
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_owners_that_are_given_are_in_the_layer() {
    let place = Place::new(Who::OneId);
    place.write("rootfs/srv/below/file", "of the layer below");
    place.output(
        "
        touch /a /b /c; mkdir -p /d/e
        chown 1000:1001 /a; chown node /b; chgrp www /b; chown :50 /c
        chown -R node:node /d /srv/below
        chown 5:5 /a; chown 0:0 /c",
    );
    for (path, expected) in [
        ("a", "5:5"),
        ("b", "1000:33"),
        ("c", "0:0"),
        ("d", "1000:1001"),
        ("d/e", "1000:1001"),
        ("srv/below", "1000:1001"),
        ("srv/below/file", "1000:1001"),
        ("srv", "0:0"),
    ] {
        assert_eq!(owner(&place, path), expected, "{path}");
    }
    assert_eq!(std::fs::read_to_string(place.path("upper/srv/below/file")).unwrap(), "of the layer below");
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_owners_of_links_and_fifos_are_in_the_table() {
    let place = Place::new(Who::OneId);
    std::os::unix::fs::symlink("x", place.path("rootfs/below")).unwrap();
    place.give(&place.path("rootfs"));
    let answer = place.run(&place.script(
        "ln -s target /link; mkfifo /fifo; touch /file; ln -s file /to-file
         chown -h 1000:33 /link; chown 7:8 /fifo; chown 1000 /to-file; chown -h 9 /below; mv /link /moved",
    ));
    answer.good();
    assert_eq!(recorded(&place, &answer, "moved"), Some((1000, 33)));
    assert_eq!(recorded(&place, &answer, "fifo"), Some((7, 8)));
    assert_eq!(recorded(&place, &answer, "below"), Some((9, 0)));
    assert_eq!((owner(&place, "file").as_str(), recorded(&place, &answer, "to-file")), ("1000:0", None));
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_giving_a_program_away_takes_its_set_uid_bit() {
    let place = Place::new(Who::OneId);
    place.output("cp /bin/busybox /program; chmod 6755 /program; chown 1000 /program");
    let mode = std::fs::metadata(place.path("upper/program")).unwrap().permissions().mode();
    assert_eq!((mode & 0o7777, owner(&place, "program").as_str()), (0o755, "1000:0"));
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_what_another_user_makes_belongs_to_it() {
    let place = Place::new(Who::OneId);
    std::fs::set_permissions(place.path("rootfs/tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    let mut container = place.script(
        "umask 027; touch /tmp/file; mkdir /tmp/directory; ln -s x /tmp/link; mkfifo /tmp/fifo
         echo text > /tmp/file; echo more >> /tmp/file; cat /tmp/file; cp /etc/passwd /tmp/copy
         mknod /tmp/device c 1 3 2>&1 || true; chown root /tmp/file 2>&1 || true; chgrp staff /tmp/copy",
    );
    container.process.user = "node".to_owned();
    let answer = place.run(&container);
    assert_eq!(
        answer.good(),
        "text\nmore\nmknod: /tmp/device: Operation not permitted\nchown: /tmp/file: Operation not permitted\n"
    );
    for (path, expected) in [("file", "1000:1001"), ("directory", "1000:1001"), ("copy", "1000:50")] {
        assert_eq!(owner(&place, &format!("tmp/{path}")), expected, "{path}");
    }
    assert_eq!(std::fs::metadata(place.path("upper/tmp/file")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(
        std::fs::metadata(place.path("upper/tmp/directory")).unwrap().permissions().mode() & 0o777,
        0o750
    );
    assert_eq!(recorded(&place, &answer, "tmp/link"), Some((1000, 1001)));
    assert_eq!(recorded(&place, &answer, "tmp/fifo"), Some((1000, 1001)));
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_root_becomes_another_user_and_its_children_are_that_user() {
    let place = Place::new(Who::OneId);
    let output = place.output(
        "id -u; su node -c 'id -u; id -g; id -G; sh -c \"id -u; touch /tmp/deep\"; touch /tmp/shallow'; id -u; touch /tmp/root",
    );
    assert_eq!(output, "0\n1000\n1001\n1001 33 50\n1000\n0\n");
    for (path, expected) in [("deep", "1000:1001"), ("shallow", "1000:1001"), ("root", "0:0")] {
        assert_eq!(owner(&place, &format!("tmp/{path}")), expected, "{path}");
    }
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_a_set_uid_program_makes_root_of_a_user_again() {
    // exit_group(geteuid()), written in machine code for x86-64.
    let code: &[u8] = &[0xb8, 107, 0, 0, 0, 0x0f, 0x05, 0x89, 0xc7, 0xb8, 231, 0, 0, 0, 0x0f, 0x05];
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    for word in [0x40_0078_u64, 64, 0] {
        program.extend_from_slice(&word.to_le_bytes());
    }
    program.extend_from_slice(&[0; 4]);
    for half in [64_u16, 56, 1, 0, 0, 0] {
        program.extend_from_slice(&half.to_le_bytes());
    }
    program.extend_from_slice(&[1, 0, 0, 0, 5, 0, 0, 0]);
    let size = 120 + code.len() as u64;
    for word in [0, 0x40_0000, 0x40_0000, size, size, 0x1000] {
        program.extend_from_slice(&word.to_le_bytes());
    }
    program.extend_from_slice(code);

    let place = Place::new(Who::OneId);
    let path = place.path("rootfs/bin/who");
    std::fs::write(&path, program).unwrap();
    place.give(&path);
    let mut container = place.container(&["who"]);
    container.process.user = "node".to_owned();
    for (mode, expected) in [(0o755, 1000 % 256), (0o4755, 0), (0o2755, 1000 % 256)] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(place.run(&container).exit_code(), expected, "{mode:o}");
    }
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_programs_see_the_owners_that_they_gave() {
    let place = Place::new(Who::OneId);
    let output = place.output(
        "touch /a; chown 1000:33 /a; stat -c %u:%g /a; ls -ln /a | tr -s ' ' | cut -d' ' -f3,4
         mkdir /d; chown node /d; stat -c %u:%g /d /d/../a; find /d -user node; test -O /a || echo not mine
         ln -s x /link; chown -h 7:8 /link; stat -c %u:%g /link
         cp -p /a /b; tar -c -f /t.tar /a /d; rm -r /a /d; tar -x -f /t.tar -C /; stat -c %u:%g /a /b /d
         exec 3< /a; stat -L -c %u:%g /dev/fd/3
         mknod /null c 1 3; test -c /null && stat -c '%t:%T %F' /null",
    );
    assert_eq!(
        output,
        "1000:33\n1000 33\n1000:0\n1000:33\n/d\nnot mine\n7:8\n1000:33\n1000:33\n1000:0\n1000:33\n\
         1:3 character special file\n"
    );
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_a_directory_hands_its_group_on() {
    let place = Place::new(Who::OneId);
    place.output("mkdir /shared; chgrp staff /shared; chmod 2775 /shared; touch /shared/file; mkdir /shared/inner; touch /other");
    for (path, expected) in
        [("shared", "0:50"), ("shared/file", "0:50"), ("shared/inner", "0:50"), ("other", "0:0")]
    {
        assert_eq!(owner(&place, path), expected, "{path}");
    }
    let mode = std::fs::metadata(place.path("upper/shared/inner")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o2755);
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_a_device_is_a_file_that_says_which() {
    let place = Place::new(Who::OneId);
    place.output("umask 0; mknod -m 640 /null c 1 3; mknod /disk b 8 1; chown 0:6 /disk");
    assert_eq!(attribute(&place, "null", "user.tug.device").as_deref(), Some("c 1:3"));
    assert_eq!(attribute(&place, "disk", "user.tug.device").as_deref(), Some("b 8:1"));
    assert_eq!(owner(&place, "disk"), "0:6");
    let null = std::fs::metadata(place.path("upper/null")).unwrap();
    assert_eq!((null.len(), null.permissions().mode() & 0o777), (0, 0o640));
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_a_chroot_inside_has_its_own_paths() {
    let place = Place::new(Who::OneId);
    place.output(
        "mkdir -p /inner/bin /inner/etc; cp /bin/busybox /inner/bin; touch /inner/etc/file /etc/file; ln -s /etc/file /inner/link
         chroot /inner /bin/busybox chown 3:4 /link; chroot /inner /bin/busybox chown -h 5:6 /link",
    );
    assert_eq!(owner(&place, "inner/etc/file"), "3:4");
    assert_eq!(owner(&place, "etc/file"), "0:0");
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_files_of_the_host_are_not_given_away() {
    let place = Place::new(Who::OneId);
    let foreign = place.path("foreign");
    std::fs::write(&foreign, "of root").unwrap();
    let mut container =
        place.container(&["sh", "-c", "chown 1000 /foreign; echo $?; chown 1000 /dev/null; echo $?"]);
    container.mounts = vec![tug_runtime::Mount::Bind {
        source: tug_runtime::BindSource::Path(foreign.clone()),
        target: "/foreign".into(),
        read_only: false,
        recursive: false,
    }];
    let answer = place.run(&container);
    assert_eq!(answer.stdout(), "1\n0\n", "{answer:?}");
    assert_eq!(std::fs::metadata(&foreign).unwrap().uid(), 0);
    assert_eq!(std::fs::metadata(Path::new("/dev/null")).unwrap().uid(), 0);
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_a_missing_file_is_still_missing() {
    let place = Place::new(Who::OneId);
    let answer = place.run(&place.container(&[
        "sh",
        "-c",
        "chown 1 /nowhere; mkdir /nowhere/x; touch /etc/passwd/x; ln -s x /etc; mkdir /etc; chown 1 /proc/self/stat; true",
    ]));
    let errors = answer.stderr();
    for expected in [
        "/nowhere: No such file",
        "'/nowhere/x': No such file",
        "/etc/passwd/x: Not a directory",
        "'/etc': File exists",
    ] {
        assert!(errors.contains(expected), "{expected} in {errors}");
    }
}
