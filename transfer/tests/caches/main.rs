//! Caches of builds between two machines: in a folder, in a registry, in an image.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod exchange;
mod local;
mod registry;
mod support;
