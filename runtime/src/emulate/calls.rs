//! Which calls are handed over, and what each of them is.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::identity::Kind;
use crate::seccomp::{self, Answer, Question, Test, Verdict};
use crate::sys::seccomp::Instruction;

/// A call, without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `chown`, or `lchown` where a link is not followed.
    Chown {
        follow: bool,
    },
    Fchown,
    FchownAt,
    SetOne(Kind),
    SetTwo(Kind),
    SetThree(Kind),
    SetFile(Kind),
    SetGroups,
    /// `prctl`, where it asks to keep capabilities.
    Control,
    GetReal(Kind),
    GetEffective(Kind),
    GetThree(Kind),
    GetGroups,
    /// `at`: its first argument is a directory.
    Open {
        at: bool,
    },
    Create,
    MakeDirectory {
        at: bool,
    },
    MakeNode {
        at: bool,
    },
    Link {
        at: bool,
    },
    Execute {
        at: bool,
    },
    /// `stat`, or `lstat` where a link is not followed.
    Status {
        follow: bool,
    },
    StatusOf,
    StatusAt,
    StatusExtended,
}

/// How many bits an id has. Calls of old 32-bit programs have 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Narrow,
    Wide,
}

const CALLS: &[(&str, Call)] = &[
    ("chown", Call::Chown { follow: true }),
    ("lchown", Call::Chown { follow: false }),
    ("fchown", Call::Fchown),
    ("fchownat", Call::FchownAt),
    ("setuid", Call::SetOne(Kind::User)),
    ("setgid", Call::SetOne(Kind::Group)),
    ("setreuid", Call::SetTwo(Kind::User)),
    ("setregid", Call::SetTwo(Kind::Group)),
    ("setresuid", Call::SetThree(Kind::User)),
    ("setresgid", Call::SetThree(Kind::Group)),
    ("setfsuid", Call::SetFile(Kind::User)),
    ("setfsgid", Call::SetFile(Kind::Group)),
    ("setgroups", Call::SetGroups),
    ("prctl", Call::Control),
    ("getuid", Call::GetReal(Kind::User)),
    ("getgid", Call::GetReal(Kind::Group)),
    ("geteuid", Call::GetEffective(Kind::User)),
    ("getegid", Call::GetEffective(Kind::Group)),
    ("getresuid", Call::GetThree(Kind::User)),
    ("getresgid", Call::GetThree(Kind::Group)),
    ("getgroups", Call::GetGroups),
    ("open", Call::Open { at: false }),
    ("openat", Call::Open { at: true }),
    ("creat", Call::Create),
    ("mkdir", Call::MakeDirectory { at: false }),
    ("mkdirat", Call::MakeDirectory { at: true }),
    ("mknod", Call::MakeNode { at: false }),
    ("mknodat", Call::MakeNode { at: true }),
    ("symlink", Call::Link { at: false }),
    ("symlinkat", Call::Link { at: true }),
    ("execve", Call::Execute { at: false }),
    ("execveat", Call::Execute { at: true }),
    ("stat", Call::Status { follow: true }),
    ("lstat", Call::Status { follow: false }),
    ("fstat", Call::StatusOf),
    ("newfstatat", Call::StatusAt),
    ("statx", Call::StatusExtended),
];

/// Flags of `open` with which a file is made.
const MAKES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// The filter that hands them over.
pub(crate) fn filter() -> Vec<Instruction> {
    seccomp::listening(&|name| {
        let (call, _) = named(name)?;
        let unless_made = |argument| {
            let test = Test::NoneOf(MAKES);
            Verdict::Ask(Question { argument, test, yes: Answer::Allow, no: Answer::Notify })
        };
        Some(match call {
            Call::Open { at: false } => unless_made(1),
            Call::Open { at: true } => unless_made(2),
            Call::Control => Verdict::Ask(Question {
                argument: 0,
                test: Test::OneOf(&[libc::PR_SET_KEEPCAPS as u32]),
                yes: Answer::Notify,
                no: Answer::Allow,
            }),
            _ => Verdict::Notify,
        })
    })
}

/// The call of that number on that architecture (`AUDIT_ARCH_…`).
pub(super) fn known(architecture: u32, number: u32) -> Option<(Call, Width)> {
    static KNOWN: OnceLock<HashMap<(u32, u32), (Call, Width)>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let mut known = HashMap::new();
        for (architecture, number, name, is_old) in seccomp::numbers() {
            // The records of old programs have another layout; the kernel fills them.
            if is_old && name.contains("stat") {
                continue;
            }
            if let Some((call, is_renewed)) = named(name) {
                let width = if is_old && !is_renewed { Width::Narrow } else { Width::Wide };
                known.insert((architecture, number), (call, width));
            }
        }
        known
    });
    known.get(&(architecture, number)).copied()
}

/// The call of that name, and whether it is the variant of a 32-bit architecture that has wide ids.
fn named(name: &str) -> Option<(Call, bool)> {
    let plain = name.strip_suffix("32");
    let (_, call) = CALLS.iter().find(|(known, _)| *known == plain.unwrap_or(name))?;
    Some((*call, plain.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_are_known_on_both_architectures() {
        let (native, old) = (0xc000_003e, 0x4000_0003);
        assert_eq!(known(native, libc::SYS_fchownat as u32), Some((Call::FchownAt, Width::Wide)));
        assert_eq!(known(native, libc::SYS_setuid as u32), Some((Call::SetOne(Kind::User), Width::Wide)));
        assert_eq!(known(old, 212), Some((Call::Chown { follow: true }, Width::Wide)));
        assert_eq!(known(old, 182), Some((Call::Chown { follow: true }, Width::Narrow)));
        assert_eq!(known(native, libc::SYS_read as u32), None);
    }

    #[test]
    fn only_those_opens_are_handed_over_that_may_make_a_file() {
        let filter = filter();
        let answer = |flags: i32| {
            seccomp::run_for_test(&filter, libc::SYS_openat as u32, flags as u32)
                == libc::SECCOMP_RET_USER_NOTIF
        };
        assert!(answer(libc::O_CREAT | libc::O_WRONLY) && answer(libc::O_TMPFILE | libc::O_RDWR));
        assert!(
            !answer(libc::O_RDONLY) && !answer(libc::O_DIRECTORY) && !answer(libc::O_WRONLY | libc::O_TRUNC)
        );
    }
}
