//! Whether anything is ever lost: real processes that are killed, starved and cut off, and a look at the whole store
//! afterwards.
//!
//! What is held here is written down for users in `docs/durability.md`. Each test draws its moments from a seed and names it
//! when it fails. The runs here are short; `testdata/crash/run` makes long ones.
//!
//! | variable           | what it says                                             |
//! | ------------------ | -------------------------------------------------------- |
//! | `TUG_LOST_ROUNDS`  | how many rounds a test makes, in place of its few        |
//! | `TUG_LOST_SEED`    | the seed, in place of one that is always the same        |
//! | `TUG_LOST_PROGRAM` | a tug, in place of the one that was built with the tests |
//! | `TUG_LOST_COMMAND` | words of the one command that is to meet faults         |

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(clippy::print_stdout, reason = "a long run says how far it is")]

mod beside;
mod chance;
mod checker;
mod crowd;
mod disk;
mod injected;
mod killed;
mod power;
mod task;
mod wanted;
mod yard;
