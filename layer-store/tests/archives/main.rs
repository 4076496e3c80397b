//! Archives of images: every form is loaded, what is saved can be loaded, and what is wrong is refused without a trace.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod loading;
mod making;
mod refusing;
mod saving;
