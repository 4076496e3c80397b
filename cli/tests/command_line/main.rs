//! The command line, from outside: one snapshot shows exit code, standard output and standard error.
//!
//! Each test has an empty home with a store of its own, and no variable but those it sets.

mod archives;
mod bake;
mod build;
mod build_caches;
mod builds;
mod caches;
mod check;
mod files;
mod flags;
mod images;
mod inside;
mod interrupt;
mod login;
mod mutation;
mod names;
mod outputs;
mod pruning;
mod pty;
mod pushed_builds;
mod registries;
mod remote;
mod remote_commands;
mod run;
mod serve;
mod serve_guard;
mod steps;
mod store;
mod terminal;
mod tidy;
mod transfers;
mod tug;
mod words;
