//! Images between a registry of the test's own and a store.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod copy;
mod faults;
mod pull;
mod push;
mod real;
mod support;
