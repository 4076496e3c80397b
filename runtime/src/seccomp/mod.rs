//! The system call filter: which calls a container may make.
//!
//! The rules are those of Docker's default profile. A call that is not allowed fails with `EPERM`; one that is newer
//! than the table, `clone3` (whose flags a filter cannot see) and the x32 variants fail with `ENOSYS`, upon which C
//! libraries use an older call. 32-bit programs have rules of their own: a filter that knew 64-bit calls only would
//! kill them.
//!
//! The kernel runs the filter for every call number when it is loaded (to remember what is always allowed), so a
//! program that compares with one number after the other costs milliseconds at every start of a container. Ours
//! halves the range of numbers with every comparison. Instructions are `seccompiler`'s types; its own compiler makes
//! the linear kind, for one architecture, and kills the others.

mod compile;
mod profile;
mod table;

pub(crate) use compile::{Answer, Question, Test, Verdict, from_bytes, to_bytes};
pub(crate) use profile::{listening, numbers, program};

/// What a filter answers to a call of this machine's own architecture whose arguments are all the same.
#[cfg(test)]
pub(crate) fn run_for_test(program: &[crate::sys::seccomp::Instruction], number: u32, argument: u32) -> u32 {
    compile::tests::run(program, profile::NATIVE, number, argument).0
}
