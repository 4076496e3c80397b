//! Facts about the host that can be read without trying anything.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Check, Outcome};
use crate::Resources;
use crate::cgroup::Group;
use crate::emulators::Emulator;

/// The first kernel with all that the runtime uses (`mount_setattr`); ordinary users have overlay since 5.11.
const WANTED: (u32, u32) = (5, 12);

pub(super) fn kernel() -> Check {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let good = version(&release).is_none_or(|found| found >= WANTED);
    Check {
        name: "kernel",
        outcome: if good { Outcome::Ok } else { Outcome::Missing },
        found: format!("Linux {release}"),
        why: "mounts are made by calls that came with Linux 5.12",
        remedy: (!good).then(|| "use a newer kernel".to_owned()),
    }
}

/// Major and minor number of a release such as `6.1.0-18-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn rights(is_root: bool) -> Check {
    Check {
        name: "rights",
        outcome: Outcome::Ok,
        found: if is_root { "root, with `CAP_SYS_ADMIN`" } else { "an ordinary user" }.to_owned(),
        why: "root needs no user namespace; anyone else gets one",
        remedy: None,
    }
}

pub(super) fn filter() -> Check {
    let name = "system call filter";
    let why = "it keeps containers from the kernel's more dangerous calls, and with one id only it is how owners are \
               remembered";
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let has = |wanted: &str| actions.split_whitespace().any(|action| action == wanted);
    match (has("errno"), has("user_notif")) {
        (true, true) => Check {
            name,
            outcome: Outcome::Ok,
            found: "filters and notifications".to_owned(),
            why,
            remedy: None,
        },
        (true, false) => Check {
            name,
            outcome: Outcome::Degraded,
            found: "filters, but no notifications".to_owned(),
            why,
            remedy: Some("use Linux 5.0 or newer".to_owned()),
        },
        (false, _) => Check {
            name,
            outcome: Outcome::Missing,
            found: "this kernel has no filters".to_owned(),
            why,
            remedy: Some("use a kernel with `CONFIG_SECCOMP_FILTER`".to_owned()),
        },
    }
}

/// Makes a group with each limit and removes it again.
/// Which programs of other processors run, and whether their emulators can be found in containers.
pub(super) fn other_processors(emulators: &[Emulator]) -> Check {
    let name = "other processors";
    let why = "RUN steps for another platform than this machine's need an emulator; other steps need none";
    let list = |emulators: &[&Emulator]| {
        emulators.iter().map(|emulator| emulator.architecture.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (usable, others): (Vec<&Emulator>, Vec<&Emulator>) =
        emulators.iter().partition(|emulator| emulator.is_enabled && emulator.is_fixed);
    let found = match usable.as_slice() {
        [] => "no emulators that containers could use; the package `qemu-user-static` brings some".to_owned(),
        usable => format!("emulators for {}", list(usable)),
    };
    match others.as_slice() {
        [] => Check { name, outcome: Outcome::Ok, found, why, remedy: None },
        others => Check {
            name,
            outcome: Outcome::Degraded,
            found: format!("{found}; registered, but switched off or without the flag `F`: {}", list(others)),
            why,
            remedy: Some(
                "reinstall the package `qemu-user-static`, which registers emulators that containers can use"
                    .to_owned(),
            ),
        },
    }
}

pub(super) fn groups() -> Check {
    let mut warnings = Vec::new();
    let wanted =
        Resources { memory: Some(64 << 20), cpus: Some(1.0), pids: Some(64), ..Resources::default() };
    drop(Group::new(&wanted, &mut warnings));
    let reasons: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let good = reasons.is_empty();
    Check {
        name: "control groups",
        outcome: if good { Outcome::Ok } else { Outcome::Degraded },
        found: if good {
            "memory, processors and processes can be limited".to_owned()
        } else {
            reasons.join("; ")
        },
        why: "only `--memory`, `--cpus` and `--pids-limit` need them",
        remedy: (!good).then(|| {
            "start it in a group that is yours, for example with `systemd-run --user --scope -p Delegate=yes`"
                .to_owned()
        }),
    }
}

/// Whether a program has more rights than who starts it: the set-uid bit or file capabilities.
pub(super) fn has_privilege(path: &Path) -> bool {
    const SET_UID: u32 = 0o4000;
    let set_uid = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & SET_UID != 0);
    set_uid
        || rustix::fs::getxattr(path, "security.capability", &mut [0; 64][..]).is_ok_and(|length| length > 0)
}

/// The name of a file system by the number that `statfs(2)` gives it.
pub(super) fn file_system_name(number: i64) -> String {
    match number as u32 {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x6969 => "nfs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0xff53_4d42 | 0xfe53_4d42 => "cifs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0xca45_1a4e => "bcachefs",
        other => return format!("file system {other:#x}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_distributions_are_understood() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.4.0"), Some((5, 4)));
        assert_eq!(version("4.18.0-513.el8.x86_64"), Some((4, 18)));
        assert_eq!(version("unknown"), None);
        assert!((5, 10) < WANTED && (6, 0) > WANTED);
    }
}
