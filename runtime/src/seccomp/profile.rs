//! Docker's default profile, from its table to rules for the architectures of this machine.

use std::collections::BTreeMap;

use super::compile::{Answer, Question, Rules, Test, Verdict, compile};
use super::table::{ALWAYS, BY_ARGUMENTS, BY_CAPABILITY, BY_FAMILY, NEWEST, NO, Row};
use crate::capabilities;
use crate::sys::seccomp::Instruction;

/// An architecture whose programs this machine runs.
struct Architecture {
    /// `AUDIT_ARCH_…`.
    audit: u32,
    /// Its column in the table.
    column: usize,
    /// Where the numbers of x32 begin.
    end: Option<u32>,
}

#[cfg(target_arch = "x86_64")]
const FAMILY: usize = 0;
#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: [Architecture; 2] = [
    Architecture { audit: 0xc000_003e, column: 0, end: Some(0x4000_0000) },
    Architecture { audit: 0x4000_0003, column: 1, end: None },
];

#[cfg(target_arch = "aarch64")]
const FAMILY: usize = 1;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: [Architecture; 2] = [
    Architecture { audit: 0xc000_00b7, column: 2, end: None },
    Architecture { audit: 0x4000_0028, column: 3, end: None },
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the table of system calls has no column for this architecture yet");

/// This machine's own architecture.
#[cfg(test)]
pub(super) const NATIVE: u32 = ARCHITECTURES[0].audit;

/// Flags of `clone` that make namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u32;

/// What a program may be run as: plain Linux, with 32 bits (`8`), with an old version number (`0x20000`); and the
/// question which of them it is.
const PERSONALITIES: &[u32] = &[0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Address families of `socket`. Not among them: the kernel's cryptography (38), which programs in containers do not
/// need and which has been a way out, and the channel to the host of a virtual machine (40), which knows no network
/// namespaces; and families that the kernel no longer has.
const FAMILIES: &[u32] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33,
    35, 36, 39, 41, 42, 43, 44, 45,
];

const FORBIDDEN: Verdict = Verdict::Fail(libc::EPERM as u16);
const UNKNOWN: Verdict = Verdict::Fail(libc::ENOSYS as u16);

/// The filter for a container with these capabilities.
pub(crate) fn program(granted: capabilities::Set) -> Vec<Instruction> {
    let rules: Vec<Rules> = ARCHITECTURES
        .iter()
        .map(|architecture| Rules {
            architecture: architecture.audit,
            end: architecture.end,
            verdicts: verdicts(architecture.column, granted),
            otherwise: FORBIDDEN,
            newer: (NEWEST + 1, UNKNOWN),
        })
        .collect();
    compile(&rules)
}

/// A filter that lets everything through but the calls for which `choose` has something else in mind. Put on top of
/// another filter it takes nothing back: the stricter of the two answers wins.
pub(crate) fn listening(choose: &dyn Fn(&str) -> Option<Verdict>) -> Vec<Instruction> {
    let rules: Vec<Rules> = ARCHITECTURES
        .iter()
        .map(|architecture| Rules {
            architecture: architecture.audit,
            end: architecture.end,
            verdicts: rows()
                .filter(|row| row.1[architecture.column] != NO)
                .filter_map(|row| Some((row.1[architecture.column], choose(row.0)?)))
                .collect(),
            otherwise: Verdict::Allow,
            newer: (NEWEST + 1, Verdict::Allow),
        })
        .collect();
    compile(&rules)
}

/// Every call: `AUDIT_ARCH_…`, number, name, and whether the architecture is the old one of 32 bits.
pub(crate) fn numbers() -> impl Iterator<Item = (u32, u32, &'static str, bool)> {
    ARCHITECTURES.iter().enumerate().flat_map(|(index, architecture)| {
        rows()
            .filter(|row| row.1[architecture.column] != NO)
            .map(move |row| (architecture.audit, row.1[architecture.column], row.0, index == 1))
    })
}

fn rows() -> impl Iterator<Item = &'static Row> {
    ALWAYS.iter().chain(BY_FAMILY[FAMILY]).chain(BY_ARGUMENTS)
}

fn verdicts(column: usize, granted: capabilities::Set) -> BTreeMap<u32, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut set = |row: &Row, verdict| {
        if row.1[column] != NO {
            verdicts.insert(row.1[column], verdict);
        }
    };
    for row in ALWAYS.iter().chain(BY_FAMILY[FAMILY]) {
        set(row, Verdict::Allow);
    }
    let administrator = has(granted, "SYS_ADMIN");
    for row in BY_ARGUMENTS {
        set(row, by_arguments(row.0, administrator));
    }
    for (_, rows) in BY_CAPABILITY.iter().filter(|(capability, _)| has(granted, capability)) {
        for row in *rows {
            set(row, Verdict::Allow);
        }
    }
    verdicts
}

fn by_arguments(name: &str, administrator: bool) -> Verdict {
    let ask = |test| {
        let no = Answer::Fail(libc::EPERM as u16);
        Verdict::Ask(Question { argument: 0, test, yes: Answer::Allow, no })
    };
    match name {
        "clone" | "clone3" if administrator => Verdict::Allow,
        "clone" => ask(Test::NoneOf(NAMESPACES)),
        "personality" => ask(Test::OneOf(PERSONALITIES)),
        "socket" => ask(Test::OneOf(FAMILIES)),
        _ => UNKNOWN,
    }
}

fn has(granted: capabilities::Set, name: &str) -> bool {
    capabilities::named(name).is_some_and(|capability| granted & capability != 0)
}

#[cfg(test)]
mod tests {
    use super::super::compile::tests::run;
    use super::*;

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    fn native(number: libc::c_long, argument: u32) -> u32 {
        run(&program(capabilities::DOCKER), ARCHITECTURES[0].audit, number as u32, argument).0
    }

    #[test]
    fn the_table_agrees_with_the_c_library() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("openat2", libc::SYS_openat2),
            ("execve", libc::SYS_execve),
            ("landlock_restrict_self", libc::SYS_landlock_restrict_self),
            ("statx", libc::SYS_statx),
        ] {
            let row = ALWAYS.iter().find(|row| row.0 == name).unwrap();
            assert_eq!(i64::from(row.1[ARCHITECTURES[0].column]), number, "{name}");
        }
    }

    #[test]
    fn what_every_program_needs_is_allowed() {
        for number in
            [libc::SYS_read, libc::SYS_execve, libc::SYS_fchownat, libc::SYS_setresuid, libc::SYS_capset]
        {
            assert_eq!(native(number, 0), ALLOW);
        }
    }

    #[test]
    fn what_reaches_beyond_the_container_is_forbidden() {
        for number in [
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_init_module,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_open_by_handle_at,
            libc::SYS_settimeofday,
            libc::SYS_pidfd_getfd,
            libc::SYS_kexec_load,
        ] {
            assert_eq!(native(number, 0), EPERM, "{number}");
        }
    }

    #[test]
    fn new_namespaces_are_refused_and_new_calls_do_not_exist() {
        assert_eq!(native(libc::SYS_clone, libc::SIGCHLD as u32), ALLOW);
        assert_eq!(native(libc::SYS_clone, libc::CLONE_NEWUSER as u32), EPERM);
        assert_eq!(native(libc::SYS_clone3, 0), ENOSYS);
        assert_eq!(native(467, 0), ENOSYS);
    }

    #[test]
    fn sockets_to_the_kernel_and_to_the_host_are_refused() {
        for (family, answer) in
            [(1, ALLOW), (2, ALLOW), (10, ALLOW), (16, ALLOW), (38, EPERM), (40, EPERM), (0, EPERM)]
        {
            assert_eq!(native(libc::SYS_socket, family), answer, "{family}");
        }
    }

    #[test]
    fn a_capability_brings_its_calls_along() {
        let granted = capabilities::DOCKER | capabilities::named("SYS_ADMIN").unwrap();
        let filter = program(granted);
        let answer = |number: libc::c_long| run(&filter, ARCHITECTURES[0].audit, number as u32, u32::MAX).0;
        assert_eq!(answer(libc::SYS_mount), ALLOW);
        assert_eq!(answer(libc::SYS_clone3), ALLOW);
        assert_eq!(answer(libc::SYS_clone), ALLOW);
        assert_eq!(answer(libc::SYS_reboot), EPERM);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn programs_of_32_bits_have_their_own_numbers_and_x32_does_not_exist() {
        let filter = program(capabilities::DOCKER);
        let i386 = |number| run(&filter, 0x4000_0003, number, 0).0;
        assert_eq!((i386(4), i386(11), i386(21), i386(120)), (ALLOW, ALLOW, EPERM, ALLOW));
        assert_eq!(run(&filter, 0xc000_003e, 0x4000_0000, 0).0, ENOSYS);
    }

    #[test]
    fn the_filter_is_short() {
        let length = program(capabilities::DOCKER).len();
        assert!(length < 600, "{length}");
    }
}
