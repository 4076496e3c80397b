//! What a container cannot see or do.

use tug_runtime::capabilities;

use crate::support::{Place, Who, in_every_mode};

in_every_mode! {
    fn no_mount_of_the_host_is_left(place) {
        let mounts = place.output("cut -d' ' -f5 /proc/self/mountinfo");
        let expected = [
            "/", "/proc", "/dev", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
            "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/etc/resolv.conf", "/etc/hosts",
        ];
        for mount in mounts.lines() {
            let known = expected.contains(&mount) || mount.starts_with("/proc/") || mount.starts_with("/sys/");
            assert!(known, "{mount} in\n{mounts}");
        }
        for mount in expected {
            assert!(mounts.lines().any(|found| found == mount), "{mount} not in\n{mounts}");
        }
    }
}

in_every_mode! {
    fn other_processes_and_other_hostnames_are_out_of_sight(place) {
        assert_eq!(place.output("ps -o pid,comm | grep tug-init"), "    1 tug-init\n");
        assert_eq!(place.output("test $(ls -d /proc/[0-9]* | wc -l) -lt 6; hostname"), "tug\n");
    }
}

in_every_mode! {
    fn nothing_in_proc_or_sys_can_be_changed(place) {
        let script = "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/mm/transparent_hugepage/enabled; do
            if (echo x > $file) 2>/dev/null; then echo $file; fi
        done
        cat /proc/kcore /proc/keys /proc/timer_list | wc -c
        ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v : | wc -w";
        assert_eq!(place.output(script), "0\n0\n");
    }
}

in_every_mode! {
    fn devices_are_those_six_and_any_other_node_opens_nothing(place) {
        let script = "
            for node in null zero full random urandom tty; do test -c /dev/$node; done
            head -c 3 /dev/zero | wc -c; echo x > /dev/null; head -c 1 /dev/urandom | wc -c
            ls /dev | wc -w
            for directory in /tmp /dev /dev/shm; do
                mknod $directory/disk b 8 0 2>/dev/null || true
                mknod $directory/memory c 1 1 2>/dev/null || true
                mknod $directory/void c 1 3 2>/dev/null || true
                for node in disk memory; do
                    if test -b $directory/$node -o -c $directory/$node; then
                        head -c 1 $directory/$node 2>&1 | grep -v 'Permission denied' || true
                    fi
                done
            done";
        assert_eq!(place.output(script), "3\n1\n15\n");
    }
}

in_every_mode! {
    fn capabilities_are_dockers_and_none_can_be_handed_on(place) {
        let script = "grep -E '^Cap|^NoNew|^Seccomp:' /proc/self/status | tr -s '\\t' ' '";
        assert_eq!(
            place.output(script),
            "CapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\n\
             CapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n"
        );
        let mut container = place.script(script);
        container.security.capabilities = capabilities::named("KILL").unwrap();
        container.security.no_new_privileges = true;
        container.security.seccomp = tug_runtime::Seccomp::Unconfined;
        let output = place.run(&container).good();
        assert!(output.contains("CapPrm: 0000000000000020\n") && output.contains("NoNewPrivs: 1"), "{output}");
        if place.who != Who::OneId {
            assert!(output.contains("Seccomp: 0"), "{output}");
        }
    }
}

in_every_mode! {
    fn namespaces_and_mounts_are_refused(place) {
        let script = "
            unshare -U true 2>/dev/null && echo user
            unshare -m true 2>/dev/null && echo mount
            mount -t tmpfs none /tmp 2>/dev/null && echo tmpfs
            umount /proc 2>/dev/null && echo umount
            chroot / true && echo chroot
            true";
        assert_eq!(place.run(&place.container(&["sh", "-c", script])).good(), "chroot\n");
    }
}

in_every_mode! {
    fn programs_of_32_bits_run_under_the_filter_too(place) {
        // exit_group(42), written in machine code for i386.
        let code: &[u8] = &[0xb8, 0xfc, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80];
        let mut program = Vec::new();
        program.extend_from_slice(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0");
        for word in [0x0804_8054_u32, 52, 0, 0] {
            program.extend_from_slice(&word.to_le_bytes());
        }
        for half in [52_u16, 32, 1, 0, 0, 0] {
            program.extend_from_slice(&half.to_le_bytes());
        }
        let size = 84 + code.len() as u32;
        for word in [1, 0, 0x0804_8000, 0x0804_8000, size, size, 5, 0x1000] {
            program.extend_from_slice(&u32::to_le_bytes(word));
        }
        program.extend_from_slice(code);
        if cfg!(not(target_arch = "x86_64")) {
            return;
        }
        std::fs::write(place.path("rootfs/bin/small"), program).unwrap();
        std::fs::set_permissions(place.path("rootfs/bin/small"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        place.give(&place.path("rootfs/bin/small"));
        let answer = place.run(&place.container(&["small"]));
        // A kernel without 32-bit programs says that it cannot execute it.
        assert!(matches!(answer.exit_code(), 42 | 126), "{answer:?}");
    }
}
