//! Real containers, made of a static busybox, as root, as a user with many ids and as a user with one.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod attacks;
mod endings;
mod files;
mod identity;
mod isolation;
mod layers;
mod limits;
mod owners;
mod privileges;
mod support;
mod surroundings;
